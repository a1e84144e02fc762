"""Listens to one channel of the layer, whatever becomes of the layer meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aaah_core.logs import log_error
from aaah_core.running import current_task

if TYPE_CHECKING:
    from aaah_core.hub import Hub

__all__ = ["LONGEST", "SHORTEST", "listen", "pauses", "stop"]

logger = logging.getLogger("aaah.hub")

#: Seconds between two tries, at first and at last.
SHORTEST, LONGEST = 0.1, 5.0
#: Seconds that the layer may take to let a listener go.
CLEANUP = 5.0
#: Seconds after which one that goes on is cancelled again: longer than one needs to unsubscribe.
AGAIN = 0.5


def pauses(pause: float) -> tuple[float, float]:
    """Return the seconds to wait now, and what to ask with the next time."""
    # At random: those who lost the layer together must not all ask it together.
    return pause * random.uniform(0.5, 1.0), min(pause * 2, LONGEST)  # noqa: S311 - hides nothing


async def listen(hub: Hub, channel: str, deliver: Callable[[Any], None]) -> None:
    """Deliver what arrives at a channel of the layer, for as long as the task lives."""
    pause, loop = SHORTEST, asyncio.get_running_loop()
    while True:
        try:
            message = await hub.layer.receive(channel)
        except Exception as error:
            if loop.is_closed():  # nobody awaits this any more: the collector ends it
                return
            if current_task().cancelling():  # which the layer lost on the way
                raise asyncio.CancelledError from error
            # redis-py 8 and its like raise this where nothing came for some seconds.
            if type(error).__name__ != "TimeoutError":
                hub.trouble(error)
            now, pause = pauses(pause)
            await hub.rest(now)
            continue
        pause = SHORTEST
        try:
            deliver(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next message comes
            log_error(logger, error, "Error %s: a message of the channel layer was not delivered")


async def stop(task: asyncio.Task[None]) -> None:
    """End a task that listens."""
    # redis-py may lose a cancellation while it connects, and the next one too.
    for _ in range(round(CLEANUP / AGAIN)):
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN)
        if task.done():
            return
