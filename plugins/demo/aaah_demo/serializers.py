"""How books look outside: a serializer of Django REST framework's, as for HTTP."""

from __future__ import annotations

from rest_framework import serializers

from aaah_demo.models import Book

__all__ = ["BookSerializer"]


class BookSerializer(serializers.ModelSerializer[Book]):
    """A book."""

    class Meta:
        """What of a book is shown."""

        model = Book
        fields = ("id", "title", "author")
