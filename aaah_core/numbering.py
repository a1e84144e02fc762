"""The numbers of what is published: whoever hears of a group can tell what of it was lost.

Many processes publish to one group, and share nothing: each numbers what it sends, and who hears
looks at each one's numbers for itself.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

__all__ = ["Heard", "Line", "Lines", "lines_of_loop", "lines_of_thread"]

#: How many groups an event loop or thread numbers; beyond it the one that rested longest begins
#: anew.
LINES = 10_000
#: How many lines a group is heard of by.
HEARD = 1_000


class Line:
    """What one event loop, or one thread without, sends to one group, one after the other."""

    __slots__ = ("_id", "_number", "_since", "lock")

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._since = time.time()
        self._number = 0
        #: Held while the layer sends: what overtook another would look like a loss.
        self.lock = asyncio.Lock()

    def next(self) -> dict[str, Any]:
        """Return the fields that number the next message."""
        self._number += 1
        return {"line": self._id, "number": self._number, "since": self._since}


class Lines:
    """The lines of one event loop or thread, by group."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    def __getitem__(self, group: str) -> Line:
        line = self._lines.pop(group, None) or Line()
        self._lines[group] = line  # the last used stands last
        if len(self._lines) > LINES:
            del self._lines[next(iter(self._lines))]
        return line


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Lines] = WeakKeyDictionary()
_of_threads = threading.local()


def lines_of_loop() -> Lines:
    """Return the lines of the event loop that runs."""
    loop = asyncio.get_running_loop()
    lines = _of_loops.get(loop)
    if lines is None:
        lines = _of_loops[loop] = Lines()
    return lines


def lines_of_thread() -> Lines:
    """Return the lines of this thread, which has no event loop."""
    lines: Lines | None = getattr(_of_threads, "lines", None)
    if lines is None:
        lines = _of_threads.lines = Lines()
    return lines


def _begin_anew() -> None:
    # A forked process would go on with its parent's numbers.
    global _of_threads
    _of_threads = threading.local()
    _of_loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class Heard:
    """The last number that a group brought from each line."""

    __slots__ = ("_last", "_since")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._since = time.time()

    def missing(self, message: Mapping[str, Any]) -> int | None:
        """Return how many messages were lost before this one; None if it was heard already.

        Of a line that began before we listened, the first that is heard is the first that counts.

        Args:
            message: With the fields of `Line.next`, or without: then nothing is missing.
        """
        line, number = message.get("line"), message.get("number")
        if not isinstance(line, str) or not isinstance(number, int):
            return 0
        last = self._last.pop(line, None)
        if last is None:
            last = 0 if message.get("since", 0) > self._since else number - 1
        self._last[line] = max(last, number)
        if len(self._last) > HEARD:
            del self._last[next(iter(self._last))]
            self._since = time.time()  # what is forgotten is no new line when it comes again
        return number - last - 1 if number > last else None
