"""What the channel layer brings: events for the client, and Channels' event methods."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from msgspec.msgpack import Encoder, decode

from aaah_core.counters import count
from aaah_core.event_checks import Asked, asked_about, permitted
from aaah_core.logs import log_error
from aaah_core.messages import Event
from aaah_core.mistakes import require_frame
from aaah_core.outcome import FAILURES
from aaah_core.running import current_task
from aaah_core.shaping import shaped

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = [
    "TYPE",
    "VERSION",
    "Queue",
    "deliver",
    "hold",
    "resync",
    "settled",
    "understood",
]

logger = logging.getLogger("aaah.events")

#: The type of the layer messages that carry an `Event`.
TYPE = "aaah.event"
#: Their form. Processes of several releases may share a layer while they are replaced.
VERSION = 1
#: What members are told who may have missed something.
RESYNC = "aaah.resync"

# What was logged already: a member of each class would say the same for each message.
_logged: set[tuple[object, ...]] = set()
_LOGGED = 1_000

#: For the size of a message; what only an in-memory layer carries counts as nothing.
_measured = Encoder(enc_hook=lambda value: None).encode

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


def deliver(
    audiences: Iterable[Mapping[Connection, None]],
    message: dict[str, Any],
    group: str | None = None,
) -> None:
    """Give a layer's message to connections; whatever goes wrong, they live.

    Frames go straight out. Methods run in the task of their connection, and so do checks: neither
    delays another connection.

    Args:
        audiences: Connections, by plan and codec.
        message: The layer's.
        group: The group it was sent to; None where it came through a connection's own channel.
    """
    frames: dict[tuple[int, int], str | bytes | None] = {}
    for members in [list(audience) for audience in audiences]:
        count("events", "delivered", len(members))
        try:
            _give(members, message, group, frames)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next message comes
            _failed(members[0], message, error)


def understood(message: Mapping[str, Any]) -> bool:
    """Return whether an event has a form that is known here; what has not is logged, once."""
    version = message.get("v", VERSION)
    if isinstance(version, int) and version <= VERSION:
        return True
    if _first(repr(version)[:100]):
        logger.error(
            "Events come in form %.100r, and this process knows forms up to %d: their members are "
            "told to resync. Update it.",
            version,
            VERSION,
        )
    return False


def resync(audiences: Iterable[Mapping[Connection, None]], group: str) -> None:
    """Tell the members of a group that they may have missed something.

    It says nothing that a check would keep from anybody, so none is asked.
    """
    event = Event(RESYNC, group=group)
    frames: dict[tuple[int, int], str | bytes | None] = {}
    for members in [list(audience) for audience in audiences]:
        try:
            frame = _frame(members[0], event, frames)
            if frame is not None:
                message = {"type": RESYNC}
                _push(members, Delivery(message, event, frame, [], _size(message, frame), group))
                count("events", "resync", len(members))
        except Exception as error:  # noqa: BLE001 - as in `deliver`
            _failed(members[0], {"type": RESYNC}, error)


def _first(*what: object) -> bool:
    """Return whether this is to be logged: it was not, and it is not one of too many."""
    if what in _logged or len(_logged) >= _LOGGED:
        return False
    _logged.add(what)
    return True


def _give(
    members: list[Connection],
    message: dict[str, Any],
    group: str | None,
    frames: dict[tuple[int, int], str | bytes | None],
) -> None:
    plan, consumer = members[0].plan, members[0].consumer
    event = _event(message) if message["type"] == TYPE else None
    frame = None
    if consumer.event_method(message["type"] if event is None else event.name) is None:
        if event is None:
            name, kind = type(consumer).__qualname__, message["type"]
            if _first(type(consumer), kind):
                logger.warning("%s has no method for events of type %.100r", name, kind)
            return
        frame = _frame(members[0], event, frames)
        if frame is None:
            return
    asked = [] if event is None else asked_about(plan, message)
    delivery = Delivery(message, event, frame, asked, _size(message, frame), group)
    if frame is None or any(moments for _, moments in asked):
        for member in members:
            _queue(member, delivery)
        return
    _push(members, delivery)


def _push(members: list[Connection], delivery: Delivery) -> None:
    frame = cast("str | bytes", delivery.frame)
    for member in members:
        if member.events is None:
            member.transport.push(frame)
        else:
            member.events.put(delivery)


def _size(message: dict[str, Any], frame: str | bytes | None) -> int:
    data = message.get("data") if frame is None else frame
    if type(data) is bytes:
        return len(data)
    if type(data) is str:
        return len(data) if data.isascii() else len(data.encode("utf-8", "surrogatepass"))
    try:
        return len(_measured(message))
    except Exception:  # noqa: BLE001 - no layer between processes carries it
        return 0


def _event(message: dict[str, Any]) -> Event:
    event = Event(**{name: value for name, value in message.items() if name in _FIELDS})
    if type(event.data) is bytes:  # as `apublish` sends it
        event.data = decode(event.data)
    return event


def _frame(
    member: Connection, event: Event, frames: dict[tuple[int, int], str | bytes | None]
) -> str | bytes | None:
    plan, codec = member.plan, member.codec
    key = id(plan.shape), id(codec)
    if key not in frames:
        payload = shaped(plan, None, event)
        frames[key] = None if payload is None else require_frame(plan, codec, codec.encode(payload))
    return frames[key]


def _queue(member: Connection, delivery: Delivery) -> None:
    if member.events is not None:
        member.events.put(delivery)
    elif member.hears:
        Queue(member, delivery)  # which is the member's from now on


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
        _failed(connection, delivery.message, error)


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
        given: Any = deepcopy(delivery.message) if event is None else _event(delivery.message)
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


def _failed(connection: Connection, message: dict[str, Any], error: BaseException) -> None:
    name, kind = type(connection.consumer).__qualname__, message.get("type")
    kind = message.get("name", kind) if kind == TYPE else kind
    told = "Error %s: an event of type %.100r failed in %s"
    log_error(logger, error, told, kind, name, consumer=connection.consumer)
