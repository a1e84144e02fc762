"""What an idle connection weighs."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

from tests.benchmarks.scene import Scene

__all__ = ["idle"]

_PATIENCE = 30  # seconds


async def idle(scene: Scene, user: Any, connections: int) -> float:
    """Return the bytes that Python allocates for a connection that waits.

    That is the application's part, its task, and its scope; a socket and a server come on top.
    """
    await _opened(scene, user, connections // 10)  # what the first ones import and cache
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    weight = await _opened(scene, user, connections)
    tracemalloc.stop()
    return (weight - before) / connections


async def _opened(scene: Scene, user: Any, connections: int) -> int:
    """Open connections and close them, and return what was traced while they were open."""
    made = [_Idle() for _ in range(connections)]
    tasks = [asyncio.create_task(each.run(scene, user)) for each in made]
    await asyncio.wait([each.accepted for each in made], timeout=_PATIENCE)
    gc.collect()
    weight, _ = tracemalloc.get_traced_memory()
    for each in made:
        each.left.set_result(None)
    await asyncio.wait(tasks)
    return weight


class _Idle:
    """A server's side of a connection on which nothing happens, with next to nothing of its own."""

    __slots__ = ("accepted", "asked", "left")

    def __init__(self) -> None:
        self.asked = False
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, scene: Scene, user: Any) -> None:
        scope = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "subprotocols": [],
            "user": user,
        }
        await scene.application(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self.asked:
            self.asked = True
            return {"type": "websocket.connect"}
        await self.left
        return {"type": "websocket.disconnect", "code": 1000}

    async def _send(self, message: dict[str, Any]) -> None:
        self.accepted.set_result(None)
