"""What the library holds."""

from __future__ import annotations

from django.db import models

__all__ = ["Book"]


class Book(models.Model):
    """A book."""

    title = models.CharField(max_length=200)
    author = models.CharField(max_length=200)

    class Meta:
        """In the order they came."""

        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title
