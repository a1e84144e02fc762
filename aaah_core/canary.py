"""The canary: a message that a hub sends itself, since a layer does not tell that it is lost."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Any

from channels.exceptions import ChannelFull

from aaah_core.layers import capacity, longest, within
from aaah_core.listening import end, listen, stop

if TYPE_CHECKING:
    from aaah_core.hub import Hub

__all__ = ["Canary"]

#: Seconds after which it is not expected back any more.
LATE = 2.0


class Canary:
    """Flies from a hub to itself, through the layer, behind what else waits for this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._channel = ""
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._back: asyncio.Future[None] | None = None
        # So many messages ahead of it may mean that there was no room for more not long ago: two
        # canaries, of which the second leaves when the first is back, see a queue that was full.
        room = capacity(hub.layer)
        self._crowd = None if room is None else max(room * 2 // 5, 1)

    async def fly(self) -> bool:
        """Wait until it is back, and return whether others may have found no room on the way.

        Raises:
            TimeoutError: It is not back in time.
            Exception: What the layer raises.
        """
        sent = False
        try:
            ahead = self._hub.received
            sent = await within(self._send(), LATE)
            if not sent:
                return True
            self._hub.wake()
            if self._back is not None:
                await within(self._back, LATE)
        except TimeoutError:
            if sent:  # the layer takes messages, and brings none
                await self._hub.listen_again()
            late = f"was not {'back' if sent else 'taken'} within {longest(LATE):g} s"
            raise TimeoutError(f"a message of the process to itself {late}") from None
        return self._crowd is not None and self._hub.received - ahead >= self._crowd

    async def _send(self) -> bool:
        """Send the next number, and return whether there was room for it."""
        if not self._channel:
            self._channel = await self._hub.layer.new_channel()
        if self._task is None:
            self.listen()
        self._number += 1
        self._back = asyncio.get_running_loop().create_future()
        try:
            await self._hub.layer.send(
                self._channel, {"type": "aaah.canary", "number": self._number}
            )
        except ChannelFull:
            return False
        return True

    def listen(self) -> None:
        """Wait for it at its channel."""
        listening = listen(self._hub, self._channel, self._arrived)
        self._task = asyncio.create_task(listening, context=Context())

    def _arrived(self, message: Any) -> None:
        if message.get("number") == self._number and self._back and not self._back.done():
            self._back.set_result(None)

    async def rest(self, *, forgotten: bool = False) -> None:
        """Listen no more.

        Args:
            forgotten: Whether the layer brings nothing to who listens now.
        """
        if self._task is not None:
            task, self._task = self._task, None
            # A layer that subscribes would send to the old one before anybody listens again.
            channel, self._channel = self._channel, ""
            await (stop(task) if forgotten else end(self._hub, channel, task))
