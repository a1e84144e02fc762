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
    group: str, name: str, data: Any = None, *, status: int = 200, request_id: Any = None
) -> None:
    """Send an event to every connection in a group, in whichever process it is.

    Args:
        group: The group, as its members joined it.
        name: The event's name.
        data: What it carries.
        status: Its status.
        request_id: The `request_id` of the call that caused it.

    Raises:
        ConfigurationError: There is no channel layer.
        EncodeError: The data holds a value that cannot be carried.
    """
    layer = get_channel_layer()
    if layer is None:
        raise ConfigurationError("Events need a channel layer: set CHANNEL_LAYERS.")
    message = {"name": name, "data": to_plain(data), "status": status, "request_id": request_id}
    await layer.group_send(group, {"type": events.TYPE, "group": group, **message})


def publish(
    group: str, name: str, data: Any = None, *, status: int = 200, request_id: Any = None
) -> None:
    """Do what `apublish` does, from sync code."""
    async_to_sync(apublish)(group, name, data, status=status, request_id=request_id)


class LayerChannel:
    """The channel of one connection in the channel layer, and the groups it joined.

    It is listened to from the first time that somebody reads its name: who joins no group pays for
    none.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._layer: Any = get_channel_layer(connection.consumer.channel_layer_alias)
        self._name: str | None = None
        self._wanted = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._groups: list[str] = []

    async def open(self) -> None:
        """Take a name in the layer."""
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        if self._layer is not None:
            self._name = await self._layer.new_channel()

    @property
    def name(self) -> str:
        """The name, for `group_add` and for `channel_layer.send`.

        Raises:
            ConfigurationError: There is no channel layer.
        """
        if self._name is None:
            consumer = type(self.connection.consumer).__qualname__
            raise ConfigurationError(f"{consumer} uses groups: set CHANNEL_LAYERS.")
        if not self._wanted:
            self._wanted = True
            # A sync action asks from a worker thread; and no call's context is an event's.
            self._loop.call_soon_threadsafe(self._start, self._name, context=self._context)
        return self._name

    def _start(self, name: str) -> None:
        if not self._closed:
            self._task = asyncio.create_task(self._listen(name))

    async def join_own_groups(self) -> None:
        """Join the groups that the consumer names."""
        for group in _own_groups(self.connection.consumer):
            name = self.name  # first, for it says what is missing where there is no layer
            await self._layer.group_add(group, name)
            self._groups.append(group)

    async def close(self) -> None:
        """Stop listening and leave the groups, each whatever becomes of the others."""
        self._closed = True  # who asks for the name in `disconnect()` starts nothing
        async with AsyncExitStack() as steps:
            for group in self._groups:
                steps.push_async_callback(self._layer.group_discard, group, self._name)
            if self._task is not None:
                steps.push_async_callback(asyncio.wait, [self._task])
                self._task.cancel()

    async def _listen(self, name: str) -> None:
        pause = 0.1
        while True:
            try:
                message = await self._layer.receive(name)
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
