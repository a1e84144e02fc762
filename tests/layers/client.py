"""Clients of `Room`, and the servers that they are connected to."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

from tests.crowd.client import open_socket
from tests.servers import serving

APPLICATION = "tests.layers.asgi:application"


@contextmanager
def served(layer, folder, count=1, server="uvicorn", application=APPLICATION):
    """Serve over a layer in so many processes."""
    with ExitStack() as stack:
        servers = []
        for number in range(count):
            own = folder / f"{server}-{number}"
            own.mkdir(exist_ok=True)
            start = serving(server, application, own, LAYER=json.dumps(layer))
            servers.append(stack.enter_context(start))
        yield servers


class Client:
    """A connection whose replies and events are told apart.

    Attributes:
        events: What came and nobody took, in order.
    """

    def __init__(self, ws):
        self.ws = ws
        self.events = asyncio.Queue()
        self._replies = asyncio.Queue()

    async def read(self):
        async for text in self.ws:
            message = json.loads(text)
            (self.events if "event" in message else self._replies).put_nowait(message)

    async def call(self, action, **parameters):
        """Return the reply to a call."""
        await self.ws.send(json.dumps({"action": action, **parameters}))
        async with asyncio.timeout(10):
            return await self._replies.get()

    async def event(self, name):
        """Return what the next event carries, which must have this name."""
        async with asyncio.timeout(10):
            event = await self.events.get()
        assert event["event"] == name, event
        return event["data"]

    async def said(self, *last):
        """Return what was said until all last words were, and whether one was to resync."""
        said, resynced = [], False
        while not all(each in said for each in last):
            async with asyncio.timeout(20):
                event = await self.events.get()
            if event["event"] == "aaah.resync":
                resynced = True
            else:
                said.append(event["data"])
        return said, resynced

    async def resynced(self):
        """Wait for a word to resync."""
        async with asyncio.timeout(20):
            while (await self.events.get())["event"] != "aaah.resync":
                pass


@asynccontextmanager
async def clients(server, count, path=""):
    """Connect so many clients; what they are sent is read as it comes."""
    async with AsyncExitStack() as stack:
        sockets = [open_socket(server, path) for _ in range(count)]
        opened = [Client(await stack.enter_async_context(each)) for each in sockets]
        reading = [asyncio.create_task(each.read()) for each in opened]
        try:
            yield opened
        finally:
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)
