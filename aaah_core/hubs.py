"""The hubs of this process: one for each event loop and channel layer."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from aaah_core.hub import Hub

__all__ = ["hub", "is_lost", "loop_of"]

#: By event loop and layer. What a layer runs belongs to a loop.
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Hub]] = WeakKeyDictionary()


def hub(layer: Any) -> Hub:
    """Return the hub of a channel layer in the event loop that runs."""
    loop = asyncio.get_running_loop()
    hubs = _hubs.get(loop)
    if hubs is None:
        # A task refers to its loop: the groups of one that was closed amid its work hold it.
        for each in list(_hubs):  # another thread's loop may have its first hub just now
            if each.is_closed():
                _hubs.pop(each, None)
        hubs = _hubs[loop] = {}
    found = hubs.get(id(layer))  # which it holds, so no other can have its id
    if found is None:
        found = hubs[id(layer)] = Hub(layer)
    return found


def is_lost(layer: Any) -> bool:
    """Return whether a layer is away, as far as is known in the event loop that runs."""
    found = _hubs.get(asyncio.get_running_loop(), {}).get(id(layer))
    return found is not None and found.lost


def loop_of(layer: Any) -> asyncio.AbstractEventLoop | None:
    """Return an event loop that runs, and in which a layer has groups; None where there is none."""
    for loop, hubs in list(_hubs.items()):
        if loop.is_running() and id(layer) in hubs:
            return loop
    return None
