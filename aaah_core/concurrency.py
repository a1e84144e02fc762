"""The calls of a connection that run beside one another."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from aaah_core.calls import Calls
from aaah_core.inbox import Message
from aaah_core.running import Running, current_running, current_task

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["ConcurrentCalls"]

#: What a connection has where no call has come yet.
_NO_TASKS: dict[asyncio.Task[None], Running] = {}


class ConcurrentCalls(Calls):
    """Takes frames, a few at a time, each in a task of its own; the connection's own task reads."""

    __slots__ = ("_concurrency", "_tasks")

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._concurrency = type(connection.consumer).concurrency
        self._tasks = _NO_TASKS

    def serve(self) -> Coroutine[Any, Any, None]:
        """Return what takes frames, as the parent does."""
        self._serving = True
        return self._spread()

    async def _spread(self) -> None:
        """Give each frame that comes to a task of its own, or let it wait for one that ends."""
        transport = self._connection.transport
        while transport.ended is None:
            message = await transport.receive()
            if message["type"] == "websocket.disconnect":
                self._left(message)
            elif not transport.open:
                pass  # it was on its way when we closed, or came before accept: it runs nothing
            elif len(self._tasks) < self._concurrency:
                self._start(message)
            else:
                await self._waiting().put(message)
                await asyncio.sleep(0)  # the calls that fill it may end at once, but not before

    def _start(self, message: Message) -> None:
        task = asyncio.create_task(self._take_in_task(message))
        self._running_of(task)
        task.add_done_callback(self._finished)

    def _running_of(self, task: asyncio.Task[None]) -> Running:
        running = self._tasks.get(task)
        if running is None:  # a loop may begin a task before it returns it
            if self._tasks is _NO_TASKS:
                self._tasks = {}
            running = self._tasks[task] = Running(task)
        return running

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log(error, "Error %s: a call ended its task in %s")
        if self._inbox and self._connection.transport.ended is None:
            self._start(self._inbox.pop())

    async def _take_in_task(self, message: Message) -> None:
        running = self._running_of(current_task())
        current_running.set(running)
        await self._answer(running, message)

    @property
    def busy(self) -> bool:
        """Whether a call runs or waits."""
        return bool(self._tasks) or super().busy

    def look(self, now: float) -> bool:
        """See to calls that take long, as the parent does: there is always somebody who reads."""
        worked, self._worked = self._worked, False
        for running in self._tasks.values():
            running.look(now)
        return worked

    async def end(self) -> None:
        """End every call, and take no more."""
        await super().end()
        for task in self._tasks:
            task.cancel()
        try:
            if self._tasks:
                await asyncio.wait(list(self._tasks))
        finally:
            for task in self._tasks:  # those that did not let the first one through in time
                task.cancel()
