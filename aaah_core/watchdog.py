"""One look, a few times a second, at every connection of an event loop."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["INTERVAL", "Watched", "forget", "watch"]

#: Seconds between two looks, and how late a deadline can be.
INTERVAL = 0.25


class Watched(Protocol):
    """What the watchdog looks at."""

    def look(self, now: float) -> None:
        """See to what has been busy for long; `now` is the loop's time."""


#: A chain of timers, and not a task: a loop that closes has nothing pending.
_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, set[Watched]] = WeakKeyDictionary()


def watch(connection: Watched) -> None:
    """Look at a connection from now on."""
    loop = asyncio.get_running_loop()
    connections = _watched.get(loop)
    if connections is None:
        connections = _watched[loop] = set()
        loop.call_later(INTERVAL, _look, loop)
    connections.add(connection)


def forget(connection: Watched) -> None:
    """Look at it no more."""
    _watched.get(asyncio.get_running_loop(), set()).discard(connection)


def _look(loop: asyncio.AbstractEventLoop) -> None:
    connections = _watched[loop]
    if not connections:
        del _watched[loop]
        return
    now = loop.time()
    for connection in list(connections):
        connection.look(now)
    loop.call_later(INTERVAL, _look, loop)
