"""djangochannelsrestframework, as its documentation sets it up."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import project
from tests.benchmarks.scene import PK, Scene, request

__all__ = ["WORKERS", "echo", "listed", "retrieve", "setup", "slow", "sync", "waiting"]

#: Threads for sync code: Channels' own one.
WORKERS = 1


def setup() -> Any:
    """Set Django up, and return who is logged in."""
    project.configure("channels", "rest_framework")
    return project.user()


def echo() -> Scene:
    """Say the same text, in an async action."""
    from djangochannelsrestframework.consumers import AsyncAPIConsumer
    from djangochannelsrestframework.decorators import action

    class Consumer(AsyncAPIConsumer):
        @action()
        async def echo(self, text: str, **kwargs: Any) -> Any:
            return {"text": text}, 200

    return Scene(Consumer.as_asgi(), request())


def sync() -> Scene:
    """Say the same text, in a sync action."""
    from djangochannelsrestframework.consumers import AsyncAPIConsumer
    from djangochannelsrestframework.decorators import action

    class Consumer(AsyncAPIConsumer):
        @action()
        def echo(self, text: str, **kwargs: Any) -> Any:
            return {"text": text}, 200

    return Scene(Consumer.as_asgi(), request())


def slow() -> Scene:
    """Sleep a second, in a sync action."""
    from djangochannelsrestframework.consumers import AsyncAPIConsumer
    from djangochannelsrestframework.decorators import action

    class Consumer(AsyncAPIConsumer):
        @action()
        def echo(self, **kwargs: Any) -> Any:
            time.sleep(1)  # takes a thread: `stall`
            return None, 200

    return Scene(Consumer.as_asgi(), request())


def waiting() -> Scene:
    """Wait in the database."""
    from django.db import connection
    from djangochannelsrestframework.consumers import AsyncAPIConsumer
    from djangochannelsrestframework.decorators import action

    class Consumer(AsyncAPIConsumer):
        @action()
        def wait(self, **kwargs: Any) -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01)")
            return {}, 200

    return Scene(Consumer.as_asgi(), request("wait"))


def _library() -> Any:
    from djangochannelsrestframework.generics import GenericAsyncAPIConsumer
    from djangochannelsrestframework.mixins import ListModelMixin, RetrieveModelMixin
    from djangochannelsrestframework.permissions import AllowAny

    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    class Library(ListModelMixin, RetrieveModelMixin, GenericAsyncAPIConsumer):
        queryset = Book.objects.all()
        serializer_class = BookSerializer
        permission_classes = (AllowAny,)

    return Library.as_asgi()


def retrieve() -> Scene:
    """One row through a serializer."""
    return Scene(_library(), request("retrieve", pk=PK))


def listed() -> Scene:
    """Every row through a serializer."""
    return Scene(_library(), request("list"))
