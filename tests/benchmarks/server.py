"""A contender behind uvicorn, in a thread of its worker."""

from __future__ import annotations

import socket
import threading
from typing import Any

from tests.benchmarks.scene import Scene

__all__ = ["serve"]


def serve(scene: Scene, user: Any) -> int:
    """Serve a scene's application on loopback until the process ends, and return the port."""
    import uvicorn

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = user
        await scene.application(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        loop="asyncio",
        ws="websockets-sansio",
        ws_ping_interval=None,  # the clients by hand answer none
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port
