"""How a process leaves: its clients hear of it, what runs is answered, and then the server ends.

Servers end their sockets as soon as a signal asks them to. So we stand before the server's own
handler: it is called when our connections have gone, or took too long.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from types import FrameType
from typing import Any, TypeGuard

from aaah_core import census, conf, watchdog

__all__ = ["began", "prepare"]

logger = logging.getLogger("aaah.leaving")

#: What servers end at.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
]
#: Connections that are closed in a second, where `LEAVE_SPREAD` leaves that much time.
_PACE = 100
#: Seconds that connections may take to clean up after they were closed.
_CLEANUP = 2.0
#: Seconds between two looks at how many are left.
_INTERVAL = 0.05

Handler = Callable[[int, FrameType | None], Any]


class _Departure:
    """The leaving of one process.

    Args:
        loop: The event loop that waits until all connections have gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.began = False

    def begin(self, then: Callable[[], None]) -> bool:
        """Ask all connections to leave, and call `then` in the loop when they have.

        Returns:
            Whether it has begun: it does once, and where there is a connection and a loop.
        """
        if self.began or not census.total() or not self._loop.is_running():
            return False
        self.began = True
        self._loop.call_soon_threadsafe(self._ask_all, then)
        return True

    def _ask_all(self, then: Callable[[], None]) -> None:
        settings, count = conf.current(), census.total()
        timeout = settings.LEAVE_TIMEOUT
        spread = min(settings.LEAVE_SPREAD, timeout, count / _PACE)
        logger.info("The server ends: %d connections leave, in %g s at most", count, timeout)
        for loop in watchdog.loops():
            with suppress(RuntimeError):  # it was closed
                loop.call_soon_threadsafe(_ask, loop, spread, timeout)
        self._wait(time.monotonic() + timeout + _CLEANUP, then)

    def _wait(self, until: float, then: Callable[[], None]) -> None:
        left = census.total()
        if left and time.monotonic() < until:
            self._loop.call_later(_INTERVAL, self._wait, until, then)
            return
        if left:
            logger.warning("%d connections had not left when the time was up", left)
        then()


def _ask(loop: asyncio.AbstractEventLoop, spread: float, timeout: float) -> None:
    now = loop.time()
    for connection in watchdog.watched(loop):
        connection.leave(now + random.uniform(0, spread), now + timeout)  # noqa: S311 - hides nothing


class _Guard:
    """Stands before a server's own handler of a signal.

    Args:
        departure: What comes first.
        server: The server's handler.
    """

    def __init__(self, departure: _Departure, server: Handler) -> None:
        self._departure = departure
        self._server = server
        self._handed_on = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # Between any two instructions of the main thread: no lock may be waited for in here.
        if not self._departure.begin(partial(self._hand_on, number)):
            self._handed_on = True
            self._server(number, frame)

    def _hand_on(self, number: int) -> None:
        if not self._handed_on:  # by a second signal, which goes straight through
            signal.raise_signal(number)


#: Of the server that runs; None as long as none is known.
_departure: _Departure | None = None


def began() -> bool:
    """Return whether the process leaves, and lets nobody in."""
    return _departure is not None and _departure.began


def prepare() -> None:
    """Make sure that we hear of the server's end. Each connection calls this, in its loop."""
    global _departure
    if threading.current_thread() is not threading.main_thread():
        _prepare_in_thread()
        return
    if _is_servers(signal.getsignal(signal.SIGTERM)):
        _departure = _Departure(asyncio.get_running_loop())
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if _is_servers(handler):
                signal.signal(number, _Guard(_departure, handler))


def _is_servers(handler: Any) -> TypeGuard[Handler]:
    """Return whether a server handles a signal itself: without one, there is nobody to end.

    A loop's own handlers run from the loop, whatever stands before them.
    """
    module = getattr(handler, "__module__", None) or ""
    return (
        callable(handler)
        and not isinstance(handler, _Guard)
        and handler is not signal.default_int_handler
        and not module.startswith(("asyncio", "uvloop"))
    )


@cache
def _prepare_in_thread() -> None:
    # A development server that reloads runs in a thread, and ends with the interpreter. By the time
    # of `atexit`, the standard library has closed the threads that clean-up needs.
    register = getattr(threading, "_register_atexit", atexit.register)
    register(_leave_at_exit)


def _leave_at_exit() -> None:
    global _departure
    until = time.monotonic() + conf.current().LEAVE_TIMEOUT + _CLEANUP
    for loop in watchdog.loops():
        departure = _Departure(loop)
        if departure.begin(lambda: None):
            _departure = departure
            while census.total() and time.monotonic() < until:
                time.sleep(_INTERVAL)  # in the main thread, which has ended
