"""A client that drives a consumer in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from asgiref.testing import ApplicationCommunicator

from aaah_core import conf
from aaah_core.interfaces import Codec
from aaah_core.limits import Limits
from aaah_core.messages import MISSING
from aaah_core.plan import ask
from aaah_core.registry import current

__all__ = ["Client", "Refused", "connect"]


class Refused(Exception):
    """The server closed the connection: before accept, or while a reply was waited for.

    Attributes:
        code: The close code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"The connection was closed with {code}.")
        self.code = code


@asynccontextmanager
async def connect(
    application: Any,
    path: str = "/",
    *,
    user: Any = MISSING,
    codec: str | Codec | None = None,
    subprotocols: Iterable[str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,  # noqa: ASYNC109 - how long the client waits, not this function
) -> AsyncIterator[Client]:
    """Connect to an ASGI application and yield a `Client`; leave when the block ends.

    Args:
        application: ``SomeConsumer.as_asgi()``, or whatever wraps it.
        path: The path, with its query string if any.
        user: What `scope["user"]` is, in the place of an authentication middleware.
        codec: The codec to ask for, by name or as an object. If left out, none is asked for, and
            the default is spoken: the consumer's, or ``AAAH["CODECS"]`` where it is wrapped.
        subprotocols: What to offer, where that is not just the codec's.
        headers: The headers of the handshake.
        timeout: Seconds to wait for anything.

    Raises:
        Refused: The connection was refused; it has the close code.
    """
    path, _, query = path.partition("?")
    chosen = _codec(_default(application) if codec is None else codec)
    if subprotocols is None:
        subprotocols = [chosen.subprotocol] if codec is not None else []
    pairs = [(k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()]
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": path,
        "query_string": query.encode(),
        "headers": pairs,
        "subprotocols": list(subprotocols),
    }
    if user is not MISSING:
        scope["user"] = user
    client = Client(application, scope, chosen, timeout)
    try:
        await client._open()
        yield client
    finally:
        await client.close()


def _default(application: Any) -> str | Codec:
    consumer_class = getattr(application, "consumer_class", None)
    codecs: Any = getattr(consumer_class, "codecs", None) or conf.current().CODECS
    first: str | Codec = codecs if isinstance(codecs, (str, Codec)) else codecs[0]
    return first


def _codec(name: str | Codec) -> Codec:
    if isinstance(name, Codec):
        return name
    for _, codecs in ask(current(), "aaah_codecs"):
        for codec in codecs:
            if codec.name == name:
                return codec  # type: ignore[no-any-return]  # a hook's answer
    raise LookupError(f"no loaded plugin offers the codec {name!r}")


class Client:
    """One connection; `connect` makes it.

    Attributes:
        subprotocol: What the server chose.
        closed: The close code, once the server closed the connection.
    """

    def __init__(
        self, application: Any, scope: dict[str, Any], codec: Codec, timeout: float
    ) -> None:
        self.subprotocol: str | None = None
        self.closed: int | None = None
        # Any: asgiref's communicator has no types.
        self._communicator: Any = cast(Any, ApplicationCommunicator)(application, scope)
        self._codec = codec
        self._timeout = timeout
        self._events: deque[Any] = deque()
        self._left = False

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

    async def send_frame(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        key = "text" if isinstance(frame, str) else "bytes"
        await self._communicator.send_input({"type": "websocket.receive", key: frame})

    async def receive(self) -> Any:
        """Return the next payload: an event that `call` kept, or what comes.

        Raises:
            Refused: The server closed the connection.
            TimeoutError: Nothing came in time.
        """
        if self._events:
            return self._events.popleft()
        return self._codec.decode(await self.receive_frame(), Limits())

    async def receive_frame(self) -> str | bytes:
        """Return the next frame.

        Raises:
            Refused: The server closed the connection.
            TimeoutError: Nothing came in time.
        """
        message = await self._communicator.receive_output(self._timeout)
        if message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
            raise Refused(self.closed)
        frame: str | bytes | None = message.get("text")
        return frame if frame is not None else message["bytes"]

    async def close(self, code: int = 1000) -> None:
        """Leave, and wait until the application has cleaned up."""
        # Where nothing came in time, asgiref has ended the application already.
        if not self._left and not self._communicator.future.cancelled():
            self._left = True
            await self._communicator.send_input({"type": "websocket.disconnect", "code": code})
            await self._communicator.wait(self._timeout)

    async def _open(self) -> None:
        await self._communicator.send_input({"type": "websocket.connect"})
        message = await self._communicator.receive_output(self._timeout)
        if message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
            raise Refused(self.closed)
        self.subprotocol = message.get("subprotocol")
