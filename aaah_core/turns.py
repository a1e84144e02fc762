"""Whose turn it is on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """Lets calls run beside one another, and an event beside nothing, in the order they came."""

    __slots__ = ("_gate", "_idle", "calls", "events")

    def __init__(self) -> None:
        #: How many calls run. Whoever runs one counts it, and calls `look` at its end if there are
        #: events: a call beside no event pays for no more.
        self.calls = 0
        #: How many events run, or wait for the calls that run. A call has to `wait` for them.
        self.events = 0
        # Made for the first event: most connections hear none, and each has to be light.
        self._gate: asyncio.Lock | None = None
        self._idle: asyncio.Event | None = None

    async def wait(self) -> None:
        """Wait for the events that came before this call."""
        if self._gate is not None:
            async with self._gate:
                pass

    def look(self) -> None:
        """Let the event that waits go on, if no call runs any more."""
        if self._idle is not None and not self.calls:
            self._idle.set()

    @asynccontextmanager
    async def event(self) -> AsyncIterator[None]:
        """Wait for the calls that run, and let no other begin until the event is over."""
        if self._gate is None:
            self._gate = asyncio.Lock()
        self.events += 1
        try:
            async with self._gate:
                if self.calls:
                    self._idle = asyncio.Event()
                    await self._idle.wait()
                yield
        finally:
            self.events -= 1
