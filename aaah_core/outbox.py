"""What waits to be sent to a client that does not read as fast as we write, and what sends it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from aaah_core.inbox import Message, size_of
from aaah_core.limits import Limits

if TYPE_CHECKING:
    from aaah_core.transport import Transport

__all__ = ["Outbox"]

#: Seconds that a client may take to read that its connection is closed.
GOODBYE = 5.0


class Outbox:
    """The messages behind the one that the server is taking, in order, and what sends them.

    Args:
        limits: How many messages, and how much of them, may wait.
    """

    __slots__ = ("_limits", "_messages", "_sender", "_size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._messages: deque[tuple[Message, asyncio.Future[None] | None]] = deque()
        self._size = 0
        self._sender: asyncio.Task[None] | None = None

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
            _release(self.pop()[1])

    def drop(self) -> None:
        """Drop what waits, and what the server is taking."""
        self.clear()
        if self._sender is not None:
            self._sender.cancel()

    def drain(self, transport: Transport, begun: Awaitable[Any] | None = None) -> None:
        """Send what waits in a task, after what the server is taking."""
        self._sender = asyncio.create_task(self._send(transport, begun))

    async def _send(self, transport: Transport, begun: Awaitable[Any] | None) -> None:
        sent = None
        try:
            if begun is not None:
                await begun
                transport.moved = True
            while self._messages:
                message, sent = self.pop()
                await transport.give(message)
                transport.moved = True
                _release(sent)
            transport.free = True
        except Exception as error:  # noqa: BLE001 - each server has its own for a client that left
            self._sender = None  # what ends the transport cancels it
            transport.lost(error)
        finally:
            _release(sent)
            self._sender = None

    async def end(self, *, closed: bool) -> None:
        """Stop sending.

        Args:
            closed: Whether a close is the last that waits: it is given a while to go out.
        """
        sender = self._sender
        if sender is None:
            return
        if closed:
            await asyncio.wait([sender], timeout=GOODBYE)
        sender.cancel()
        await asyncio.wait([sender], timeout=GOODBYE)


def _release(sent: asyncio.Future[None] | None) -> None:
    """Let whoever waits for a message go on."""
    if sent is not None and not sent.done():
        sent.set_result(None)
