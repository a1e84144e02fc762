"""Whose turn it is on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """Lets calls run beside one another, and an event beside nothing, in the order they came."""

    __slots__ = ("_calls", "_gate", "_idle")

    def __init__(self) -> None:
        self._calls = 0
        self._gate = asyncio.Lock()
        self._idle = asyncio.Event()

    async def begin(self) -> None:
        """Begin a call, after the events that came before it."""
        if self._gate.locked():
            await self._gate.acquire()
            self._gate.release()
        self._calls += 1

    def end(self) -> None:
        """End a call."""
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    @asynccontextmanager
    async def event(self) -> AsyncIterator[None]:
        """Wait for the calls that run, and let no other begin until the event is over."""
        async with self._gate:
            if self._calls:
                self._idle.clear()
                await self._idle.wait()
            yield
