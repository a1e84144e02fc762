"""What a client has sent and nobody has read yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aaah_core.limits import Limits

__all__ = ["Inbox", "Message", "size_of"]

Message = dict[str, Any]


def size_of(message: Message) -> int:
    """Return the bytes of a frame."""
    text = message.get("text")
    if text and not text.isascii():
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text or message.get("bytes") or "")


class Inbox:
    """The one caller of `receive()`.

    As long as calls end quickly, `next` calls `receive()` itself. A server whose queue is not
    drained sees no pong and no close, so during a long call `read_ahead` starts a task that reads;
    that task hands the first frame somebody waits for over, and ends.

    Args:
        receive: The server's.
        limits: How many messages, and how much of them, may wait.
        left: Is told of a disconnect that arrives while nobody waits for a message.
        overflow: Is given each message beyond the bound.
    """

    __slots__ = (
        "_left",
        "_limits",
        "_messages",
        "_overflow",
        "_reader",
        "_receive",
        "_size",
        "_waiter",
    )

    def __init__(
        self,
        receive: Callable[[], Awaitable[Message]],
        limits: Limits,
        left: Callable[[Message], None],
        overflow: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._receive = receive
        self._limits = limits
        self._left = left
        self._overflow = overflow
        self._messages: deque[Message] = deque()
        self._size = 0
        self._reader: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[Message] | None = None

    def next(self) -> Awaitable[Message]:
        """Return what waits for the next message, in the order they came."""
        if self._reader is None and not self._messages:
            return self._receive()
        return self._next()

    async def _next(self) -> Message:
        if self._messages:
            return self.pop()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def __len__(self) -> int:
        return len(self._messages)

    def pop(self) -> Message:
        """Return the first message that waits."""
        message = self._messages.popleft()
        self._size -= size_of(message)
        return message

    async def put(self, message: Message) -> None:
        """Let a message wait, or give it to `overflow`."""
        size = self._size + size_of(message)
        if len(self._messages) >= self._limits.inbox or size > self._limits.inbox_bytes:
            await self._overflow(message)
        else:
            self._messages.append(message)
            self._size = size

    def read_ahead(self) -> None:
        """Read in a task of its own, until somebody waits for a message again."""
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())

    def close(self) -> None:
        """Drop what waits, and stop reading."""
        self._messages.clear()
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if self._waiter is not None and not self._waiter.done():
                self._reader = None
                self._waiter.set_result(message)
                return
            if message["type"] == "websocket.disconnect":
                self._messages.clear()
                self._left(message)
                return
            await self.put(message)
