"""Django REST framework over HTTP, as its documentation sets it up.

There is no middleware, so nobody is logged in: what a project has beside it costs more.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks import project
from tests.benchmarks.scene import PK, Scene

__all__ = ["listed", "retrieve", "setup"]


def setup() -> Any:
    """Set Django up; nobody is logged in."""
    project.configure("rest_framework", ROOT_URLCONF="tests.benchmarks.shelf.urls")


def _at(path: str) -> Scene:
    from django.core.asgi import get_asgi_application

    return Scene(get_asgi_application(), path, data=lambda body: body, http=True)


def retrieve() -> Scene:
    """One row through a serializer."""
    return _at(f"/books/{PK}/")


def listed() -> Scene:
    """Every row through a serializer."""
    return _at("/books/")
