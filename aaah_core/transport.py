"""The server's side of one connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aaah_core.close_codes import CloseCode
from aaah_core.inbox import Message, size_of

__all__ = ["Transport"]

logger = logging.getLogger("aaah")

#: Seconds that a client may take to read that its connection is closed.
GOODBYE = 5.0


class Transport:
    """Receives and sends ASGI messages, and knows whether the connection still lives.

    Args:
        receive: The server's.
        send: The server's.
        frame_bytes: The bytes of the largest frame that is let in.
        on_end: Called soon after the client is known to be gone, or given up.
    """

    __slots__ = (
        "_begun",
        "_done",
        "_frame_bytes",
        "_on_end",
        "_owed",
        "_send",
        "_stuck",
        "accepted",
        "ended",
        "next",
    )

    def __init__(
        self,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        frame_bytes: int,
        on_end: Callable[[], None],
    ) -> None:
        #: The server's own `receive`, or what stands before it, for who sees to what it raises and
        #: to the size of a frame.
        self.next = receive
        self._send = send
        self._frame_bytes = frame_bytes
        self._on_end = on_end
        self._begun = self._done = 0
        self._owed: int | None = None
        self._stuck: tuple[int, float] | None = None
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
        if size_of(message) > self._frame_bytes or not text or text.isascii():
            return size_of(message) <= self._frame_bytes
        return len(text.encode("utf-8", "surrogatepass")) <= self._frame_bytes

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
        """Send an ASGI message; nothing goes out once the connection has ended.

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
            self.accepted = True
        elif message["type"] == "websocket.close":
            self.ended = _code(message.get("code", 1000))
        await self._pass_on(message)

    async def send_frame(self, frame: str | bytes) -> None:
        """Send what a codec encoded, as `send` does."""
        if not self.accepted:
            raise RuntimeError("Nothing can be sent before accept().")
        if self.ended is not None:
            return
        key = "text" if isinstance(frame, str) else "bytes"
        self._begun += 1
        try:  # as in `_pass_on`, which would be one coroutine more for each message
            await self._send({"type": "websocket.send", key: frame})
        except Exception as error:  # noqa: BLE001 - as in `_pass_on`
            self._lost(error)
        finally:
            self._done += 1

    async def close(self, code: int) -> None:
        """Close the socket."""
        # A plain int: daphne refuses a child of it.
        await self.send({"type": "websocket.close", "code": int(code)})

    def end(self, code: int) -> None:
        """Mark the connection as ended, whoever ended it."""
        if self.ended is None:
            self.ended = code
        # Later: the call that runs now may be what found out, and cannot be cancelled by itself.
        asyncio.get_running_loop().call_soon(self._on_end)

    def retire(self, code: int) -> None:
        """End the connection; whoever runs it tells the client with `say_goodbye`."""
        if self.ended is None:
            self._owed = int(code)
            self.end(code)

    async def say_goodbye(self) -> None:
        """Send the close of a connection that was retired, if its client takes it in time."""
        if self._owed is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self._pass_on({"type": "websocket.close", "code": self._owed})

    def stuck_for(self, now: float) -> float:
        """Return for how many seconds the server has not taken what we send, as of the last look.

        Whoever looks now and then learns it; a message pays for no clock.

        Args:
            now: The loop's time.
        """
        if self._begun == self._done:
            self._stuck = None
        elif self._stuck is None or self._stuck[0] != self._done:
            self._stuck = self._done, now
        return now - self._stuck[1] if self._stuck else 0.0

    async def _pass_on(self, message: Message) -> None:
        self._begun += 1
        try:
            await self._send(message)
        except Exception as error:  # noqa: BLE001 - each server has its own for a client that left
            self._lost(error)
        finally:
            self._done += 1

    def _lost(self, error: Exception) -> None:
        logger.debug("The server's send() raised: the client is gone", exc_info=error)
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
