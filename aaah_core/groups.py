"""Publishing to groups of the channel layer, and their names."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import AsyncToSync, async_to_sync
from channels.layers import get_channel_layer
from django.db import connections
from msgspec.msgpack import encode

from aaah_core import conf, events
from aaah_core.counters import count
from aaah_core.errors import ConfigurationError, Unpublished
from aaah_core.event_checks import handler_name, parent_names
from aaah_core.hubs import is_lost, loop_of
from aaah_core.layers import in_memory, is_quick, require_group_name, within
from aaah_core.logs import log_error
from aaah_core.messages import MISSING, Call
from aaah_core.numbering import Line, Lines, lines_of_loop, lines_of_thread
from aaah_core.plain import to_plain
from aaah_core.workers import run_sync

__all__ = ["apublish", "group_name", "publish"]

logger = logging.getLogger("aaah.hub")

#: Seconds that a layer may take which is known to be away.
AWAY = 0.5


def group_name(*parts: object) -> str:
    """Return the name of a group made from values, a client's too.

    Layers allow only some characters and 99 of them, so the parts are hashed: two lists of parts
    give one name only where they are the same, which joining them with a dash would not.
    """
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return f"aaah.{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


async def apublish(
    group: str,
    name: str,
    data: Any = None,
    *,
    status: int = 200,
    call: Call | None = None,
    on_commit: bool = True,
) -> None:
    """Send an event to every connection in a group, in whichever process it is.

    Args:
        group: The group, as its members joined it.
        name: The event's name.
        data: What it carries, as it is now.
        status: Its status.
        call: The call that broadcasts. Who may not run its action does not get the event.
        on_commit: Where sync code waits for this in a transaction, send once that is committed, and
            not at all if it is rolled back. False sends at once.

    Raises:
        ConfigurationError: There is no channel layer.
        EncodeError: The data holds a value that cannot be carried.
        TypeError: No group can have that name, or no event.
        Unpublished: The layer is away. After a commit nobody is there to be told: it is logged.
    """
    layer, message = _layer(), _message(group, name, data, status, call)
    if on_commit and getattr(AsyncToSync.executors, "current", None) is not None:
        later = partial(_send_after_commit, partial(_send_from_sync, layer, message))
        if await run_sync(later):  # on the thread that waits: it is that one's transaction
            return
    await _send(layer, message, lines_of_loop())


def publish(
    group: str,
    name: str,
    data: Any = None,
    *,
    status: int = 200,
    call: Call | None = None,
    on_commit: bool = True,
) -> None:
    """Do what `apublish` does, from sync code: a view, a signal, a task, a shell.

    Raises:
        RuntimeError: An event loop runs in this thread, which would wait for itself.
    """
    if _in_loop():
        raise RuntimeError("An event loop runs in this thread: await apublish() instead.")
    layer, message = _layer(), _message(group, name, data, status, call)
    send = partial(_send_from_sync, layer, message)
    if not (on_commit and _send_after_commit(send)):
        send()


def _layer() -> Any:
    layer = get_channel_layer()
    if layer is None:
        raise ConfigurationError("Events need a channel layer: set CHANNEL_LAYERS.")
    return layer


def _message(group: str, name: str, data: Any, status: int, call: Call | None) -> dict[str, Any]:
    given: Any = name
    if not isinstance(given, str):
        kind = type(given).__name__
        raise TypeError(
            f"The name of an event is text, and not {kind}: publish(group, name, data)."
        )
    message = {"type": events.TYPE, "v": events.VERSION, "group": group, "name": name}
    # As bytes: a layer in memory copies what it carries level by level.
    message |= {"status": status, "data": encode(to_plain(data, keep_bytes=True))}
    return message if call is None else message | _source(call)


def _source(call: Call) -> dict[str, Any]:
    return {
        "action": call.action,
        "handler": handler_name(type(call.handler)),
        "parents": parent_names(call.handler),
        "request_id": None if call.request_id is MISSING else call.request_id,
    }


async def _send(layer: Any, message: dict[str, Any], lines: Lines) -> None:
    sending = _send_in_line(layer, message, lines[message["group"]])
    try:
        if is_quick(layer):
            await sending
        else:
            await within(sending, AWAY if is_lost(layer) else None, "group_send")
    except Exception as error:
        require_group_name(layer, message["group"])
        count("events", "unpublished")
        raise Unpublished from error


async def _send_in_line(layer: Any, message: dict[str, Any], line: Line) -> None:
    async with line.lock:
        # Numbered also if it fails: members learn of it by what comes next.
        await layer.group_send(message["group"], message | line.next())
    count("events", "published")


def _send_from_sync(layer: Any, message: dict[str, Any]) -> None:
    loop, lines = loop_of(layer) if in_memory(layer) else None, lines_of_thread()
    if loop is None:
        async_to_sync(_send_for_sync)(layer, message, lines)
        return
    # Queues in memory belong to the loop that reads them.
    future = asyncio.run_coroutine_threadsafe(_send_for_sync(layer, message, lines), loop)
    try:
        future.result(conf.current().LAYER_TIMEOUT)
    except TimeoutError as error:
        future.cancel()
        raise Unpublished from error


async def _send_for_sync(layer: Any, message: dict[str, Any], lines: Lines) -> None:
    # A loop that was made for this message ends with it: its thread's numbers go on.
    ends = asyncio.get_running_loop() in AsyncToSync.loop_thread_executors
    await _send(layer, message, lines if ends else lines_of_loop())


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _send_after_commit(send: Callable[[], None]) -> bool:
    """Return whether it is sent later: after the transactions that are open in this thread."""
    for connection in connections.all(initialized_only=True):
        # A test's own transaction is never committed: what is tested knows nothing of it.
        if not all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            connection.on_commit(partial(_committed, send))
            return True
    return False


def _committed(send: Callable[[], None]) -> None:
    if _send_after_commit(send):  # a transaction of another database is open still
        return
    try:
        send()
    except (Unpublished, TypeError) as error:
        log_error(logger, error, "Error %s: an event could not be published after a commit")
