"""This side of the channel layer's groups: each is joined once, however many connections are in it.

A layer's message does not say its group, so each group with members here has a channel of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from aaah_core import events, layers
from aaah_core.care import Care
from aaah_core.counters import count
from aaah_core.group import Group
from aaah_core.layers import within
from aaah_core.listening import end, listen, stop

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["Hub"]

logger = logging.getLogger("aaah.hub")

#: Seconds between two times that a group's members are told to resync.
RESYNC = 1.0
#: Seconds that the layer may take to let a group be joined: daphne refuses a handshake after 5.
JOIN = 3.0
#: How many groups are joined again at a time, and how many are remembered that could not be left.
AT_ONCE, LEFT = 20, 10_000


class Hub:
    """The groups of one channel layer that have members in this event loop.

    They are what is meant; the layer follows as soon as it can. So it takes no connection with it
    when it goes.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        #: How many messages the layer has brought to groups.
        self.received = 0
        #: The last message to a channel that is listened to no more; nobody else can make it.
        self.last_message = {"type": "aaah.end", "hub": uuid4().hex}
        #: Held while a listener is ended with it, and how many are.
        self.turn, self.ending = asyncio.Lock(), 0
        self._groups: dict[str, Group] = {}
        # A loop holds its tasks weakly.
        self._tasks: set[asyncio.Task[None]] = set()
        # Whether the layer has to wait to make a name; None until the first is made.
        self._names_wait: bool | None = None
        # What the layer could not be told: groups, and the channels to take out of them.
        self._to_leave: deque[tuple[str, str]] = deque(maxlen=LEFT)
        self._awake = asyncio.Event()
        self._care = Care(self)
        if (problem := layers.trap(layer)) is not None:
            logger.error("%s", problem)

    @property
    def has_groups(self) -> bool:
        """Whether anybody here is in a group."""
        return bool(self._groups)

    @property
    def lost(self) -> bool:
        """Whether the layer is away, as far as is known."""
        return self._care.lost

    async def join(self, name: str, member: Connection) -> None:
        """Let a connection join a group; where the layer is away, it has joined once that is back.

        Raises:
            TypeError: No group can have that name.
        """
        layers.require_group_name(self.layer, name)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name)
            self._care.start()
        with self._held(group):
            async with group.opening:
                if not (group.joined or self.lost):
                    try:
                        await within(self._open(group), JOIN, "group_add")
                    except Exception as error:  # noqa: BLE001 - whatever it is, members stay
                        self.trouble(error)
            group.add(member)

    async def leave(self, name: str, member: Connection) -> None:
        """Let a connection leave a group; it has left whatever the layer does."""
        group = self._groups.get(name)
        if group is not None:
            group.discard(member)
            closing = self._close_if_unused(group)
            if closing is not None and not self.lost:
                await asyncio.shield(closing)

    # How the layer is.

    def trouble(self, error: BaseException) -> None:
        """Take note that a call to the layer failed."""
        self._care.trouble(error)

    def wake(self) -> None:
        """Let whoever waits for the layer ask it at once."""
        self._awake.set()
        self._awake = asyncio.Event()

    async def rest(self, seconds: float) -> None:
        """Wait before the layer is asked again, or until it is known to be back."""
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            pass

    async def join_again(self) -> None:
        """Tell the layer all that it may have forgotten, or was not told.

        Raises:
            Exception: What the layer raises.
        """
        groups = list(self._groups.values())
        while groups or self._to_leave:
            for _ in range(len(self._to_leave)):
                name, channel = self._to_leave[0]
                await within(self.layer.group_discard(name, channel))
                self._to_leave.popleft()
            remaining = iter(groups)
            while some := list(islice(remaining, AT_ONCE)):
                await asyncio.gather(*map(self._join_again, some))
            # Those that came meanwhile were left to us, and so was what could not be left.
            groups = [group for group in self._groups.values() if not group.joined]

    async def _join_again(self, group: Group) -> None:
        if self._groups.get(group.name) is not group:  # somebody closed it meanwhile
            return
        with self._held(group):
            async with group.opening:
                await within(self._open(group), JOIN, "group_add")

    async def listen_again(self) -> None:
        """Ask the layer anew for what it brings: it may have forgotten that it was asked."""
        await self._care.listen_again()
        for group in list(self._groups.values()):
            if self._groups.get(group.name) is group:  # nobody closed it meanwhile
                await self._listen_again(group)

    async def _listen_again(self, group: Group) -> None:
        with self._held(group):
            async with group.opening:
                if group.task is not None:
                    task, group.task = group.task, None
                    await stop(task)
                    self._listen(group)

    def resync(self) -> None:
        """Tell every member that it may have missed something."""
        for group in list(self._groups.values()):
            self._tell(group)

    def _tell(self, group: Group) -> None:
        group.again = group.telling
        if not group.telling:
            group.telling = True
            asyncio.get_running_loop().call_later(RESYNC, self._told, group)
            events.resync(group.audiences.values(), group.name)

    def _told(self, group: Group) -> None:
        group.telling = False
        if group.again:
            self._tell(group)

    # Groups of the layer.

    async def _open(self, group: Group) -> None:
        if not group.channel:
            group.channel = await self.layer.new_channel()
        if group.task is None:
            self._listen(group)
        await self.layer.group_add(group.name, group.channel)
        group.joined = True

    def _listen(self, group: Group) -> None:
        listening = listen(self, group.channel, partial(self._deliver, group))
        # What listens for all belongs to nobody's context.
        group.task = asyncio.create_task(listening, context=Context())

    def _deliver(self, group: Group, message: Any) -> None:
        self.received += 1
        self._care.noticed(self.received)
        if message.get("type") == events.TYPE:
            if not events.understood(message):
                self._tell(group)
                return
            missing = group.heard.missing(message)
            if missing is None:
                return
            group.seq += missing + 1
            message["seq"] = group.seq
            if missing:
                count("events", "lost", missing)
                logger.warning("%d events of the group %r were lost", missing, group.name)
                self._tell(group)
        events.deliver(group.audiences.values(), message, group.name)

    @contextmanager
    def _held(self, group: Group) -> Iterator[None]:
        """Let a group not be closed meanwhile."""
        group.joining += 1
        try:
            yield
        finally:
            group.joining -= 1
            self._close_if_unused(group)

    def _close_if_unused(self, group: Group) -> asyncio.Task[None] | None:
        if group.joining or group.audiences or self._groups.get(group.name) is not group:
            return None
        # Whoever joins from now on gets a channel of its own, and waits for nothing of this one.
        del self._groups[group.name]
        if not group.channel:
            return None
        return self.start(self._close(group))

    async def _close(self, group: Group) -> None:
        try:
            await self.take_out(group.name, group.channel)
        finally:
            if group.task is not None:
                await end(self, group.channel, group.task)

    async def take_out(self, name: str, channel: str) -> None:
        """Take a channel out of a group; where the layer is away, once that is back.

        Raises:
            TypeError: No group can have that name.
        """
        layers.require_group_name(self.layer, name)
        try:
            await within(self.layer.group_discard(name, channel))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            self._to_leave.append((name, channel))
            self.trouble(error)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do work to its end, also if who wants it is cancelled."""
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Channels of connections.

    async def learn_names(self) -> None:
        """Find out, once, whether the layer has to wait to make a name."""
        if self._names_wait is None:
            made = self.start(self._make_name())
            await asyncio.sleep(0)
            self._names_wait = not made.done()

    async def _make_name(self) -> None:
        try:
            await within(self.layer.new_channel())
        except Exception as error:  # noqa: BLE001 - whatever it is, names are made without it
            self.trouble(error)

    def name(self) -> str:
        """Return the name of a new channel, also in a thread and while the layer is away."""
        if self._names_wait:
            # A layer listens to any name. One that subscribes to those it makes would stay
            # subscribed for connections that never listen.
            return f"aaah.{uuid4().hex}"
        try:
            next(self.layer.new_channel().__await__())
        except StopIteration as end:
            return cast(str, end.value)
        raise RuntimeError(f"{type(self.layer).__qualname__}.new_channel() waits only now and then")
