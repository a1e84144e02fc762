"""A client that drives a consumer in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, cast

from asgiref.testing import ApplicationCommunicator

from aaah_core.interfaces import Codec
from aaah_core.messages import MISSING
from aaah_core.testing.conversation import Conversation, Refused, codec_named, default_codec

__all__ = ["Client", "connect"]

#: Stands behind the last that an application sends, so that nobody waits for more.
_END: Final = {"type": "aaah.end"}


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
    chosen = codec_named(default_codec(application) if codec is None else codec)
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


class Client(Conversation):
    """One connection in memory; `connect` makes it."""

    def __init__(
        self, application: Any, scope: dict[str, Any], codec: Codec, timeout: float
    ) -> None:
        super().__init__(codec)
        self._reads = asyncio.Event()
        self._reads.set()
        # Any: asgiref's communicator has no types.
        self._communicator: Any = cast(Any, ApplicationCommunicator)(self._held(application), scope)
        self._communicator.future.add_done_callback(self._end)
        self._timeout = timeout
        self._left = False

    def _held(self, application: Any) -> Any:
        async def held(scope: Any, receive: Any, send: Any) -> None:
            async def send_when_read(message: Any) -> None:
                if not self._reads.is_set():
                    await self._reads.wait()
                await send(message)

            await application(scope, receive, send_when_read)

        return held

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Read nothing within the block: what the server sends has to wait, as on a slow network.

        A server that waits longer than the limit `send_timeout`, or for whose client more waits
        than `outbox` messages, gives such a client up (4429).
        """
        self._reads.clear()
        try:
            yield
        finally:
            self._reads.set()

    async def send_frame(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        key = "text" if isinstance(frame, str) else "bytes"
        await self._communicator.send_input({"type": "websocket.receive", key: frame})

    async def receive_frame(self) -> str | bytes:
        """Return the next frame.

        Raises:
            Refused: The server closed the connection.
            TimeoutError: Nothing came in time.
        """
        message = await self._next()
        frame: str | bytes | None = message.get("text")
        return frame if frame is not None else message["bytes"]

    async def ended(self) -> None:
        """Wait until the application has ended by itself, as when it gave this client up.

        Raises:
            TimeoutError: It did not in time.
        """
        await asyncio.wait([self._communicator.future], timeout=self._timeout)
        if not self._communicator.future.done():
            raise TimeoutError

    async def close(self, code: int = 1000) -> None:
        """Leave, and wait until the application has cleaned up."""
        # Where nothing came in time, asgiref has ended the application already.
        if not self._left and not self._communicator.future.cancelled():
            self._left = True
            await self._communicator.send_input({"type": "websocket.disconnect", "code": code})
            await self._communicator.wait(self._timeout)

    async def _open(self) -> None:
        await self._communicator.send_input({"type": "websocket.connect"})
        message = await self._next()
        self.subprotocol = message.get("subprotocol")

    async def _next(self) -> Any:
        if self._communicator.future.cancelled():  # by asgiref, where nothing came in time
            raise TimeoutError
        message = await self._communicator.receive_output(self._timeout)
        if message is _END:
            self._end()  # for whoever asks again
            self._communicator.future.result()  # raises what the application raised
            self.closed = self.closed or 1006  # as a socket tells that closes without a word
            raise Refused(self.closed)
        if message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
            raise Refused(self.closed)
        return message

    def _end(self, _: object = None) -> None:
        self._communicator.output_queue.put_nowait(_END)
