"""What the channel layer brings: events for the client, and Channels' event methods."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aaah_core.dispatch import FAILURES
from aaah_core.messages import Call, Event
from aaah_core.moments import granted
from aaah_core.running import current_task
from aaah_core.workers import run_sync

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.handlers import AsyncActionHandler
    from aaah_core.plan import Plan

__all__ = ["TYPE", "deliver", "handler_name"]

logger = logging.getLogger("aaah")

#: The type of the layer messages that carry an `Event`.
TYPE = "aaah.event"

_FIELDS = frozenset(Event.__struct_fields__)


async def deliver(connection: Connection, message: dict[str, Any]) -> None:
    """Give a layer's message to its connection; whatever goes wrong, the connection lives.

    A frame goes straight out. A method runs beside neither `connect()` nor an action.
    """
    try:
        kind = message["type"]
        event = _event(message) if kind == TYPE else None
        method = connection.consumer.event_method(kind if event is None else event.name)
        if event is not None and method is None and connection.transport.accepted:
            await _send_event(connection, event, message)
        else:
            async with connection.turns.event():
                await _in_turn(connection, method, event, message)
    except FAILURES as error:
        if isinstance(error, asyncio.CancelledError) and current_task().cancelling():
            raise
        name = type(connection.consumer).__qualname__
        logger.exception("An event of type %.100r failed in %s", message.get("type"), name)


def _event(message: dict[str, Any]) -> Event:
    return Event(**{name: value for name, value in message.items() if name in _FIELDS})


async def _in_turn(
    connection: Connection,
    method: Callable[[Any], Awaitable[None]] | None,
    event: Event | None,
    message: dict[str, Any],
) -> None:
    if not connection.transport.accepted or connection.transport.ended is not None:
        return
    if method is None:
        if event is not None:
            await _send_event(connection, event, message)
            return
        name = type(connection.consumer).__qualname__
        logger.warning("%s has no method for events of type %.100r", name, message["type"])
        return
    async with asyncio.timeout(connection.plan.limits.deadline):
        if event is None:
            await method(message)
        elif await _permitted(connection, event, message):
            await method(event)


async def _send_event(connection: Connection, event: Event, message: dict[str, Any]) -> None:
    if not await _permitted(connection, event, message):
        return
    payload = connection.plan.shape(None, event)
    if payload is not None:
        await connection.transport.send_frame(connection.codec.encode(payload))


async def _permitted(connection: Connection, event: Event, message: dict[str, Any]) -> bool:
    """Ask the checks of the handler whose action broadcast the event, and of its parents."""
    consumer = connection.consumer
    action = message.get("action") or event.name
    subscription = Call(action, scope=consumer.scope, consumer=consumer, handler=consumer)
    lineage = _lineage(connection.plan, message.get("handler"))
    for plan in lineage:
        subscription.handler = _stand_in(plan, subscription)
        default = plan.default_moments if plan is lineage[-1] else []
        for moments in (*plan.moments, *default):
            if (moment := moments["event"]) is None:
                continue
            arguments = (subscription, event)
            asked = moment.ask(*arguments) if moment.awaited else run_sync(moment.ask, *arguments)
            if not granted(await asked):
                return False
    return True


def _lineage(plan: Plan, handler: str | None) -> list[Plan]:
    """Return the plans on the way to a handler, by its name; the consumer's where it has none."""
    if handler is None or handler_name(plan.handler_class) == handler:
        return [plan]
    for child in plan.children.values():
        below = _lineage(child, handler)
        if handler_name(below[-1].handler_class) == handler:
            return [plan, *below]
    return [plan]


def _stand_in(plan: Plan, subscription: Call) -> AsyncActionHandler:
    if plan.parent is None:
        return subscription.consumer
    handler = plan.handler_class()
    handler._plan = plan
    handler.call = subscription
    handler.parent = subscription.handler
    return handler


def handler_name(handler_class: type[Any]) -> str:
    """Return what the handler of a broadcast is called in a layer's message."""
    return f"{handler_class.__module__}.{handler_class.__qualname__}"
