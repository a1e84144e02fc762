"""The end of a connection: nothing of it stays behind, whatever raises and whoever cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from channels.exceptions import StopConsumer

from aaah_core import people
from aaah_core.close_codes import CloseCode
from aaah_core.counters import count
from aaah_core.workers import close_old_async_connections

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["CLEANUP", "clean_up"]

#: Seconds that each step may take.
CLEANUP = 5.0

#: Codes that are counted each on its own: a client may send any.
_CODES = {*CloseCode, 1000, 1001, 1005, 1006, 1011, 1012}


async def clean_up(connection: Connection, connected: bool) -> None:
    """End what a connection runs, and leave what it entered.

    Args:
        connection: It runs in this task.
        connected: Whether it was let in, so that its consumer is to be told.

    Raises:
        CancelledError: Somebody cancelled the task meanwhile.
    """
    cancelled = await _shielded(_step(connection, "end its calls", connection.calls.end))
    if connection.contexts is not None:
        try:
            # In this task, which entered them.
            leave = connection.contexts.aclose
            await _step(connection, "leave its connection contexts", leave)
        except asyncio.CancelledError as error:
            cancelled = error
    cancelled = await _shielded(_leave(connection, connected)) or cancelled
    if cancelled is not None:
        raise cancelled


async def _leave(connection: Connection, connected: bool) -> None:
    step = partial(_step, connection)
    await step("stop listening", partial(_stop_listening, connection))
    if connection.person is not None:
        await step("forget its user", partial(people.forget, connection))
    if connected:
        code = connection.transport.ended or 1006
        if connection.transport.accepted:
            count("closed", str(code) if code in _CODES else "other")
        else:
            count("refused", "consumer")
        await step("disconnect", partial(connection.consumer.disconnect, code))
    if connection.joined is not None:
        await step("leave its groups", connection.joined.leave_all)
    await connection.transport.flush()
    if connected:
        await step("close old database connections", close_old_async_connections)


async def _stop_listening(connection: Connection) -> None:
    connection.hears = False
    if connection.settling is not None:
        connection.settling.cancel()
        await asyncio.wait([connection.settling])
    if connection.events is not None:
        task = connection.events.task
        task.cancel()
        await asyncio.wait([task])
    if connection.joined is not None:
        await connection.joined.stop()


async def _step(connection: Connection, what: str, work: Callable[[], Awaitable[Any]]) -> None:
    try:
        async with asyncio.timeout(CLEANUP):
            await work()
    except StopConsumer:
        pass  # as Channels' own consumers end
    except Exception as error:  # noqa: BLE001 - the next step must be taken
        connection.log(error, "Error %s: %s could not %s", connection.name, what)


async def _shielded(work: Coroutine[Any, Any, None]) -> asyncio.CancelledError | None:
    """Do work to its end, and return the cancel that came meanwhile."""
    task = asyncio.create_task(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
