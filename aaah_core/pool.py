"""Threads that take one job after another, and end when there is nothing to do."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

__all__ = ["Job", "Pool"]


#: Jobs that wait before those given up among them are looked for.
CROWD = 64


class Job(Protocol):
    """What a thread of the pool runs."""

    def __call__(self) -> Callable[[], None]:
        """Do it, and return what tells of its end; neither raises.

        That is called when the thread is free again, or the next job would find none.
        """

    def done(self) -> bool:
        """Whether nobody needs it any more."""


class Pool:
    """Wakes the thread that has rested for the shortest time.

    The standard library's pool wakes each in its turn. Here a process with little to do does it on
    few threads, whose database connections are in use, and the other threads end.

    Args:
        size: How many threads it may have.
        idle: Seconds without a job after which a thread ends (before twice as many have passed).
        at_end: Called in each thread before it ends.
    """

    def __init__(self, size: int, idle: float, at_end: Callable[[], None]) -> None:
        self._size = size
        self._idle = idle
        self._at_end = at_end
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._resting: list[_Inbox] = []
        self._waiting: deque[Job] = deque()
        self._crowd = CROWD
        self._dismisser: threading.Timer | None = None
        self._shut = False

    def submit(self, job: Job) -> None:
        """Let a thread do a job, as soon as one is free.

        Raises:
            RuntimeError: The pool has been shut down, or no thread can be started.
        """
        with self._lock:
            if self._shut:
                raise RuntimeError("The pool has been shut down.")
            if self._resting:
                inbox = self._resting.pop()
            elif len(self._threads) < self._size:
                inbox = self._hire()
            else:
                self._wait(job)
                return
        inbox.put(job)  # without the lock, for the thread may run at once

    def state(self) -> tuple[int, int, int]:
        """Return how many threads there are, how many of them rest, and how many jobs wait."""
        with self._lock:
            return len(self._threads), len(self._resting), len(self._waiting)

    def shutdown(self) -> None:
        """Take no more jobs, and return when the threads have done what waits and ended."""
        with self._lock:
            self._shut = True
            resting, self._resting = self._resting, []
            threads = list(self._threads)
            if self._dismisser is not None:
                self._dismisser.cancel()
        for inbox in resting:
            inbox.put(None)
        for thread in threads:
            thread.join()

    def _hire(self) -> _Inbox:
        inbox = _Inbox()
        # A daemon, or the interpreter would wait for it before it asks anybody to end.
        thread = threading.Thread(target=self._work, args=(inbox,), name="aaah", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the operating system has no more
            inbox.close()
            raise
        self._threads.add(thread)
        return inbox

    def _wait(self, job: Job) -> None:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()  # while every thread hangs, given up calls must not pile up
        if len(self._waiting) >= self._crowd:  # nor behind one that is still wanted
            self._waiting = deque(each for each in self._waiting if not each.done())
            self._crowd = max(CROWD, 2 * len(self._waiting))
        self._waiting.append(job)

    def _work(self, inbox: _Inbox) -> None:
        while (job := inbox.get()) is not None:
            tell = job()
            self._rest(inbox)
            tell()
            del job, tell  # they are not to live on while the thread rests
        inbox.close()
        self._at_end()
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _rest(self, inbox: _Inbox) -> None:
        following: Job | None = None
        with self._lock:
            if self._waiting:
                following = self._waiting.popleft()
            elif not self._shut:
                inbox.rests_since = time.monotonic()
                self._resting.append(inbox)
                if self._dismisser is None:
                    self._await_idle(self._idle)
                return
        inbox.put(following)

    def _await_idle(self, seconds: float) -> None:
        dismisser = threading.Timer(seconds, self._dismiss)
        dismisser.daemon = True
        with suppress(RuntimeError):  # no thread can be started: whoever rests next tries again
            dismisser.start()
            self._dismisser = dismisser

    def _dismiss(self) -> None:
        """End the threads that have rested for long: the first ones, as the last work next."""
        until = time.monotonic() - self._idle
        with self._lock:
            idle = [inbox for inbox in self._resting if inbox.rests_since <= until]
            del self._resting[: len(idle)]
            self._dismisser = None
            if self._resting:
                self._await_idle(self._idle)
        for inbox in idle:
            inbox.put(None)


class _Inbox:
    """What one thread is to do next; None ends it.

    It waits in a pipe and not for a lock: who writes to a pipe lets go of the interpreter, so the
    thread that wakes can run at once, and need not go to sleep again for want of the interpreter.
    """

    __slots__ = ("_job", "_read", "_write", "rests_since")

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._job: Job | None = None
        self.rests_since = 0.0

    def put(self, job: Job | None) -> None:
        self._job = job
        os.write(self._write, b".")

    def get(self) -> Job | None:
        os.read(self._read, 1)
        job, self._job = self._job, None
        return job

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
