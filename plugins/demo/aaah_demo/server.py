"""A server that lives as long as a `with` block."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn

__all__ = ["serve"]


@contextmanager
def serve(application: Any, port: int) -> Iterator[str]:
    """Serve an ASGI application on loopback, in a thread.

    Args:
        application: The application.
        port: The port; 0 takes a free one.

    Returns:
        The URL of the WebSocket.

    Raises:
        OSError: The port is taken.
    """
    # It listens from here on: who connects at once is served as soon as the server runs.
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(
            application,
            ws="websockets-sansio",
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws/"
        finally:
            server.should_exit = True
            thread.join()
