"""Channels alone: a consumer as its documentation writes one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks import project
from tests.benchmarks.scene import PK, ROWS, Scene, request

__all__ = [
    "WORKERS",
    "child",
    "echo",
    "grouped_0",
    "grouped_10",
    "listed",
    "retrieve",
    "setup",
    "slow",
    "sync",
    "told",
    "waiting",
]

#: Threads for sync code: Channels' own one.
WORKERS = 1


def setup() -> Any:
    """Set Django up, and return who is logged in."""
    project.configure("channels", "rest_framework")
    return project.user()


def _answering(data: Callable[[Any], Awaitable[Any]]) -> Any:
    from channels.generic.websocket import AsyncJsonWebsocketConsumer

    class Consumer(AsyncJsonWebsocketConsumer):
        async def receive_json(self, content: Any, **kwargs: Any) -> None:
            reply = {
                "errors": [],
                "data": await data(content),
                "action": content["action"],
                "route": content["route"],
                "status": 200,
                "request_id": content["request_id"],
            }
            await self.send_json(reply)

    return Consumer.as_asgi()


def echo() -> Scene:
    """Say the same text."""

    async def data(call: Any) -> Any:
        return {"text": call["text"]}

    return Scene(_answering(data), request())


def child() -> Scene:
    """Say it with the number in the route, which nobody reads."""

    async def data(call: Any) -> Any:
        return {"text": call["text"], "pk": PK}

    return Scene(_answering(data), request(route=f"books/{PK}/"))


def _synchronous(work: Callable[[Any], Any], asked: str) -> Scene:
    from channels.db import database_sync_to_async

    return Scene(_answering(database_sync_to_async(work)), asked)


def sync() -> Scene:
    """Say the same text, in sync code."""
    return _synchronous(lambda call: {"text": call["text"]}, request())


def slow() -> Scene:
    """Sleep a second, in sync code."""
    return _synchronous(lambda call: time.sleep(1), request())  # takes a thread: `stall`


def told() -> Scene:
    """Tell everybody in a group."""
    from channels.generic.websocket import AsyncJsonWebsocketConsumer

    class Consumer(AsyncJsonWebsocketConsumer):
        groups = ["hall"]

        async def receive_json(self, content: Any, **kwargs: Any) -> None:
            await self.channel_layer.group_send("hall", {"type": "news", "data": ROWS})

        async def news(self, event: Any) -> None:
            await self.send_json({"event": "news", "data": event["data"], "status": 200})

    return Scene(Consumer.as_asgi(), request("tell"))


def _grouped(names: list[str]) -> Scene:
    from channels.generic.websocket import AsyncJsonWebsocketConsumer

    class Consumer(AsyncJsonWebsocketConsumer):
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

    def wait(call: Any) -> Any:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")
        return {}

    return _synchronous(wait, request("wait"))


def retrieve() -> Scene:
    """One row through a serializer."""
    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    def read(call: Any) -> Any:
        return BookSerializer(Book.objects.get(pk=call["pk"])).data

    return _synchronous(read, request("retrieve", pk=PK))


def listed() -> Scene:
    """Every row through a serializer."""
    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    def read(call: Any) -> Any:
        return BookSerializer(Book.objects.all(), many=True).data

    return _synchronous(read, request("list"))
