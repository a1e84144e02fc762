"""Sees that the layer keeps a hub's groups: renews them in time, and after the layer was lost."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aaah_core import conf
from aaah_core.canary import Canary
from aaah_core.layers import capacity, in_memory, refresh_every, wires
from aaah_core.listening import SHORTEST, pauses
from aaah_core.logs import printable

if TYPE_CHECKING:
    from aaah_core.hub import Hub

__all__ = ["Care"]

logger = logging.getLogger("aaah.hub")


class Care:
    """Looks after the groups of a hub for as long as it has any, now and then.

    A timer leads to each look, and no task waits for it: a loop that closes has nothing pending.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        #: Whether the layer is away, as far as is known.
        self.lost = False
        self._every = None if in_memory(hub.layer) else conf.current().LAYER_CANARY
        self._canary = Canary(hub) if self._every is not None else None
        room = capacity(hub.layer)
        # So often that a queue which was full is looked at before it is empty.
        self._messages = None if room is None or self._canary is None else max(room // 4, 1)
        # By what the layer heard at the last look, by number.
        self._wires: dict[int, object] = {}
        # After how many seconds the layer drops what waits; by how many the last look came late.
        self._keeps = None if room is None else getattr(hub.layer, "expiry", None)
        self._due = self._late = 0.0
        self._expires = refresh_every(hub.layer)
        self._pause = SHORTEST
        self._timer: asyncio.TimerHandle | None = None
        self._looking = False
        # Whether so many came during a look that there has to be another at once.
        self._again = False
        self._looked_at = 0
        self._renewed = 0.0

    def start(self) -> None:
        """Look after the hub from now on."""
        if self._timer is None and not self._looking:
            self._renewed = asyncio.get_running_loop().time()
            self._look_in(self._delay())

    def trouble(self, error: BaseException) -> None:
        """Take note that a call to the layer failed."""
        if not self.lost:
            self.lost = True
            said = printable(str(error))
            logger.error(
                "The channel layer is lost: %s%s. Requests are answered; groups are joined again "
                "when it is back, and their members told to resync.",
                type(error).__name__,
                f": {said}" if said else "",
            )
            self._pause = SHORTEST
            self._look_in(self._delay())

    def noticed(self, received: int) -> None:
        """Take note of how many messages the layer has brought."""
        if self._messages is not None and received - self._looked_at >= self._messages:
            self._looked_at = received
            self._again = self._looking
            self._look_in(0)

    def _delay(self) -> float | None:
        """Return the seconds until the next look; None where there is nothing to look after."""
        if self.lost:
            delay, self._pause = pauses(self._pause)
            return delay if self._every is None else min(delay, self._every)
        if not self._hub.has_groups:
            return None
        if self._again:
            self._again = False
            return 0
        due = None
        if self._expires is not None:
            due = max(self._renewed + self._expires - asyncio.get_running_loop().time(), 0)
        return min((each for each in (self._every, due) if each is not None), default=None)

    def _look_in(self, delay: float | None) -> None:
        if self._looking:  # it sees to the next look itself
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + delay
            self._timer = loop.call_later(delay, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._looking = True
        self._late = asyncio.get_running_loop().time() - self._due
        self._hub.start(self._look())

    async def _look(self) -> None:
        self._looked_at = self._hub.received
        try:
            await self._see()
        except Exception as error:  # noqa: BLE001 - whatever it is, the layer does not serve
            self.trouble(error)
        finally:
            self._looking = False
            delay = self._delay()
            if delay is None and self._canary is not None:
                await self._canary.rest()
                delay = self._delay()  # somebody may have joined meanwhile
            self._look_in(delay)

    async def _see(self) -> None:
        lost, now = self.lost, asyncio.get_running_loop().time()
        crowded = await self._canary.fly() if self._canary is not None else False
        rewired = self._canary is not None and self._rewired()
        if lost or (self._expires is not None and now - self._renewed >= self._expires):
            await self._hub.join_again()
            self._renewed = now
        if lost:
            self._hub.wake()
            self.lost, self._pause = False, SHORTEST
            logger.warning("The channel layer is back; members are told to resync.")
        # A process that stalled so long may have been sent what nobody kept for it.
        overslept = self._keeps is not None and self._late >= self._keeps / 2
        if rewired or lost or crowded or overslept:
            self._hub.resync()

    def _rewired(self) -> bool:
        """Return whether the layer was deaf for a moment since it was last asked."""
        before = self._wires.copy()
        # One that is away is compared when it is back.
        found = enumerate(wires(self._hub.layer))
        self._wires |= {number: wire for number, wire in found if wire is not None}
        return any(self._wires[number] is not wire for number, wire in before.items())

    async def listen_again(self) -> None:
        """Ask the layer anew for the canary."""
        if self._canary is not None:
            await self._canary.rest(forgotten=True)
