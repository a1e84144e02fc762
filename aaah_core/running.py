"""A running call as its watchdog sees it, and how the two end it without hurting anyone else."""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar
from typing import Any, Literal

__all__ = ["Running", "current_running", "current_task"]

#: Seconds that a call that was cancelled may clean up, before it is cancelled once more.
GRACE = 5.0


def current_task() -> asyncio.Task[Any]:
    """Return the task that runs this coroutine."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a connection runs in a task")
    return task


class Running:
    """The call that a task runs now, if any.

    `Task.cancel` cannot say why, so every cancel of ours is counted: what is left of
    `Task.cancelling` after ours are taken back came from somebody else, and must go on.
    """

    __slots__ = ("_others", "cancels", "reason", "since", "task", "threads", "until")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        #: The loop's time when the call began; None between calls.
        self.since: float | None = None
        #: The loop's time of its deadline.
        self.until = math.inf
        #: Why we cancelled it, if we did.
        self.reason: Literal["deadline", "left"] | None = None
        #: Each is done when a worker thread has ended that outlives the call; None before any has.
        self.threads: set[asyncio.Future[None]] | None = None
        #: How many cancels of ours it has not met.
        self.cancels = 0
        self._others = task.cancelling()

    def start(self, now: float, seconds: float) -> None:
        """Mark the beginning of a call that may take so many seconds."""
        self.since = now
        self.until = now + seconds
        self.reason = None

    def renew(self, now: float, seconds: float) -> None:
        """Give the next call of a batch a deadline of its own."""
        self.until = now + seconds
        if self.reason == "deadline":
            self.reason = None

    def stop(self) -> None:
        """Mark the end of a call, and take back the cancels that it never met."""
        self.since = None
        if self.cancels:
            self.settle()

    def look(self, now: float) -> None:
        """End a call that is over its deadline."""
        if self.since is not None and now >= self.until:
            self.until = now + GRACE
            self.cancel(self.reason or "deadline")

    def cancel(self, reason: Literal["deadline", "left"]) -> None:
        """End the call."""
        self.reason = reason
        self.cancels += 1
        self.task.cancel()

    def settle(self) -> None:
        """Take our cancels back, so that the task's count is what others made it."""
        while self.cancels:
            self.cancels -= 1
            self.task.uncancel()

    @property
    def cancelled_by_others(self) -> bool:
        """Whether somebody else (a server that stops) cancelled the task."""
        return self.task.cancelling() - self.cancels > self._others

    def wait_for(self, thread: asyncio.Future[None]) -> None:
        """Count a worker thread as a part of the call until it has ended."""
        self.threads = {*(self.threads or ()), thread}

    async def wait_for_threads(self) -> None:
        """Wait for the worker threads that outlived their call."""
        while self.threads:
            await asyncio.shield(self.threads.pop())


#: The `Running` of the task that runs now. It is set once a task, so it costs a message nothing.
current_running: ContextVar[Running] = ContextVar("current_running")
