"""A real server and its clients: uvicorn on a free port of loopback, in the loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aaah_core.interfaces import Codec
from aaah_core.testing.conversation import Conversation, Refused, codec_named, default_codec

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = ["LiveClient", "LiveServer", "live_server"]

_MISSING = 'A live server needs uvicorn and websockets: pip install "aaah-core[live]"'


class LiveServer:
    """A server that runs; `live_server` starts it.

    Attributes:
        url: Where it listens, such as ``ws://127.0.0.1:54321``, without a path.
    """

    def __init__(self, application: Any, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}"
        self._application = application

    @asynccontextmanager
    async def connect(
        self,
        path: str = "/",
        *,
        codec: str | Codec | None = None,
        subprotocols: Iterable[str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109 - how long the client waits, not this function
    ) -> AsyncIterator[LiveClient]:
        """Connect over a socket and yield a `LiveClient`; leave when the block ends.

        Args:
            path: The path, with its query string if any.
            codec: The codec to ask for, by name or as an object. If left out, none is asked for,
                and the default is spoken: the consumer's, or ``AAAH["CODECS"]`` where it is
                wrapped.
            subprotocols: What to offer, where that is not just the codec's.
            headers: More headers of the handshake, such as a cookie.
            timeout: Seconds to wait for anything.

        Raises:
            Refused: The connection was refused; its code is the HTTP status, 403 as a rule.
        """
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidStatus

        chosen = codec_named(default_codec(self._application) if codec is None else codec)
        if subprotocols is None:
            subprotocols = [chosen.subprotocol] if codec is not None else []
        opening = connect(
            self.url + path,
            subprotocols=list(subprotocols) or None,  # type: ignore[arg-type]  # a NewType of str
            additional_headers=headers,
            open_timeout=timeout,
            close_timeout=timeout,
            max_size=None,
            proxy=None,
        )
        try:
            connection = await opening
        except InvalidStatus as error:
            raise Refused(error.response.status_code) from error
        client = LiveClient(connection, chosen, timeout)
        try:
            yield client
        finally:
            await client.close()


class LiveClient(Conversation):
    """One connection over a socket; `LiveServer.connect` makes it."""

    def __init__(self, connection: ClientConnection, codec: Codec, timeout: float) -> None:
        super().__init__(codec)
        self.subprotocol = connection.subprotocol
        self._connection = connection
        self._timeout = timeout

    async def send_frame(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        from websockets.exceptions import ConnectionClosed

        try:
            await self._connection.send(frame)
        except ConnectionClosed as error:
            raise self._refused(error) from error

    async def receive_frame(self) -> str | bytes:
        """Return the next frame.

        Raises:
            Refused: The server closed the connection.
            TimeoutError: Nothing came in time.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            async with asyncio.timeout(self._timeout):
                return await self._connection.recv()
        except ConnectionClosed as error:
            raise self._refused(error) from error

    async def close(self, code: int = 1000) -> None:
        """Leave."""
        await self._connection.close(code)

    def _refused(self, error: Any) -> Refused:
        self.closed = error.rcvd.code if error.rcvd else 1006
        return Refused(self.closed)


@asynccontextmanager
async def live_server(application: Any) -> AsyncIterator[LiveServer]:
    """Serve an ASGI application with uvicorn, and stop when the block ends.

    It runs in the event loop of the test, and so in its registry, on its in-memory channel layer
    and, with pytest's plugin of AAAH, in its database transaction.

    Args:
        application: ``SomeConsumer.as_asgi()``, or whatever wraps it.

    Raises:
        ImportError: uvicorn or websockets is missing; ``aaah-core[live]`` has them.
    """
    try:
        import uvicorn
        import websockets  # noqa: F401 - uvicorn's own message would not say how to get it
    except ImportError as error:
        raise ImportError(_MISSING) from error
    config = uvicorn.Config(application, ws="websockets-sansio", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield LiveServer(application, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
