"""What every client of the tests can do, whatever carries its frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from aaah_core import conf
from aaah_core.answers import ask
from aaah_core.interfaces import Codec
from aaah_core.limits import Limits
from aaah_core.messages import MISSING
from aaah_core.registry import current

__all__ = ["Conversation", "Refused", "codec_named", "default_codec"]


class Refused(Exception):
    """The server closed the connection: before accept, or while a reply was waited for.

    Attributes:
        code: The close code; before accept, a real server answers with a status of HTTP instead.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"The connection was closed with {code}.")
        self.code = code


class Conversation(ABC):
    """One connection, spoken in one codec.

    Attributes:
        subprotocol: What the server chose.
        closed: The close code, once the server closed the connection.
    """

    def __init__(self, codec: Codec) -> None:
        self.subprotocol: str | None = None
        self.closed: int | None = None
        self._codec = codec
        self._events: deque[Any] = deque()

    async def call(
        self, action: str, route: str | None = None, data: Any = MISSING, **parameters: Any
    ) -> Any:
        """Send a request in the wire `aaah` and return its reply; events that come first are kept.

        Args:
            action: The action's name.
            route: The route; left out of the request if None.
            data: The body; left out of the request if not given.
            parameters: More keys of the request, `request_id` among them.

        Raises:
            Refused: The server closed the connection.
        """
        request: dict[str, Any] = {"action": action, **parameters}
        if route is not None:
            request["route"] = route
        if data is not MISSING:
            request["data"] = data
        await self.send(request)
        while True:
            message = self._codec.decode(await self.receive_frame(), Limits())
            if not (isinstance(message, dict) and "event" in message):
                return message
            self._events.append(message)

    async def send(self, payload: Any) -> None:
        """Send a payload of any shape."""
        await self.send_frame(self._codec.encode(payload))

    async def receive(self) -> Any:
        """Return the next payload: an event that `call` kept, or what comes.

        Raises:
            Refused: The server closed the connection.
            TimeoutError: Nothing came in time.
        """
        if self._events:
            return self._events.popleft()
        return self._codec.decode(await self.receive_frame(), Limits())

    @abstractmethod
    async def send_frame(self, frame: str | bytes) -> None:
        """Send a frame as it is."""

    @abstractmethod
    async def receive_frame(self) -> str | bytes:
        """Return the next frame.

        Raises:
            Refused: The server closed the connection.
            TimeoutError: Nothing came in time.
        """

    @abstractmethod
    async def close(self, code: int = 1000) -> None:
        """Leave."""


def default_codec(application: Any) -> str | Codec:
    """Return what an application speaks to a client that asks for no codec."""
    consumer_class = getattr(application, "consumer_class", None)
    codecs: Any = getattr(consumer_class, "codecs", None) or conf.current().CODECS
    first: str | Codec = codecs if isinstance(codecs, (str, Codec)) else codecs[0]
    return first


def codec_named(name: str | Codec) -> Codec:
    """Return the codec of a name that a loaded plugin offers, or the codec itself.

    Raises:
        LookupError: No loaded plugin offers it.
    """
    if isinstance(name, Codec):
        return name
    for _, codecs in ask(current(), "aaah_codecs"):
        for codec in codecs:
            if codec.name == name:
                return codec  # type: ignore[no-any-return]  # a hook's answer
    raise LookupError(f"no loaded plugin offers the codec {name!r}")
