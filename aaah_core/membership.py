"""What one connection has of the channel layer: its groups, and a channel of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

from channels.layers import get_channel_layer

from aaah_core import events, identity
from aaah_core.errors import ConfigurationError, PermissionDenied, TooLarge
from aaah_core.groups import group_name
from aaah_core.hub import Hub
from aaah_core.hubs import hub
from aaah_core.layers import require_group_name, within
from aaah_core.listening import end, listen
from aaah_core.messages import Call, current_call

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.consumers import AsyncAPIConsumer

__all__ = ["Membership", "at_home", "hub_of", "own_groups"]


# Two threads may read a name at the same time.
_NAMING = threading.Lock()


class LayerView:
    """The channel layer as a consumer has it: its own channel joins groups through the hub."""

    __slots__ = ("_layer", "_own")

    def __init__(self, layer: Any, own: Membership) -> None:
        self._layer = layer
        self._own = own

    async def group_add(self, group: str, channel: str) -> None:
        """Let a channel join a group."""
        if channel == self._own.known_name:
            await at_home(self._own.connection, self._own.join(group))
        else:
            await within(self._layer.group_add(group, channel))

    async def group_discard(self, group: str, channel: str) -> None:
        """Let a channel leave a group."""
        if channel == self._own.known_name:
            await at_home(self._own.connection, self._own.leave_as(group, channel))
        else:
            await within(self._layer.group_discard(group, channel))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send a message to a group."""
        await within(self._layer.group_send(group, message))

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send a message to a channel."""
        await within(self._layer.send(channel, message))

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._layer, attribute)


class Membership:
    """The groups of one connection, and its own channel; made when something first needs it.

    The channel is listened to from the first time that somebody reads its name.

    Args:
        connection: Whose it is.
    """

    __slots__ = ("_task", "_wanted", "connection", "groups", "known_name", "lost", "view")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._wanted = False
        #: The groups it is in, or about to be, each with the call that joined it.
        self.groups: dict[str, Call | None] = {}
        #: Those that its user may not be in any more: what waits of them is dropped.
        self.lost: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None
        #: The name, where asking for it is not meant to start anything.
        self.known_name: str | None = None
        hub = connection.hub
        #: The layer, as the consumer has it; None where none is set.
        self.view: Any = LayerView(hub.layer, self) if hub is not None else None

    @property
    def name(self) -> str:
        """The name, for `group_add` and for `channel_layer.send`.

        Raises:
            ConfigurationError: There is no channel layer.
        """
        with _NAMING:
            if self.known_name is None:
                self.known_name = self._hub.name()
        if not self._wanted:
            self._wanted = True
            # A sync action asks from a worker thread; and no call's context is an event's.
            connection = self.connection
            connection.loop.call_soon_threadsafe(self._listen, context=connection.context)
        return self.known_name

    async def join(self, group: str, *, own: bool = False) -> None:
        """Join a group, for the call that runs if one does; a connection that ends joins none.

        Args:
            group: The group.
            own: Whether it is the connection's own affair, and no call's.

        Raises:
            ConfigurationError: There is no channel layer.
            TypeError: No group can have that name.
            PermissionDenied: The connection has become another user's, who may not run the call.
            TooLarge: It is in as many groups as a call may bring it into.
        """
        connection, call = self.connection, None if own else self._call()
        if connection.hears:
            require_group_name(self._hub.layer, group)
            if call is not None and group not in self.groups:
                self._require_room()
            self.groups[group] = call
            # The call was checked when it began, and perhaps as another user's.
            if call is not None and connection.changes and not await identity.stands(call):
                await self.leave(group)
                raise PermissionDenied
            self.lost -= {group}
            await self._hub.join(group, connection)
        if not connection.hears or group not in self.groups:
            # A task that somebody detached joins too late, or the user may be in it no longer.
            await self.leave(group)

    def _require_room(self) -> None:
        # Each has a task and its call with all that came: a client may name any number of them.
        most = self.connection.plan.limits.groups
        if len(self.groups) >= most:
            raise TooLarge(f"This connection is in as many groups as it may join: {most}.")

    def _call(self) -> Call | None:
        call = current_call.get(None)
        return call if call is not None and call.consumer is self.connection.consumer else None

    async def leave(self, group: str) -> None:
        """Leave a group; what it was sent before still comes."""
        self.groups.pop(group, None)
        await self._hub.leave(group, self.connection)

    async def leave_as(self, group: str, channel: str) -> None:
        """Leave a group, also where somebody else added its channel to it."""
        if group in self.groups:
            await self.leave(group)
        else:
            await self._hub.take_out(group, channel)

    async def stop(self) -> None:
        """Stop listening to its own channel."""
        if self._task is not None:
            await end(self._hub, cast(str, self.known_name), self._task)

    async def leave_all(self) -> None:
        """Leave the groups that are left, each whatever becomes of the others."""
        async with AsyncExitStack() as steps:
            for group in list(self.groups):
                steps.push_async_callback(self.leave, group)

    @property
    def _hub(self) -> Hub:
        if self.connection.hub is None:
            consumer = type(self.connection.consumer).__qualname__
            raise ConfigurationError(f"{consumer} uses groups: set CHANNEL_LAYERS.")
        return self.connection.hub

    def _listen(self) -> None:
        if (
            not self.connection.hears or self._task is not None
        ):  # two threads may have asked at once
            return
        listening = listen(self._hub, cast(str, self.known_name), self._arrived)
        self._task = asyncio.create_task(listening)

    def _arrived(self, message: Any) -> None:
        if self.connection.hears:
            events.deliver([{self.connection: None}], message)


async def at_home(connection: Connection, work: Coroutine[Any, Any, None]) -> None:
    """Do work in the event loop of a connection, which all that it has belongs to."""
    if asyncio.get_running_loop() is connection.loop:
        await work
    else:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, connection.loop))


def own_groups(consumer: AsyncAPIConsumer, named: Iterable[str]) -> Iterator[str]:
    """Return the groups that every connection of a consumer joins: the named, and its lookups."""
    yield from named
    lookups = consumer.group_send_lookup_kwargs or ()
    captured = consumer.scope.get("url_route", {}).get("kwargs", {})
    for lookup in (lookups,) if isinstance(lookups, str) else lookups:
        if lookup in captured:
            yield group_name(lookup, captured[lookup])


def hub_of(consumer: AsyncAPIConsumer) -> Hub | None:
    """Return the hub of a consumer's channel layer; None where no layer is set."""
    layer = get_channel_layer(consumer.channel_layer_alias)
    return None if layer is None else hub(layer)
