"""What Django REST framework makes of a book."""

from __future__ import annotations

from rest_framework.serializers import ModelSerializer

from tests.benchmarks.shelf.models import Book

__all__ = ["BookSerializer"]


class BookSerializer(ModelSerializer[Book]):
    """Every field."""

    class Meta:
        model = Book
        fields = ("id", "title", "author", "pages", "price", "published")
