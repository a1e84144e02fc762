"""Actions, the messages that call them, and what waits, for tests of connections and replies."""

from __future__ import annotations

import asyncio
import json
import threading

from aaah_core.testing import connect
from tests.conftest import action

#: What makes `forever` end soon.
SHORT = {"limits": {"deadline": 0.01}}


@action
async def hello(self):
    return "hello"


def request(name, request_id, **more):
    return json.dumps({"action": name, "request_id": request_id, **more})


def of(message):
    """Return the payload of what was sent."""
    return json.loads(message["text"])


async def asked(chat, name="act", **request):
    """Return the reply to one call; a second one must be answered too."""
    async with connect(chat.as_asgi()) as ws:
        reply = await ws.call(name, **request)
        again = await ws.call("hello", request_id="again")
        assert (again["request_id"], again["status"]) == ("again", 200)
        return reply


async def status_of(chat, name="act", **request):
    return (await asked(chat, name, **request))["status"]


def raising(error):
    @action
    async def act(self):
        raise error

    return act


def returning(value):
    @action
    async def act(self):
        return value

    return act


def forever(calls=None):
    """Return an action that ends only when it is cancelled."""

    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        finally:
            if calls is not None:
                calls.append("ended")

    return act


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing tells of what it waits for
            await asyncio.sleep(0.005)


class Gate:
    """An action that waits until the test lets it go on."""

    def __init__(self, *, sync=False):
        self.begun = 0
        self.cancelled = 0
        self.ended = 0
        event = threading.Event if sync else asyncio.Event
        self.open = event()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def action(self):
        gate = self

        @action
        async def wait(self):
            gate.begun += 1
            gate._news.set()
            try:
                await gate.open.wait()
            except asyncio.CancelledError:
                gate.cancelled += 1
                raise
            finally:
                gate.ended += 1
            return "waited"

        return wait

    @property
    def sync_action(self):
        gate = self

        @action
        def wait(self):
            gate.begun += 1
            gate._loop.call_soon_threadsafe(gate._news.set)
            gate.open.wait(5)
            gate.ended += 1
            gate._loop.call_soon_threadsafe(gate._news.set)
            return "waited"

        return wait

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self._news.clear()
                await self._news.wait()
