"""chanx, as its documentation sets it up: messages are Pydantic models."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import structlog
from chanx.messages.base import BaseMessage
from pydantic import BaseModel

from tests.benchmarks import project
from tests.benchmarks.scene import PK, TEXT, Scene

__all__ = ["WORKERS", "echo", "listed", "retrieve", "setup", "slow", "sync", "waiting"]

#: Threads for sync code: Channels' own one.
WORKERS = 1


class Payload(BaseModel):
    """What the handlers are sent."""

    text: str = ""
    pk: int = 0


class Ask(BaseMessage):
    """A request."""

    action: Literal["ask"] = "ask"
    payload: Payload


class Answer(BaseMessage):
    """A reply."""

    action: Literal["answer"] = "answer"
    payload: Any


def setup() -> Any:
    """Set Django up, and return who is logged in."""
    # It logs through structlog, past what silences the others.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    project.configure("channels", "rest_framework", "chanx.channels")
    return project.user()


def _scene(handle: Callable[[Any], Awaitable[Any]], **sent: Any) -> Scene:
    """Return a consumer with one handler, and a message for it."""
    from chanx.channels.websocket import AsyncJsonWebsocketConsumer
    from chanx.core.decorators import channel, ws_handler

    @channel(name="benchmark")
    class Consumer(AsyncJsonWebsocketConsumer):
        @ws_handler(input_type=Ask, output_type=Answer)
        async def handle_ask(self, message: Any) -> Any:
            return Answer(payload=await handle(message.payload))

    frame = json.dumps({"action": "ask", "payload": sent}, separators=(",", ":"))
    return Scene(Consumer.as_asgi(), frame, lambda reply: reply["payload"])


def _synchronous(work: Callable[[Any], Any], **sent: Any) -> Scene:
    from channels.db import database_sync_to_async

    return _scene(database_sync_to_async(work), **sent)


def echo() -> Scene:
    """Say the same text."""

    async def handle(payload: Any) -> Any:
        return {"text": payload.text}

    return _scene(handle, text=TEXT)


def sync() -> Scene:
    """Say the same text, in sync code."""
    return _synchronous(lambda payload: {"text": payload.text}, text=TEXT)


def slow() -> Scene:
    """Sleep a second, in sync code."""
    return _synchronous(lambda payload: time.sleep(1))  # takes a thread: `stall`


def waiting() -> Scene:
    """Wait in the database."""

    def wait(payload: Any) -> Any:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")
        return {}

    return _synchronous(wait)


def retrieve() -> Scene:
    """One row through a serializer."""
    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    return _synchronous(
        lambda payload: dict(BookSerializer(Book.objects.get(pk=payload.pk)).data), pk=PK
    )


def listed() -> Scene:
    """Every row through a serializer."""
    from tests.benchmarks.shelf.models import Book
    from tests.benchmarks.shelf.serializers import BookSerializer

    return _synchronous(lambda payload: list(BookSerializer(Book.objects.all(), many=True).data))
