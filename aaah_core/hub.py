"""This side of the channel layer's groups: each is joined once, however many connections are in it.

A layer's message does not say its group, so each group with members here has a channel of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from weakref import WeakKeyDictionary

from aaah_core import events
from aaah_core.steps import finish

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["Hub", "hub", "listen"]

logger = logging.getLogger("aaah")

#: Seconds that the layer may take to let a channel leave a group.
CLEANUP = 5.0

#: Connections of one plan and codec: what is the same for all is worked out once for them.
Audience: TypeAlias = dict["Connection", None]


class Group:
    """A group with members here, or that somebody joins."""

    __slots__ = ("audiences", "channel", "joining", "opening", "task")

    def __init__(self) -> None:
        self.audiences: dict[tuple[int, int], Audience] = {}
        #: How many are about to be members.
        self.joining = 0
        #: Held by the one that joins the group for all.
        self.opening = asyncio.Lock()
        self.channel = ""
        #: What listens; None before the group was joined.
        self.task: asyncio.Task[None] | None = None

    def add(self, member: Connection) -> None:
        """Let a connection have what the group is sent."""
        self.audiences.setdefault(_kind(member), {})[member] = None

    def discard(self, member: Connection) -> None:
        """Let it have no more."""
        kind = _kind(member)
        audience = self.audiences.get(kind, {})
        audience.pop(member, None)
        if not audience:
            self.audiences.pop(kind, None)


def _kind(member: Connection) -> tuple[int, int]:
    return id(member.plan), id(member.codec)


class Hub:
    """The groups of one channel layer that have members in this event loop."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self._groups: dict[str, Group] = {}
        # A loop holds its tasks weakly.
        self._tasks: set[asyncio.Task[None]] = set()
        # Whether a name has to be asked for early; None until the first is.
        self._names_wait: bool | None = None

    async def join(self, name: str, member: Connection) -> None:
        """Let a connection join a group; if the layer fails, it has not joined."""
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group()
        group.joining += 1
        try:
            async with group.opening:
                if group.task is None:
                    await self._open(name, group)
            group.add(member)
        finally:
            group.joining -= 1
            self._close_if_unused(name, group)

    async def leave(self, name: str, member: Connection) -> None:
        """Let a connection leave a group; it has left whatever the layer does."""
        group = self._groups.get(name)
        if group is not None:
            group.discard(member)
            closing = self._close_if_unused(name, group)
            if closing is not None:
                await asyncio.shield(closing)

    async def _open(self, name: str, group: Group) -> None:
        channel = await self.layer.new_channel()
        try:
            await self.layer.group_add(name, channel)
        except BaseException:
            # It may have been added before it failed, or we were cancelled.
            self._start(self._discard(name, channel))
            raise

        def deliver(message: Any) -> None:
            events.deliver(group.audiences.values(), message)

        group.channel = channel
        listening = listen(self.layer, channel, deliver)
        # What listens for all belongs to nobody's context.
        group.task = asyncio.create_task(listening, context=Context())

    def _close_if_unused(self, name: str, group: Group) -> asyncio.Task[None] | None:
        if group.joining or group.audiences or self._groups.get(name) is not group:
            return None
        # Whoever joins from now on gets a channel of its own, and waits for nothing of this one.
        del self._groups[name]
        if group.task is None:
            return None
        return self._start(self._stop(name, group.channel, group.task))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do work to its end, also if who wants it is cancelled."""
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("The channel layer could not take a channel from a group: %r", error)

    async def _stop(self, name: str, channel: str, listening: asyncio.Task[None]) -> None:
        try:
            await self._discard(name, channel)
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _discard(self, name: str, channel: str) -> None:
        async with asyncio.timeout(CLEANUP):
            await self.layer.group_discard(name, channel)

    async def early_name(self) -> str | None:
        """Return the name of a new channel if the layer has to wait to make one, else None."""
        if self._names_wait is None:
            steps = self.layer.new_channel().__await__()
            try:
                waits_for = next(steps)
            except StopIteration:
                self._names_wait = False
                return None
            self._names_wait = True
            return cast(str, await finish(steps, waits_for))
        return await self.layer.new_channel() if self._names_wait else None

    def name(self) -> str:
        """Return the name of a new channel, of a layer that makes one at once."""
        try:
            next(self.layer.new_channel().__await__())
        except StopIteration as end:
            return cast(str, end.value)
        raise RuntimeError(f"{type(self.layer).__qualname__}.new_channel() waits only now and then")


async def listen(layer: Any, channel: str, deliver: Callable[[Any], None]) -> None:
    """Deliver what arrives at a channel of the layer, for as long as the task lives."""
    pause = 0.1
    while True:
        try:
            message = await layer.receive(channel)
            pause = 0.1
        except Exception:
            logger.exception("The channel layer failed; asking again in %.1f s", pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
            continue
        deliver(message)


#: By event loop and layer. What a layer runs belongs to a loop.
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Hub]] = WeakKeyDictionary()


def hub(layer: Any) -> Hub:
    """Return the hub of a channel layer in the event loop that runs."""
    loop = asyncio.get_running_loop()
    hubs = _hubs.get(loop)
    if hubs is None:
        # A task refers to its loop: the groups of one that was closed amid its work hold it.
        for closed in [each for each in _hubs if each.is_closed()]:
            del _hubs[closed]
        hubs = _hubs[loop] = {}
    found = hubs.get(id(layer))  # which it holds, so no other can have its id
    if found is None:
        found = hubs[id(layer)] = Hub(layer)
    return found
