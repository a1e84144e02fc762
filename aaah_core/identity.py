"""What a connection keeps when its user becomes another, or has other rights."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aaah_core import deliveries
from aaah_core.close_codes import CloseCode
from aaah_core.logs import log_error
from aaah_core.messages import MISSING, OBJECTS, Call, Event, current_call
from aaah_core.refusals import status_of
from aaah_core.shaping import shaped

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.handlers import AsyncActionHandler

__all__ = ["UNSUBSCRIBED", "begin", "settle_all", "settled", "stands"]

logger = logging.getLogger("aaah.identity")

#: The event that tells a client that a membership of its ended.
UNSUBSCRIBED = "aaah.unsubscribed"

#: How many connections are asked about what they may keep at once.
ABREAST = 32

#: Seconds after which the next are asked whatever these do.
PATIENCE = 5.0


def begin(connection: Connection, *, admit: bool = True) -> None:
    """Begin to ask for all that the connection's user may have, and to end what is refused.

    Until that is done, nothing that a group is sent reaches the connection.

    Args:
        connection: Whose user may have changed.
        admit: Whether to ask about the connection itself, too.
    """
    if not connection.hears:
        return
    connection.changes += 1
    connection.unadmitted |= admit
    connection.user = connection.consumer.scope.get("user")
    if connection.settling is None:
        # Made by hand, as a loop may be set to begin the tasks that it makes at once.
        loop = asyncio.get_running_loop()
        connection.settling = asyncio.Task(_settle(connection), loop=loop)
        if connection.joined is not None:
            deliveries.hold(connection)


async def settled(connections: Iterable[Connection], seconds: float | None = None) -> None:
    """Wait until everything is asked for several connections, or for so many seconds at most."""
    settling = [each.settling for each in connections if each.settling is not None]
    if settling:
        await asyncio.wait(settling, timeout=seconds)


async def settle_all(changed: dict[Connection, bool]) -> None:
    """Ask what connections may keep, and with those that say so whether they may stay at all."""
    while changed:
        some = [changed.popitem() for _ in range(min(len(changed), ABREAST))]
        for connection, admit in some:
            begin(connection, admit=admit)
        # Whose checks hang hears of no group, and keeps nobody else waiting.
        await settled((connection for connection, _ in some), PATIENCE)


async def _settle(connection: Connection) -> None:
    try:
        settled = -1
        while settled != connection.changes and connection.transport.ended is None:
            settled = connection.changes
            if connection.unadmitted:
                connection.unadmitted = False
                await connection.admit()
            await _ask_again(connection)
    except Exception as error:  # noqa: BLE001 - what was not asked may not be kept
        told = "Error %s: a connection could not settle what its user may have: it is closed"
        log_error(logger, error, told, consumer=connection.consumer)
        connection.transport.expel(CloseCode.GOING_AWAY)
    finally:
        connection.settling = None


async def _ask_again(connection: Connection) -> None:
    if connection.joined is None:
        return
    for call in dict.fromkeys(connection.joined.groups.values()):
        if connection.transport.ended is not None:
            return
        if call is not None and not await stands(call):
            await _end(connection, call)


async def _end(connection: Connection, call: Call) -> None:
    """Let a connection leave the groups that a call joined, and tell its client."""
    membership = connection.membership
    lost = [group for group, joined_by in membership.groups.items() if joined_by is call]
    membership.lost |= {*lost}  # from now on, nothing of them reaches the client
    for group in lost:
        del membership.groups[group]
    _tell(connection, call)
    for group in lost:
        try:
            await membership.leave(group)
        except Exception as error:  # noqa: BLE001 - a layer has its own
            told = "Error %s: a connection could not leave a group"
            log_error(logger, error, told, consumer=connection.consumer)


def _tell(connection: Connection, call: Call) -> None:
    request_id = None if call.request_id is MISSING else call.request_id
    data = {"action": call.action, "route": call.route, "request_id": request_id}
    payload = shaped(connection.plan, None, Event(UNSUBSCRIBED, data, 403))
    if payload is not None:
        connection.transport.push(connection.codec.encode(payload))


async def stands(call: Call) -> bool:
    """Return whether a call that has joined a group would be let in by now.

    What fails, or takes longer than a call may, is a no.
    """
    again = _afresh(call)
    handler = again.handler
    outer = current_call.set(again)
    try:
        async with asyncio.timeout(handler._plan.limits.deadline):
            if not await handler._plan.member_guard.allows(handler, again):
                return False
            for obj in call.state.get(OBJECTS, ()):
                if not await handler._plan.object_guard.allows(handler, again, obj):
                    return False
            return True
    except Exception as error:  # noqa: BLE001 - whatever fails is a no
        if status_of(error) >= 500:
            told = "Error %s: a check of %.100r failed: its groups are left"
            log_error(logger, error, told, call.action)
        return False
    finally:
        current_call.reset(outer)


def _afresh(call: Call) -> Call:
    """Return a call as it came, with handlers that know nothing of the user it was checked for."""
    again = copy.copy(call)
    again.state = {}
    again.handler = _handler_afresh(call.handler, again)
    return again


def _handler_afresh(handler: AsyncActionHandler, call: Call) -> AsyncActionHandler:
    if handler.parent is None:
        return handler  # the consumer
    fresh = type(handler)()
    fresh._plan = handler._plan
    fresh.call = call
    fresh.args, fresh.kwargs = handler.args, handler.kwargs
    fresh.parent = _handler_afresh(handler.parent, call)
    return fresh
