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
        # Made for the first event: most connections hear none, and each has to be light.
        self._gate: asyncio.Lock | None = None
        self._idle: asyncio.Event | None = None

    @property
    def taken(self) -> bool:
        """Whether an event runs, or waits for the calls that run: a call has to `wait` for it."""
        return self._gate is not None and self._gate.locked()

    async def wait(self) -> None:
        """Wait for the events that came before this call."""
        if self._gate is not None:
            async with self._gate:
                pass

    def begin(self) -> None:
        """Begin a call."""
        self._calls += 1

    def end(self) -> None:
        """End a call."""
        self._calls -= 1
        if self._idle is not None and not self._calls:
            self._idle.set()

    @asynccontextmanager
    async def event(self) -> AsyncIterator[None]:
        """Wait for the calls that run, and let no other begin until the event is over."""
        if self._gate is None:
            self._gate = asyncio.Lock()
        async with self._gate:
            if self._calls:
                self._idle = asyncio.Event()
                await self._idle.wait()
                self._idle = None
            yield
