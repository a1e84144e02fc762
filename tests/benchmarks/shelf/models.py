"""A table such as any project has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from django.db import models

__all__ = ["Book"]


class Book(models.Model):
    """A book."""

    title = models.CharField(max_length=100)
    author = models.CharField(max_length=100)
    pages = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=6, decimal_places=2)
    published = models.DateTimeField()

    # Said because the type checker's settings are another project's.
    objects: ClassVar[models.Manager[Book]] = models.Manager()

    class Meta:
        app_label = "shelf"
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title

    @classmethod
    def number(cls, number: int) -> Book:
        """Return an unsaved book: the same one for the same number."""
        return cls(
            title=f"The book with the number {number}",
            author=f"Author {number % 10}",
            pages=100 + number,
            price=Decimal(number) / 4,
            published=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number),
        )
