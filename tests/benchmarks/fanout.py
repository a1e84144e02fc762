"""One event to many connections, in process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.benchmarks.scene import Scene

__all__ = ["Hall"]

_PATIENCE = 60  # seconds


class Hall:
    """Connections that are all in one group: each request of the first sends each an event."""

    def __init__(self, scene: Scene, user: Any, members: int) -> None:
        self._scene = scene
        self._user = user
        self._missing = 0
        self._all: asyncio.Future[None]
        self._incoming: list[asyncio.Queue[dict[str, Any]]] = [
            asyncio.Queue() for _ in range(members)
        ]

    async def measure(self, seconds: float) -> tuple[float, float]:
        """Return the seconds of one delivery, and those of CPU time."""
        members = len(self._incoming)
        tasks = [asyncio.create_task(self._run(incoming)) for incoming in self._incoming]
        try:
            await self._sent({"type": "websocket.connect"}, self._incoming)
            request = {"type": "websocket.receive", "text": self._scene.request}
            warm = time.perf_counter()
            await self._sent(request, self._incoming[:1])
            times = max(1, int(seconds / (time.perf_counter() - warm)))
            began, cpu = time.perf_counter(), time.process_time()
            for _ in range(times):
                await self._sent(request, self._incoming[:1])
            cpu, taken = time.process_time() - cpu, time.perf_counter() - began
            return taken / (times * members), cpu / (times * members)
        finally:
            for incoming in self._incoming:
                incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
            await asyncio.wait(tasks, timeout=_PATIENCE)

    async def _run(self, incoming: asyncio.Queue[dict[str, Any]]) -> None:
        scope = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "subprotocols": [],
            "user": self._user,
        }
        await self._scene.application(scope, incoming.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        self._missing -= 1
        if not self._missing:
            self._all.set_result(None)

    async def _sent(self, message: dict[str, Any], to: list[asyncio.Queue[dict[str, Any]]]) -> None:
        """Put a message, and wait until each member was sent one."""
        self._missing = len(self._incoming)
        self._all = asyncio.get_running_loop().create_future()
        for incoming in to:
            incoming.put_nowait(message)
        async with asyncio.timeout(_PATIENCE):
            await self._all
