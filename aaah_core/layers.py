"""The channel layer as others made it: what it is, and how long a call to it may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from channels.layers import BaseChannelLayer, InMemoryChannelLayer

from aaah_core import conf

__all__ = [
    "capacity",
    "in_memory",
    "is_quick",
    "longest",
    "refresh_every",
    "require_group_name",
    "trap",
    "wires",
    "within",
]

T = TypeVar("T")

#: Seconds between two times that memberships are renewed, at most.
REFRESH = 600.0


async def within(work: Awaitable[T], seconds: float | None = None, what: str = "") -> T:
    """Return what the layer returns, or give it up after ``AAAH["LAYER_TIMEOUT"]`` seconds.

    Args:
        work: A call to the layer.
        seconds: A shorter time.
        what: What is asked of the layer, if not what the call is named.

    Raises:
        TimeoutError: It took longer.
    """
    limit = longest(seconds)
    try:
        async with asyncio.timeout(limit) as waiting:
            return await work
    except TimeoutError:
        if not waiting.expired():
            raise  # the layer's own
        what = what or getattr(work, "__name__", "a call")
        told = f"no answer of the channel layer to {what} within {limit:g} s"
        raise TimeoutError(told) from None


def longest(seconds: float | None) -> float:
    """Return the seconds that a call may take, ``AAAH["LAYER_TIMEOUT"]`` at most."""
    limit = conf.current().LAYER_TIMEOUT
    return limit if seconds is None else min(seconds, limit)


def in_memory(layer: Any) -> bool:
    """Return whether a layer lives in this process, and so cannot be lost."""
    return isinstance(layer, InMemoryChannelLayer)


def is_quick(layer: Any) -> bool:
    """Return whether nothing that a layer is asked can take long: a timeout costs 4 µs."""
    return type(layer) is InMemoryChannelLayer


def capacity(layer: Any) -> int | None:
    """Return how many messages may wait for this process in all; None where that is not bounded."""
    found = None if in_memory(layer) else getattr(layer, "capacity", None)
    return found if isinstance(found, int) else None


def refresh_every(layer: Any) -> float | None:
    """Return after how many seconds memberships are renewed; None where they do not expire."""
    expiry = getattr(layer, "group_expiry", None)
    return None if expiry is None else min(expiry / 3, REFRESH)


def wires(layer: Any) -> list[object]:
    """Return what a layer hears Redis by, where it asks for nothing that was sent meanwhile.

    Each is another object after the connection was lost, and None while it is: redis-py connects
    again by itself, and neither it nor channels_redis tells anybody.
    """
    inner = layer._get_layer() if hasattr(type(layer), "_get_layer") else None
    subscribed = [getattr(shard, "_pubsub", None) for shard in getattr(inner, "_shards", ())]
    return [getattr(getattr(each, "connection", None), "_reader", None) for each in subscribed]


def require_group_name(layer: Any, name: str) -> None:
    """Refuse a name of a group that the layer would refuse.

    Raises:
        TypeError: It has other characters than a layer allows, or too many.
    """
    if isinstance(layer, BaseChannelLayer):
        layer.require_valid_group_name(name)


def trap(layer: Any) -> str | None:
    """Return what is wrong where Redis is given up on while it is only waited for, else None.

    redis-py gives up a command after `socket_timeout`, since its version 8 after 5 seconds; and
    channels_redis lets Redis wait for a message just as long.
    """
    # Of the class: another layer of channels_redis has no attributes where no event loop runs.
    if not hasattr(type(layer), "brpop_timeout"):
        return None
    waits = layer.brpop_timeout
    for index in range(layer.ring_size):
        limit = getattr(layer.create_pool(index).make_connection(), "socket_timeout", None)
        if limit is not None and limit <= waits:
            return (
                f"redis-py gives Redis up after {limit:g} s (socket_timeout), and channels_redis "
                f"waits {waits:g} s for a message: every idle wait ends in an error, and a message "
                f"that comes just then is lost. Set socket_timeout to {3 * waits:g} in each entry "
                f'of CHANNEL_LAYERS[...]["CONFIG"]["hosts"]: {{"address": "redis://...", '
                f'"socket_timeout": {3 * waits:g}}}.'
            )
    return None
