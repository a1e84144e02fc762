"""Load: many connections that send at a steady rate, and what became of each message."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.crowd.client import open_socket

#: Seconds between two bursts of a steady rate.
BEAT = 0.01


@dataclass
class Ledger:
    """Each message has one reply: which are awaited, and how long the others took."""

    awaited: dict[int, float] = field(default_factory=dict)
    spent: list[float] = field(default_factory=list)
    surplus: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def note(self, message: str) -> None:
        reply = json.loads(message)
        if "event" in reply:
            return
        assert reply.get("status", 200) < 300, reply
        begun = self.awaited.pop(reply["request_id"], None)
        if begun is None:
            self.surplus += 1
        else:
            self.spent.append(time.perf_counter() - begun)

    def worst_of_hundred(self) -> float:
        """Return the 99th percentile in milliseconds."""
        return sorted(self.spent)[int(len(self.spent) * 0.99)] * 1_000


class Senders:
    """Connections that send one kind of request, in turn; `senders` opens them."""

    def __init__(self, sockets, request):
        self.ledger = Ledger()
        self._sockets = itertools.cycle(sockets)
        self._all = sockets
        self._request = request

    async def send(self, begun):
        number = next(self.ledger.numbers)
        self.ledger.awaited[number] = begun
        await next(self._sockets).send(json.dumps({**self._request, "request_id": number}))

    async def read(self, ws):
        async for message in ws:
            self.ledger.note(message)

    async def steadily(self, rate, seconds):
        """Send at a rate; a message that goes out late has waited since it was to go."""
        begun, sent = time.perf_counter(), 0
        while (now := time.perf_counter()) < begun + seconds:
            while sent < (now - begun) * rate:
                await self.send(begun + sent / rate)
                sent += 1
            await asyncio.sleep(BEAT)

    async def flat_out(self, seconds):
        """Send one after another on each connection; return how many were answered a second."""
        end = time.perf_counter() + seconds

        async def one(ws):
            count = 0
            while time.perf_counter() < end:
                await ws.send(json.dumps({**self._request, "request_id": 0}))
                await ws.recv()
                count += 1
            return count

        return sum(await asyncio.gather(*map(one, self._all))) / seconds

    async def all_answered(self):
        async with asyncio.timeout(10):
            while self.ledger.awaited:  # noqa: ASYNC110 - of a process
                await asyncio.sleep(BEAT)


@asynccontextmanager
async def senders(server, count, request, path="", reading=True):
    """Open so many connections; what they are sent is noted while the block runs."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(open_socket(server, path)) for _ in range(count)]
        opened = Senders(sockets, request)
        tasks = [asyncio.create_task(opened.read(ws)) for ws in sockets if reading]
        try:
            yield opened
        finally:
            for task in tasks:
                task.cancel()
            for task in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(task, asyncio.CancelledError), task
