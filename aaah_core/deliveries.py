"""What waits for one connection: deliveries that a check or an event method has to see first."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.msgpack import decode

from aaah_core.event_checks import Asked, permitted
from aaah_core.logs import log_error
from aaah_core.messages import Event
from aaah_core.outcome import FAILURES
from aaah_core.running import current_task

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["TYPE", "Delivery", "Queue", "event_of", "failed", "hold", "settled"]

logger = logging.getLogger("aaah.events")

#: The type of the layer messages that carry an `Event`.
TYPE = "aaah.event"

_FIELDS = frozenset(Event.__struct_fields__)


@dataclass(slots=True, frozen=True)
class Delivery:
    """A message for connections of one plan and codec, with what is the same for all of them."""

    message: dict[str, Any]
    #: None where another's plain `group_send` calls a method.
    event: Event | None
    #: What goes out; None where a method is called.
    frame: str | bytes | None
    asked: Asked
    #: Bytes, about, that it takes while it waits.
    size: int
    #: The group it came through; None where it came through a connection's own channel.
    group: str | None


class Queue:
    """What a connection has to do with deliveries that cannot go straight out, in order.

    It lives, and its task with it, as long as there are any, or may be some: while the
    connection's memberships are asked for again, whatever comes waits here.
    """

    __slots__ = ("_connection", "_size", "_waiting", "task")

    def __init__(self, connection: Connection, *first: Delivery) -> None:
        self._connection = connection
        self._waiting = deque(first)
        self._size = sum(delivery.size for delivery in first)
        connection.events = self  # before the task: some loops begin it, and may end it, at once
        # No call's context is an event's.
        self.task = asyncio.create_task(self._run(), context=connection.context)

    def put(self, delivery: Delivery) -> None:
        """Let a delivery wait; who lags too far behind is closed."""
        limits, size = self._connection.plan.limits, self._size + delivery.size
        if len(self._waiting) < limits.outbox and size <= limits.outbox_bytes:
            self._waiting.append(delivery)
            self._size = size
        else:
            self._connection.transport.overload()

    async def _run(self) -> None:
        try:
            while self._waiting or self._connection.settling is not None:
                await settled(self._connection)
                if self._waiting:
                    delivery = self._waiting.popleft()
                    self._size -= delivery.size
                    await _run(self._connection, delivery)
        finally:
            self._connection.events = None


async def settled(connection: Connection) -> None:
    """Wait until a connection's memberships are those that its user may have."""
    if connection.settling is not None:
        await asyncio.wait([connection.settling])


def hold(connection: Connection) -> None:
    """Let nothing reach a connection until its memberships are settled."""
    if connection.events is None and connection.hears:
        Queue(connection)


def event_of(message: dict[str, Any]) -> Event:
    """Return the event that a layer's message of `TYPE` carries."""
    event = Event(**{name: value for name, value in message.items() if name in _FIELDS})
    if type(event.data) is bytes:  # as `apublish` sends it
        event.data = decode(event.data)
    return event


async def _run(connection: Connection, delivery: Delivery) -> None:
    try:
        if delivery.frame is not None and connection.transport.accepted:
            await _act(connection, delivery)
        else:
            async with connection.turns.event():
                await _act(connection, delivery)
    except FAILURES as error:
        if isinstance(error, asyncio.CancelledError) and current_task().cancelling():
            raise
        failed(connection, delivery.message, error)


async def _act(connection: Connection, delivery: Delivery) -> None:
    transport, event = connection.transport, delivery.event
    if not transport.accepted or transport.ended is not None:
        return
    async with asyncio.timeout(connection.plan.limits.deadline):
        if not await _is_for(connection, delivery):
            return
        if delivery.frame is not None:
            transport.push(delivery.frame)
            return
        # Each has its own, as from the layer: what one changes is nobody else's.
        given: Any = deepcopy(delivery.message) if event is None else event_of(delivery.message)
        name = given["type"] if event is None else event.name
        method = connection.consumer.event_method(name)
        if method is not None:
            await method(given)


async def _is_for(connection: Connection, delivery: Delivery) -> bool:
    """Return whether a connection's user may have what the group was sent, and the event."""
    while True:
        await settled(connection)
        changes = connection.changes
        if connection.joined is not None and delivery.group in connection.joined.lost:
            return False
        event, action = delivery.event, delivery.message.get("action")
        if event is not None and not await permitted(
            connection.consumer, event, action, delivery.asked
        ):
            return False
        if changes == connection.changes:  # or it is another user's by now
            return True


def failed(connection: Connection, message: dict[str, Any], error: BaseException) -> None:
    """Write down that a message could not be given to a connection."""
    name, kind = type(connection.consumer).__qualname__, message.get("type")
    kind = message.get("name", kind) if kind == TYPE else kind
    told = "Error %s: an event of type %.100r failed in %s"
    log_error(logger, error, told, kind, name, consumer=connection.consumer)
