"""What waits to be sent to a client that does not read as fast as we write."""

from __future__ import annotations

import asyncio
from collections import deque

from aaah_core.inbox import Message, size_of
from aaah_core.limits import Limits

__all__ = ["Outbox", "release"]


class Outbox:
    """The messages behind the one that the server is taking, in order.

    Args:
        limits: How many messages, and how much of them, may wait.
    """

    __slots__ = ("_limits", "_messages", "_size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._messages: deque[tuple[Message, asyncio.Future[None] | None]] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._messages)

    def has_room(self, message: Message) -> bool:
        """Return whether one more message is within the bounds."""
        limits, size = self._limits, self._size + size_of(message)
        return len(self._messages) < limits.outbox and size <= limits.outbox_bytes

    def put(self, message: Message, sent: asyncio.Future[None] | None = None) -> None:
        """Let a message wait; `sent` is done once it was sent, or dropped."""
        self._messages.append((message, sent))
        self._size += size_of(message)

    def pop(self) -> tuple[Message, asyncio.Future[None] | None]:
        """Return the first message that waits."""
        message, sent = self._messages.popleft()
        self._size -= size_of(message)
        return message, sent

    def clear(self) -> None:
        """Drop what waits."""
        while self._messages:
            release(self.pop()[1])


def release(sent: asyncio.Future[None] | None) -> None:
    """Let whoever waits for a message go on."""
    if sent is not None and not sent.done():
        sent.set_result(None)
