"""Ours, a step at a time: what the message of `child` passes through, each step ready to be run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from tests.benchmarks.contenders.aaah import setup
from tests.benchmarks.contenders.plugged import child_consumer
from tests.benchmarks.scene import PK, User, request

__all__ = [
    "action",
    "checks",
    "decode",
    "dispatch",
    "encode",
    "find",
    "onion",
    "parse",
    "setup",
    "shape",
]


class _Message:
    """One message, after every step."""

    def __init__(self) -> None:
        from aaah_core import dispatch

        application, self.plan = child_consumer()
        self.frame = request(route=f"books/{PK}/")
        self.codec = self.plan.codecs["json"]
        self.consumer = application.consumer_class()
        self.consumer.scope = {"user": User()}
        self.consumer._plan = self.plan
        self.call: Any = self.plan.parse(self.codec.decode(self.frame, self.plan.limits))
        self.payload = asyncio.run(dispatch.respond(self.plan, self.consumer, self.call))
        self.handler = self.call.handler
        self.place = self.plan.child(type(self.handler))
        self.reply = asyncio.run(self.place.ways["echo"].steps(self.call))


_message = cache(_Message)


def decode() -> Callable[[], Any]:
    """Return what decodes the frame, within the bounds."""
    message = _message()
    return lambda: message.codec.decode(message.frame, message.plan.limits)


def parse() -> Callable[[], Any]:
    """Return what makes a call of the payload, which it takes apart: so of a copy."""
    message = _message()
    payload = message.codec.decode(message.frame, message.plan.limits)
    return lambda: message.plan.parse(dict(payload))


def find() -> Callable[[], Any]:
    """Return what resolves the route and makes the handler."""
    from aaah_core.lookup import find

    message = _message()

    def found() -> None:
        message.call.handler = message.consumer
        find(message.plan, message.call, message.call.route)

    return found


def checks() -> Callable[[], Awaitable[Any]]:
    """Return what asks both permissions."""
    message = _message()
    guard = message.place.call_guard

    async def checks() -> None:
        await guard.allows_on_loop(message.handler, message.call)

    return checks


def action() -> Callable[[], Awaitable[Any]]:
    """Return what binds the parameters and runs the action."""
    message = _message()
    run = message.place.actions["echo"].run

    async def action() -> None:
        await run(message.handler, message.call)

    return action


def onion() -> Callable[[], Awaitable[Any]]:
    """Return what runs middleware, checks and action, and makes the reply."""
    message = _message()
    steps = message.place.ways["echo"].steps

    async def onion() -> None:
        message.call.handler = message.handler
        await steps(message.call)

    return onion


def dispatch() -> Callable[[], Awaitable[Any]]:
    """Return the whole dispatcher, from the call to the payload of its reply."""
    from aaah_core import dispatch

    message = _message()

    async def respond() -> None:
        await dispatch.respond(message.plan, message.consumer, message.call)

    return respond


def shape() -> Callable[[], Any]:
    """Return what shapes the reply."""
    message = _message()
    return lambda: message.plan.shape(message.call, message.reply)


def encode() -> Callable[[], Any]:
    """Return what encodes the payload."""
    message = _message()
    return lambda: message.codec.encode(message.payload)
