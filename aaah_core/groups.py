"""Publishing to groups of the channel layer, and their names."""

from __future__ import annotations

import hashlib
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from msgspec.msgpack import encode

from aaah_core import events
from aaah_core.errors import ConfigurationError
from aaah_core.messages import MISSING, Call
from aaah_core.plain import to_plain

__all__ = ["apublish", "group_name", "publish"]


def group_name(*parts: object) -> str:
    """Return the name of a group made from values, a client's too.

    Layers allow only some characters and 99 of them, so the parts are hashed: two lists of parts
    give one name only where they are the same, which joining them with a dash would not.
    """
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    return f"aaah.{hashlib.sha256(text.encode()).hexdigest()[:40]}"


async def apublish(
    group: str, name: str, data: Any = None, *, status: int = 200, call: Call | None = None
) -> None:
    """Send an event to every connection in a group, in whichever process it is.

    Args:
        group: The group, as its members joined it.
        name: The event's name.
        data: What it carries.
        status: Its status.
        call: The call that broadcasts. Who may not run its action does not get the event.

    Raises:
        ConfigurationError: There is no channel layer.
        EncodeError: The data holds a value that cannot be carried.
    """
    layer = get_channel_layer()
    if layer is None:
        raise ConfigurationError("Events need a channel layer: set CHANNEL_LAYERS.")
    message = {"type": events.TYPE, "group": group, "name": name, "status": status}
    # As bytes: a layer in memory copies what it carries level by level.
    message |= {"data": encode(to_plain(data)), **(_source(call) if call is not None else {})}
    await layer.group_send(group, message)


def publish(
    group: str, name: str, data: Any = None, *, status: int = 200, call: Call | None = None
) -> None:
    """Do what `apublish` does, from sync code."""
    async_to_sync(apublish)(group, name, data, status=status, call=call)


def _source(call: Call) -> dict[str, Any]:
    return {
        "action": call.action,
        "handler": events.handler_name(type(call.handler)),
        "request_id": None if call.request_id is MISSING else call.request_id,
    }
