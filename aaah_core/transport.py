"""The server's side of one connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from aaah_core.close_codes import CloseCode
from aaah_core.counters import count
from aaah_core.inbox import Message, size_of
from aaah_core.limits import Limits
from aaah_core.outbox import Outbox
from aaah_core.steps import finish

__all__ = ["Receive", "Send", "Transport"]

logger = logging.getLogger("aaah.transport")

_DONE = object()

#: What a server gives.
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]


class Owner(Protocol):
    """Whoever has a transport. A method of it, kept, would weigh as much as what it is of."""

    def interrupt(self) -> None:
        """Is called soon after the client is known to be gone, or given up."""


class Transport:
    """Receives and sends ASGI messages, and knows whether the connection still lives.

    Args:
        receive: The server's.
        send: The server's.
        limits: `frame_bytes`, and the bounds of what waits to be sent, are looked at.
        owner: Is told when the client is gone.
    """

    __slots__ = (
        "_frame_bytes",
        "_limits",
        "_outbox",
        "_owner",
        "_stuck_since",
        "accepted",
        "ended",
        "free",
        "give",
        "moved",
        "next",
        "open",
    )

    def __init__(
        self,
        receive: Receive,
        send: Send,
        limits: Limits,
        owner: Owner,
    ) -> None:
        #: The server's own `receive`, or what stands before it, for who sees to what it raises and
        #: to the size of a frame.
        self.next = receive
        #: The server's own `send`, for who sees to `free` and to what it raises.
        self.give = send
        self._limits = limits
        self._frame_bytes = limits.frame_bytes
        self._owner = owner
        #: Whether frames may go out, and calls may run: after accept, before the end.
        self.open = False
        #: Whether the server takes nothing now, and nothing waits for it. It is given one message
        #: at a time: one that suspends in there may be overtaken by the next.
        self.free = True
        #: Whether the server has taken a message since the last look.
        self.moved = False
        self._stuck_since: float | None = None
        # Made when something first has to wait.
        self._outbox: Outbox | None = None
        self.accepted = False
        #: The code that the connection ended with; None while it lives.
        self.ended: int | None = None

    async def receive(self) -> Message:
        """Return the next message; a disconnect where the client is gone or sent too much."""
        try:
            message: Message = await self.next()
        except Exception as error:  # noqa: BLE001 - each server has its own for a client that left
            return self.gone(error)
        if not self.fits(message):
            await self.close(CloseCode.TOO_LARGE)
            return {"type": "websocket.disconnect", "code": int(CloseCode.TOO_LARGE)}
        return message

    def gone(self, error: Exception) -> Message:
        """Return the disconnect that the server's receive() raised instead of sending it."""
        logger.debug("The server's receive() raised: the client is gone", exc_info=error)
        return {"type": "websocket.disconnect", "code": 1006}

    def fits(self, message: Message) -> bool:
        """Return whether the frame of a message is as large as is let in, at most."""
        text = message.get("text")
        # A character has four bytes at most: a short text needs no second look.
        if text is not None and len(text) * 4 <= self._frame_bytes:
            return True
        if text is not None and len(text) > self._frame_bytes:
            return False
        return size_of(message) <= self._frame_bytes

    def screen(self, admits: Callable[[Message], Awaitable[bool]]) -> None:
        """Let in only the frames that are admitted. Who admits one not has answered it."""
        receive = self.next

        async def admitted() -> Message:
            while True:
                message: Message = await receive()
                if (
                    message["type"] != "websocket.receive"
                    or not self.accepted  # then it runs nothing
                    or not self.fits(message)  # then who asked closes
                    or await admits(message)
                    or self.ended is not None
                ):
                    return message

        self.next = admitted

    async def send(self, message: Message) -> None:
        """Send an ASGI message, after those before it; nothing goes out after the end.

        Raises:
            RuntimeError: A frame before accept, or a second accept.
            TypeError: A frame that is neither text nor bytes.
            ValueError: A close code that no WebSocket has.
        """
        if self.ended is not None:
            return
        if message["type"] == "websocket.send":
            self._require_frame(message)
        elif message["type"] == "websocket.accept":
            if self.accepted:
                raise RuntimeError("The connection has been accepted already.")
            self.accepted = self.open = True
        elif message["type"] == "websocket.close":
            self._end_with(_code(message.get("code", 1000)))
        await self._send_in_turn(message)

    async def send_frame(self, frame: str | bytes) -> None:
        """Send what a codec encoded, as `send` does."""
        key = "text" if isinstance(frame, str) else "bytes"
        if not (self.open and self.free):
            await self.send({"type": "websocket.send", key: frame})
            return
        self.free = False
        try:  # as in `_send_in_turn`, which would be one coroutine more
            await self.give({"type": "websocket.send", key: frame})
        except Exception as error:  # noqa: BLE001 - as there
            self.lost(error)
        finally:
            self.given()

    def given(self) -> None:
        """See to what waits, after the server has taken a message, or will not take it."""
        self.moved = True
        if self._outbox:
            self._drain()
        else:
            self.free = True

    def push(self, frame: str | bytes) -> None:
        """Send what a codec encoded without waiting for the client; one that lags behind is closed.

        What comes before accept waits for it.
        """
        key = "text" if isinstance(frame, str) else "bytes"
        if not (self.open and self.free):
            self._push_later({"type": "websocket.send", key: frame})
            return
        self.free = False
        try:
            steps = self.give({"type": "websocket.send", key: frame}).__await__()
            waits_for = next(steps, _DONE)
        except Exception as error:  # noqa: BLE001 - as in `_send_in_turn`
            self.lost(error)
            return
        if waits_for is _DONE:
            self.moved = self.free = True
        else:
            self._drain(finish(steps, waits_for))

    async def close(self, code: int) -> None:
        """Close the socket."""
        # A plain int: daphne refuses a child of it.
        await self.send({"type": "websocket.close", "code": int(code)})

    def overload(self) -> None:
        """Close the socket of a client that does not keep up; what waits for it is dropped."""
        if self.ended is None:
            count("overloads", "outbox")
            if self._outbox is not None:
                self._outbox.clear()
            self._close_later(int(CloseCode.OVERLOADED))

    def end(self, code: int) -> None:
        """Mark the connection as ended, whoever ended it; nothing goes out any more."""
        if self.ended is None:
            self._end_with(code)
        if self._outbox is not None:
            self._outbox.drop()
        # Later: the call that runs now may be what found out, and cannot be cancelled by itself.
        asyncio.get_running_loop().call_soon(self._owner.interrupt)

    def retire(self, code: int) -> None:
        """Close the socket after what waits for it, and let the connection end."""
        if self.ended is None:
            self._close_later(int(code))
            asyncio.get_running_loop().call_soon(self._owner.interrupt)

    def expel(self, code: int) -> None:
        """Close the socket at once: what waits for it is dropped, and the connection ends."""
        if self.ended is None:
            if self._outbox is not None:
                self._outbox.clear()
            self.retire(code)

    async def flush(self) -> None:
        """Wait until our close was sent, for a time; drop what waits where nobody closed."""
        if self._outbox is not None:
            await self._outbox.end(closed=self.ended is not None)

    @property
    def waiting(self) -> int:
        """How many messages wait to be sent."""
        return len(self._outbox) if self._outbox is not None else 0

    def stuck_for(self, now: float) -> float:
        """Return for how many seconds the server has not taken what we send, as of the last look.

        Whoever looks now and then learns it; a message pays for no clock.

        Args:
            now: The loop's time.
        """
        if self.free:
            self._stuck_since = None
        elif self.moved or self._stuck_since is None:
            self._stuck_since = now
        self.moved = False
        return now - self._stuck_since if self._stuck_since is not None else 0.0

    def _end_with(self, code: int) -> None:
        self.ended = code
        self.open = False
        if not self.accepted and self._outbox is not None:
            self._outbox.clear()

    def _close_later(self, code: int) -> None:
        self._end_with(code)
        self._outbox_to_fill().put({"type": "websocket.close", "code": code})
        if self.free:
            self._drain()

    async def _send_in_turn(self, message: Message) -> None:
        if not self.free:
            sent = asyncio.get_running_loop().create_future()
            self._outbox_to_fill().put(message, sent)
            await sent
            return
        self.free = False
        try:
            await self.give(message)
        except Exception as error:  # noqa: BLE001 - each server has its own for a client that left
            self.lost(error)
        finally:
            self.moved = True
            if self._outbox and self.accepted:
                self._drain()
            else:
                self.free = True

    def _push_later(self, message: Message) -> None:
        if self.ended is not None:
            return
        outbox = self._outbox_to_fill()
        if outbox.has_room(message):
            outbox.put(message)
        else:
            self.overload()

    def _outbox_to_fill(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self._limits)
        return self._outbox

    def _drain(self, begun: Awaitable[Any] | None = None) -> None:
        """Send what waits in a task, after what the server is taking."""
        self.free = False
        self._outbox_to_fill().drain(self, begun)

    def lost(self, error: Exception) -> None:
        """End the connection whose server's send() raised."""
        logger.debug("The server's send() raised: the client is gone", exc_info=error)
        self.free = True
        self.end(1006)

    def _require_frame(self, message: Message) -> None:
        if not self.accepted:
            raise RuntimeError("Nothing can be sent before accept().")
        text, data = message.get("text"), message.get("bytes")
        if not isinstance(text, str) and not isinstance(data, bytes):
            kind = type(data if text is None else text).__name__
            raise TypeError(f"A frame is text or bytes, and not {kind}.")


def _code(code: Any) -> int:
    if type(code) is not int or not 1000 <= code <= 4999:
        raise ValueError(f"{code!r} is no close code: give an int from 1000 to 4999.")
    return code
