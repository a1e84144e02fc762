"""What the channel layer brings: events for the client, and Channels' event methods."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aaah_core.messages import Call, Event
from aaah_core.running import current_task
from aaah_core.workers import run_sync

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.consumers import AsyncAPIConsumer

__all__ = ["TYPE", "deliver"]

logger = logging.getLogger("aaah")

#: The type of the layer messages that carry an `Event`.
TYPE = "aaah.event"


async def deliver(connection: Connection, message: dict[str, Any]) -> None:
    """Give a layer's message to its connection; whatever goes wrong, the connection lives.

    Neither `connect()` nor an action runs beside it.
    """
    async with connection.turns.event():
        if not connection.accepted or connection.ended is not None:
            return
        try:
            if message["type"] == TYPE:
                await _send_event(connection, message)
            else:
                await _call_method(connection.consumer, message)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and current_task().cancelling():
                raise
            kind = type(connection.consumer).__qualname__
            logger.exception("An event of type %.100r failed in %s", message.get("type"), kind)


async def _send_event(connection: Connection, message: dict[str, Any]) -> None:
    fields = {name: value for name, value in message.items() if name != "type"}
    event = Event(**fields)
    consumer = connection.consumer
    if not await _permitted(connection, event):
        return
    method = consumer.event_method(event.name)
    if method is not None:
        await method(event)
        return
    payload = connection.plan.shape(None, event)
    if payload is not None:
        await connection.send_frame(connection.codec.encode(payload))


async def _permitted(connection: Connection, event: Event) -> bool:
    consumer = connection.consumer
    subscription = Call(event.name, scope=consumer.scope, consumer=consumer, handler=consumer)
    for moments in connection.plan.moments:
        moment = moments["event"]
        if moment is None:
            continue
        arguments = (subscription, event)
        asked = moment.ask(*arguments) if moment.awaited else run_sync(moment.ask, *arguments)
        if not await asked:
            return False
    return True


async def _call_method(consumer: AsyncAPIConsumer, message: dict[str, Any]) -> None:
    method = consumer.event_method(message["type"])
    if method is None:
        kind = type(consumer).__qualname__
        logger.warning("%s has no method for events of type %.100r", kind, message["type"])
        return
    await method(message)
