"""One look, a few times a second, at every connection of an event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol
from weakref import WeakKeyDictionary

from aaah_core.logs import log_error
from aaah_core.workers import close_old_async_connections

__all__ = ["INTERVAL", "Watched", "forget", "loops", "watch", "watched"]

logger = logging.getLogger("aaah.connection")

#: Seconds between two looks, and how late a deadline can be.
INTERVAL = 0.25


class Watched(Protocol):
    """What the watchdog looks at."""

    def look(self, now: float) -> bool:
        """See to what has been busy for long, and return whether calls ran since the last look.

        `now` is the loop's time.
        """

    def leave(self, at: float, latest: float) -> None:
        """Tell the client that the server goes away, and close at about one of two times.

        `at` is when nothing runs, and `latest` whatever runs: the loop's times.
        """


#: Looks between two times that old database connections of the async ORM are let go of.
LOOKS = 20

#: A chain of timers, and not a task: a loop that closes has nothing pending.
_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, set[Watched]] = WeakKeyDictionary()


# A loop holds its tasks weakly.
_tasks: set[asyncio.Task[None]] = set()


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


def loops() -> list[asyncio.AbstractEventLoop]:
    """Return the event loops that have connections; any thread may ask."""
    return [loop for reference in _watched.keyrefs() if (loop := reference()) is not None]


def watched(loop: asyncio.AbstractEventLoop) -> list[Watched]:
    """Return the connections of an event loop; any thread may ask."""
    return list(_watched.get(loop, ()))


def _look(loop: asyncio.AbstractEventLoop, looks: int = 1, worked: bool = False) -> None:
    connections = _watched[loop]
    if not connections:
        del _watched[loop]
        return
    now = loop.time()
    for connection in list(connections):
        try:
            worked = connection.look(now) or worked
        except Exception as error:  # noqa: BLE001 - it must not end the deadlines of all
            # It has no consumer where a test looks at something else.
            consumer = getattr(connection, "consumer", None)
            log_error(
                logger, error, "Error %s: a connection cannot be looked at", consumer=consumer
            )
    if worked and looks >= LOOKS:
        task = loop.create_task(close_old_async_connections())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        looks, worked = 0, False
    loop.call_later(INTERVAL, _look, loop, looks + 1, worked)
