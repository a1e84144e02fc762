"""Listens to one channel of the layer, whatever becomes of the layer meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull

from aaah_core.layers import capacity, within
from aaah_core.logs import log_error
from aaah_core.running import current_task

if TYPE_CHECKING:
    from aaah_core.hub import Hub

__all__ = ["LONGEST", "SHORTEST", "end", "listen", "pauses", "stop"]

logger = logging.getLogger("aaah.hub")

#: Seconds between two tries, at first and at last.
SHORTEST, LONGEST = 0.1, 5.0
#: Seconds that the layer may take to let a listener go.
CLEANUP = 5.0
#: Seconds after which one that goes on is cancelled again: longer than one needs to unsubscribe.
AGAIN = 0.5
#: How many may wait to be ended by a last message; more are cancelled.
MOST = 1_000


def pauses(pause: float) -> tuple[float, float]:
    """Return the seconds to wait now, and what to ask with the next time."""
    # At random: those who lost the layer together must not all ask it together.
    return pause * random.uniform(0.5, 1.0), min(pause * 2, LONGEST)  # noqa: S311 - hides nothing


async def listen(hub: Hub, channel: str, deliver: Callable[[Any], None]) -> None:
    """Deliver what arrives at a channel of the layer, until its end or the task's."""
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
        if message == hub.last_message:
            return
        pause = SHORTEST
        try:
            deliver(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next message comes
            log_error(logger, error, "Error %s: a message of the channel layer was not delivered")


async def end(hub: Hub, channel: str, task: asyncio.Task[None]) -> None:
    """End a task that listens, at no other's cost.

    Where all channels of a process share a queue, one listener fetches for all: if it is cancelled,
    what the layer gives it just then is lost, whosesoever it is. So it is sent a last message,
    behind all that waits for it.
    """
    if capacity(hub.layer) is None or hub.lost or hub.ending >= MOST:
        await stop(task)
    else:
        hub.ending += 1  # here, as many may end before the first of these tasks begins
        hub.start(_end_in_turn(hub, channel, task))


async def _end_in_turn(hub: Hub, channel: str, task: asyncio.Task[None]) -> None:
    try:
        async with hub.turn:  # one at a time: the queue has room for events, too
            if not hub.lost:
                await within(hub.layer.send(channel, hub.last_message))
                await asyncio.wait([task], timeout=CLEANUP)
    except ChannelFull:
        pass  # of which the members are told
    except Exception as error:  # noqa: BLE001 - whatever it is, the task shall end
        hub.trouble(error)
    finally:
        hub.ending -= 1
        await stop(task)


async def stop(task: asyncio.Task[None]) -> None:
    """End a task that listens, at once."""
    # redis-py may lose a cancellation while it connects, and the next one too.
    for _ in range(round(CLEANUP / AGAIN)):
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN)
        if task.done():
            return
