"""The same books over HTTP."""

from __future__ import annotations

from django.urls import path
from rest_framework.viewsets import ReadOnlyModelViewSet

from tests.benchmarks.shelf.models import Book
from tests.benchmarks.shelf.serializers import BookSerializer

__all__ = ["urlpatterns"]


class Books(ReadOnlyModelViewSet[Book]):
    """List and retrieve."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer


urlpatterns = [
    path("books/", Books.as_view({"get": "list"})),
    path("books/<int:pk>/", Books.as_view({"get": "retrieve"})),
]
