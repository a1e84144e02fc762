"""How many messages a second a client may send."""

from __future__ import annotations

__all__ = ["Bucket"]


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
