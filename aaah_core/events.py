"""What the channel layer brings: events for the client, and Channels' event methods."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from msgspec.msgpack import Encoder

from aaah_core.counters import count
from aaah_core.deliveries import TYPE, Delivery, Queue, event_of, failed
from aaah_core.event_checks import asked_about
from aaah_core.messages import Event
from aaah_core.mistakes import require_frame
from aaah_core.shaping import shaped

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["TYPE", "VERSION", "deliver", "resync", "understood"]

logger = logging.getLogger("aaah.events")

#: The form of the layer messages of `TYPE`. Processes of several releases may share a layer while
#: they are replaced.
VERSION = 1
#: What members are told who may have missed something.
RESYNC = "aaah.resync"

# What was logged already: a member of each class would say the same for each message.
_logged: set[tuple[object, ...]] = set()
_LOGGED = 1_000

#: For the size of a message; what only an in-memory layer carries counts as nothing.
_measured = Encoder(enc_hook=lambda value: None).encode


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
            failed(members[0], message, error)


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
            failed(members[0], {"type": RESYNC}, error)


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
    event = event_of(message) if message["type"] == TYPE else None
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
