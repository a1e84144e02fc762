"""Who is let in: everything that can refuse a connection stands before its accept."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from django.core.exceptions import SynchronousOnlyOperation

from aaah_core import census, leaving, people
from aaah_core.close_codes import CloseCode
from aaah_core.counters import count
from aaah_core.logs import repeated
from aaah_core.moments import blame, granted
from aaah_core.refusals import status_of
from aaah_core.workers import run_sync

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["admits", "ask_again"]

logger = logging.getLogger("aaah.connection")


async def admits(connection: Connection) -> bool:
    """Return whether a client may connect; who may not is refused, who may has a codec."""
    message = await connection.transport.receive()
    if message["type"] != "websocket.connect":
        return False
    leaving.prepare()
    if leaving.began():
        count("refused", "leaving")
        await _turn_away(connection)
        return False
    return await _is_let_in(connection)


async def ask_again(connection: Connection) -> None:
    """Close a connection unless its user, who has changed, may have it."""
    code = CloseCode.REFUSED
    permitted = False
    try:
        async with asyncio.timeout(connection.plan.limits.deadline):
            if not await _counted(connection):
                code = CloseCode.OVERLOADED
            else:
                permitted = await _permitted(connection)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a no
        told = "Error %s: %s ends a connection: what it asked raised"
        connection.log(error, told, connection.name)
    if not permitted:
        connection.transport.expel(code)


async def _is_let_in(connection: Connection) -> bool:
    consumer, plan = connection.consumer, connection.plan
    codec, code, reason = None, CloseCode.REFUSED, "codec"
    permitted = False
    try:
        async with asyncio.timeout(plan.limits.deadline):
            if not await _counted(connection):
                code = CloseCode.OVERLOADED
            else:
                codec = plan.select_codec(consumer.scope)
                permitted = codec is not None and await _permitted(connection)
                reason = "codec" if codec is None else "denied"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is refused
        reason = "error"
        told = "Error %s: %s refuses a connection: what it asked raised"
        connection.log(error, told, connection.name)
    if codec is None or not permitted:
        if code is CloseCode.REFUSED:
            count("refused", reason)
        await connection.transport.close(code)
        return False
    if connection.transport.ended is not None:
        return False  # its user's session ended meanwhile
    connection.codec = codec
    if codec.subprotocol in (consumer.scope.get("subprotocols") or ()):
        connection.subprotocol = codec.subprotocol
    return True


async def _turn_away(connection: Connection) -> None:
    """Refuse a client whom the next server may have, in HTTP's words where ours can."""
    transport = connection.transport
    if "websocket.http.response" not in (connection.consumer.scope.get("extensions") or {}):
        await transport.close(CloseCode.GOING_AWAY)
        return
    # The server says its length: uvicorn before 0.53 does beside us, and nobody takes it twice.
    headers = [(b"retry-after", b"1")]
    start = {"type": "websocket.http.response.start", "status": 503, "headers": headers}
    await transport.send(start)
    await transport.send({"type": "websocket.http.response.body", "body": b""})


async def _counted(connection: Connection) -> bool:
    """Count a connection, as its user's, and return whether there is room for it."""
    scope = connection.consumer.scope
    connection.user = scope.get("user")
    try:
        key = getattr(connection.user, "pk", None)
    except SynchronousOnlyOperation:  # a lazy one, which asks the database
        key = await run_sync(getattr, connection.user, "pk", None)
    await _watch(connection)
    place = census.place(scope, key)
    if place == connection.place:
        return True
    if connection.place is not None:
        census.leave(connection.place)
        connection.place = None
    full = census.enter(place, connection.plan.limits)
    if full is not None:
        count("refused", full)
        if repeated(type(connection.consumer), full)[1] is not None:
            name = connection.name
            logger.info("%s refuses a connection: the limit %r is reached", name, full)
        return False
    connection.place = place
    return True


async def _watch(connection: Connection) -> None:
    """Let whoever keeps an eye on users do so on its own, and on no other any more."""
    if connection.person is not None and connection.person != people.name_for(connection):
        await people.forget(connection)
    people.watch(connection)


async def _permitted(connection: Connection) -> bool:
    arguments = (connection.consumer.scope, connection.consumer)
    for moment in connection.plan.connect_guard:
        try:
            asked = moment.ask(*arguments) if moment.awaited else run_sync(moment.ask, *arguments)
            permitted = granted(await asked, moment.source, connection.consumer.scope)
        except Exception as error:
            if status_of(error) not in (401, 403):
                blame(error, moment.source)
                raise
            permitted = False
        if not permitted:
            if repeated(type(connection.consumer), moment.source)[1] is not None:
                logger.info("%s denies a connection: %s says no", connection.name, moment.source)
            return False
    return True
