"""Lets frames come before a `websocket.connect`, as some test communicators send them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aaah_core import CloseCode

__all__ = ["Opening"]


class Opening:
    """Stands between a connection and its server.

    Where the server begins with a frame, the connection is asked to connect first, with all its
    permissions, and its accept is kept until somebody asks for it.
    """

    def __init__(
        self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._begun = False
        #: The frame that came first, until it is read.
        self._frame: Any = None
        self._implied = False
        self._accept: Any = None
        self._accepted = False

    async def receive(self) -> Any:
        """Return the next message of the server."""
        if self._frame is not None:
            frame, self._frame = self._frame, None
            return frame
        message = await self._receive()
        if not self._begun:
            self._begun = True
            if message["type"] == "websocket.receive":
                self._implied, self._frame = True, message
                return {"type": "websocket.connect"}
        while self._implied and message["type"] == "websocket.connect":
            await self._send(self._accept)
            message = await self._receive()
        return message

    async def send(self, message: Any) -> None:
        """Send a message to the server."""
        self._accepted |= message["type"] == "websocket.accept"
        if self._implied and message["type"] == "websocket.accept":
            self._accept = message
            return
        if not self._accepted and message.get("code") == CloseCode.REFUSED:
            message = {"type": "websocket.close"}  # no client is told a code, and tests expect none
        await self._send(message)
