"""rest-framework-channels, as its documentation sets it up."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import project
from tests.benchmarks.scene import PK, Scene, request

__all__ = [
    "WORKERS",
    "child",
    "echo",
    "listed",
    "retrieve",
    "routes_1",
    "routes_1000",
    "setup",
    "slow",
    "sync",
    "waiting",
]

#: Threads for sync code: Channels' own one.
WORKERS = 1


def setup() -> Any:
    """Set Django up, and return who is logged in."""
    project.configure("channels", "rest_framework", "rest_framework_channels")
    return project.user()


def echo() -> Scene:
    """Say the same text, in an async action."""
    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.decorators import async_action

    class Consumer(AsyncAPIConsumer):
        @async_action()
        async def echo(self, text: str, **kwargs: Any) -> Any:
            return {"text": text}, 200

    return Scene(Consumer.as_asgi(), request())


def child() -> Scene:
    """Say it with the number in the route, to those who are logged in."""
    from django.urls import path

    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.decorators import async_action
    from rest_framework_channels.handlers import AsyncAPIActionHandler
    from rest_framework_channels.permissions import IsAuthenticated

    class Child(AsyncAPIActionHandler):
        permission_classes = (IsAuthenticated,)

        @async_action()
        async def echo(self, text: str, **kwargs: Any) -> Any:
            return {"text": text, "pk": self.kwargs["pk"]}, 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("books/<int:pk>/", Child.as_aaah())]

    return Scene(Consumer.as_asgi(), request(route=f"books/{PK}/"))


def sync() -> Scene:
    """Say the same text, in a sync action."""
    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.decorators import async_action

    class Consumer(AsyncAPIConsumer):
        @async_action()
        def echo(self, text: str, **kwargs: Any) -> Any:
            return {"text": text}, 200

    return Scene(Consumer.as_asgi(), request())


def slow() -> Scene:
    """Sleep a second, in a sync action."""
    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.decorators import async_action

    class Consumer(AsyncAPIConsumer):
        @async_action()
        def echo(self, **kwargs: Any) -> Any:
            time.sleep(1)  # takes a thread: `stall`
            return None, 200

    return Scene(Consumer.as_asgi(), request())


def waiting() -> Scene:
    """Wait in the database."""
    from django.db import connection

    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.decorators import async_action

    class Consumer(AsyncAPIConsumer):
        @async_action()
        def wait(self, **kwargs: Any) -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01)")
            return {}, 200

    return Scene(Consumer.as_asgi(), request("wait"))


def _library() -> Any:
    from django.urls import path

    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.generics import ListAPIActionHandler, RetrieveAPIActionHandler
    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    class One(RetrieveAPIActionHandler):
        queryset = Book.objects.all()
        serializer_class = BookSerializer

    class All(ListAPIActionHandler):
        queryset = Book.objects.all()
        serializer_class = BookSerializer

    class Library(AsyncAPIConsumer):
        # Its patterns match from the start of a route: the longer one comes first.
        routepatterns = [path("books/<int:pk>/", One.as_aaah()), path("books/", All.as_aaah())]

    return Library.as_asgi()


def retrieve() -> Scene:
    """One row through a serializer."""
    return Scene(_library(), request("retrieve", f"books/{PK}/"))


def listed() -> Scene:
    """Every row through a serializer."""
    return Scene(_library(), request("list", "books/"))


def _routes(count: int) -> Any:
    """Return what resolves the last of so many routes."""
    from django.urls import path

    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.handlers import AsyncAPIActionHandler

    class Child(AsyncAPIActionHandler):
        pass

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path(f"r{each}/<int:pk>/", Child.as_aaah()) for each in range(count)]

    async def resolve() -> Any:
        return await Consumer.routing.resolve(f"r{count - 1}/{PK}/", {}, None, None)

    return resolve


def routes_1() -> Any:
    """Return what resolves the only route."""
    return _routes(1)


def routes_1000() -> Any:
    """Return what resolves the last of a thousand routes."""
    return _routes(1000)
