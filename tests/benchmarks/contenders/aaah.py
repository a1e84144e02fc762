"""Ours, with every plugin that is installed and every setting as it is shipped."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import project
from tests.benchmarks.contenders.plugged import alone, among, child
from tests.benchmarks.contenders.routed import (
    included_1,
    included_1000,
    prefixed_1,
    prefixed_1000,
    routes_1,
    routes_1000,
)
from tests.benchmarks.scene import PK, ROWS, Scene, request

__all__ = [
    "WORKERS",
    "alone",
    "among",
    "child",
    "echo",
    "grouped_0",
    "grouped_10",
    "included_1",
    "included_1000",
    "listed",
    "prefixed_1",
    "prefixed_1000",
    "retrieve",
    "routes_1",
    "routes_1000",
    "setup",
    "slow",
    "sync",
    "told",
    "waiting",
]

#: Threads for sync code.
WORKERS = 16


def setup() -> Any:
    """Set Django up, and return who is logged in."""
    project.configure("channels", "rest_framework", "aaah_core")
    return project.user()


def echo() -> Scene:
    """Say the same text, in an async action."""
    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        @async_action
        async def echo(self, text: str) -> dict[str, str]:
            return {"text": text}

    return Scene(Consumer.as_asgi(), request())


def sync() -> Scene:
    """Say the same text, in a sync action."""
    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        @async_action
        def echo(self, text: str) -> dict[str, str]:
            return {"text": text}

    return Scene(Consumer.as_asgi(), request())


def slow() -> Scene:
    """Sleep a second, in a sync action."""
    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        @async_action
        def echo(self) -> None:
            time.sleep(1)  # takes a thread: `stall`

    return Scene(Consumer.as_asgi(), request())


def told() -> Scene:
    """Tell everybody in a group."""
    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer, apublish

    class Consumer(AsyncAPIConsumer):
        groups = ["hall"]
        # All are one user's: as shipped, nobody has more than 1,000.
        limits = {"connections_per_user": 10_000}

        @async_action(mode="none")
        async def tell(self) -> None:
            await apublish("hall", "news", ROWS)

    return Scene(Consumer.as_asgi(), request("tell"))


def _grouped(names: list[str]) -> Scene:
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        groups = names

    return Scene(Consumer.as_asgi(), "")


def grouped_0() -> Scene:
    """Be in no group."""
    return _grouped([])


def grouped_10() -> Scene:
    """Be in ten groups."""
    return _grouped([f"group{number}" for number in range(10)])


def waiting() -> Scene:
    """Wait in the database."""
    from django.db import connection

    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        @async_action
        def wait(self) -> dict[str, str]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01)")
            return {}

    return Scene(Consumer.as_asgi(), request("wait"))


def _library() -> Any:
    from django.urls import path

    from aaah_core import AsyncAPIConsumer
    from aaah_crud.handlers import ListAPIActionHandler, RetrieveAPIActionHandler
    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    class One(RetrieveAPIActionHandler):
        queryset = Book.objects.all()
        serializer_class = BookSerializer

    class All(ListAPIActionHandler):
        queryset = Book.objects.all()
        serializer_class = BookSerializer

    class Library(AsyncAPIConsumer):
        routepatterns = [path("books/", All.as_aaah()), path("books/<int:pk>/", One.as_aaah())]

    return Library.as_asgi()


def retrieve() -> Scene:
    """One row through a serializer."""
    return Scene(_library(), request("retrieve", f"books/{PK}/"))


def listed() -> Scene:
    """Every row through a serializer."""
    return Scene(_library(), request("list", "books/"))
