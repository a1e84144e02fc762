"""Groups of the channel layer: joining, leaving, publishing."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from aaah_core import events
from aaah_core.errors import ConfigurationError
from aaah_core.messages import MISSING, Call
from aaah_core.plain import to_plain

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["LayerChannel", "apublish", "group_name", "publish"]

logger = logging.getLogger("aaah")


def group_name(*parts: object) -> str:
    """Return the name of a group made from values, a client's too.

    Layers allow only some characters and 99 of them, so the parts are hashed: two lists of parts
    give one name only where they are the same, which joining them with a dash would not.
    """
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return f"aaah.{hashlib.sha256(text.encode()).hexdigest()[:40]}"


async def apublish(
    group: str, name: str, data: Any = None, *, status: int = 200, call: Call | None = None
) -> None:
    """Send an event to every connection in a group, in whichever process it is.

    Args:
        group: The group, as its members joined it.
        name: The event's name.
        data: What it carries.
        status: Its status.
        call: The call that broadcasts. Who may not run its action does not get the event.

    Raises:
        ConfigurationError: There is no channel layer.
        EncodeError: The data holds a value that cannot be carried.
    """
    layer = get_channel_layer()
    if layer is None:
        raise ConfigurationError("Events need a channel layer: set CHANNEL_LAYERS.")
    message = {"type": events.TYPE, "group": group, "name": name, "status": status}
    message |= {"data": to_plain(data), **(_source(call) if call is not None else {})}
    await layer.group_send(group, message)


def publish(
    group: str, name: str, data: Any = None, *, status: int = 200, call: Call | None = None
) -> None:
    """Do what `apublish` does, from sync code."""
    async_to_sync(apublish)(group, name, data, status=status, call=call)


def _source(call: Call) -> dict[str, Any]:
    return {
        "action": call.action,
        "handler": events.handler_name(type(call.handler)),
        "request_id": None if call.request_id is MISSING else call.request_id,
    }


class LayerView:
    """A channel layer that remembers the groups which its connection joins."""

    def __init__(self, layer: Any, own: LayerChannel) -> None:
        self._layer = layer
        self._own = own

    async def group_add(self, group: str, channel: str) -> None:
        """Let a channel join a group."""
        if channel == self._own.known_name:
            self._own.groups.add(group)
        await self._layer.group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Let a channel leave a group."""
        await self._layer.group_discard(group, channel)
        if channel == self._own.known_name:
            self._own.groups.discard(group)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._layer, attribute)


class LayerChannel:
    """The channel of one connection in the channel layer, and the groups it joined.

    It is listened to from the first time that somebody reads its name: who joins no group pays for
    none.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        layer: Any = get_channel_layer(connection.consumer.channel_layer_alias)
        #: The groups to leave at the end.
        self.groups: set[str] = set()
        #: The layer, as the consumer has it; None where none is set.
        self.view: Any = LayerView(layer, self) if layer is not None else None
        #: The name, where asking for it is not meant to start anything.
        self.known_name: str | None = None
        self._wanted = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take a name in the layer."""
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        if self.view is not None:
            self.known_name = await self.view.new_channel()

    @property
    def name(self) -> str:
        """The name, for `group_add` and for `channel_layer.send`.

        Raises:
            ConfigurationError: There is no channel layer.
        """
        if self.known_name is None:
            consumer = type(self.connection.consumer).__qualname__
            raise ConfigurationError(f"{consumer} uses groups: set CHANNEL_LAYERS.")
        if not self._wanted:
            self._wanted = True
            # A sync action asks from a worker thread; and no call's context is an event's.
            self._loop.call_soon_threadsafe(self._start, self.known_name, context=self._context)
        return self.known_name

    def _start(self, name: str) -> None:
        if self._task is None and not self._closed:  # two threads may have asked at once
            self._task = asyncio.create_task(self._listen(name))

    async def join_own_groups(self) -> None:
        """Join the groups that the consumer names."""
        for group in _own_groups(self.connection.consumer):
            name = self.name  # first, for it says what is missing where there is no layer
            await self.view.group_add(group, name)

    async def stop(self) -> None:
        """Stop listening; whoever asks for the name from now on starts nothing."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def leave(self) -> None:
        """Leave the groups that are left, each whatever becomes of the others."""
        async with AsyncExitStack() as steps:
            for group in list(self.groups):
                steps.push_async_callback(self.view.group_discard, group, self.known_name)

    async def _listen(self, name: str) -> None:
        pause = 0.1
        while True:
            try:
                message = await self.view.receive(name)
                pause = 0.1
            except Exception:
                logger.exception("The channel layer failed; asking again in %.1f s", pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
                continue
            await events.deliver(self.connection, message)


def _own_groups(consumer: Any) -> Iterator[str]:
    yield from consumer.groups
    lookups = consumer.group_send_lookup_kwargs or ()
    captured = consumer.scope.get("url_route", {}).get("kwargs", {})
    for lookup in (lookups,) if isinstance(lookups, str) else lookups:
        if lookup in captured:
            yield group_name(lookup, captured[lookup])
