"""How many messages a second a client may send."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from aaah_core import exchange
from aaah_core.close_codes import CloseCode
from aaah_core.counters import count
from aaah_core.errors import Throttled

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.inbox import Message

__all__ = ["Bucket", "meter"]


class Bucket:
    """A token bucket: a message takes one, and so many a second come back.

    What is refused takes one too, so that a client that goes on owes more and more, and one that
    waits for as long as it was told is served.

    Args:
        rate: Tokens that come back in a second.
        size: Tokens that it holds, and how many may be owed.
        now: The loop's time.
    """

    __slots__ = ("_rate", "_size", "_tokens", "_when")

    def __init__(self, rate: float, size: int, now: float) -> None:
        self._rate = rate
        self._size = size
        self._tokens: float = size
        self._when = now

    def take(self, now: float) -> float:
        """Take a token, and return the seconds until there is another; 0 if there was one to take.

        Args:
            now: The loop's time.
        """
        back = (now - self._when) * self._rate
        self._tokens = min(self._tokens + back, self._size) - 1
        self._when = now
        return (1 - self._tokens) / self._rate if self._tokens < 0 else 0.0

    @property
    def overdrawn(self) -> bool:
        """Whether more is owed than it holds."""
        return self._tokens < -self._size


def meter(
    connection: Connection, rate: float, clock: Callable[[], float]
) -> Callable[[Message], Awaitable[bool]]:
    """Return what says whether a message is within the rate, and refuses it if not.

    A client that goes on is closed.

    Args:
        connection: Whose messages they are.
        rate: How many a second may come.
        clock: Tells the loop's time.
    """
    bucket = Bucket(rate, connection.plan.limits.burst, clock())

    async def is_within(message: Message) -> bool:
        wait = bucket.take(clock())
        if not wait:
            return True
        if bucket.overdrawn:
            await connection.transport.close(CloseCode.OVERLOADED)
        else:
            count("overloads", "rate")
            retry_after = math.ceil(wait * 1000) / 1000
            await exchange.refuse(connection, message, partial(Throttled, retry_after=retry_after))
        return False

    return is_within
