"""One connection in process: what stands where a server would, and nothing that a test needs."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.scene import Scene

__all__ = ["Exchange", "exchange"]

_PATIENCE = 30  # seconds


class Exchange:
    """A connection that is open as long as its block."""

    def __init__(self, scene: Scene, user: Any) -> None:
        self._scene = scene
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._scope = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "subprotocols": [],
            "user": user,
        }

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(
            self._scene.application(self._scope, self._incoming.get, self._outgoing.put)
        )
        self._incoming.put_nowait({"type": "websocket.connect"})
        if (message := await self._sent())["type"] != "websocket.accept":
            raise RuntimeError(f"It is not accepted: {message}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._task, _PATIENCE)

    async def reply(self) -> Any:
        """Ask once, and return the decoded reply."""
        self._incoming.put_nowait({"type": "websocket.receive", "text": self._scene.request})
        message = await self._sent()
        if message["type"] != "websocket.send":
            raise RuntimeError(f"It does not reply: {message}")
        return json.loads(message.get("text") or message["bytes"])

    async def ask(self, times: int) -> None:
        """Ask so many times, each after the reply to the one before."""
        put, get, text = self._incoming.put_nowait, self._outgoing.get, self._scene.request
        for _ in range(times):
            put({"type": "websocket.receive", "text": text})
            message = await get()
        if message["type"] != "websocket.send":
            raise RuntimeError(f"It does not reply: {message}")

    async def _sent(self) -> dict[str, Any]:
        """Return what the application sends next, or raise what ended it."""
        getting = asyncio.create_task(self._outgoing.get())
        await asyncio.wait(
            [getting, self._task], timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        if getting.done():
            return getting.result()
        getting.cancel()
        if self._task.done():
            self._task.result()
        raise RuntimeError("It sends nothing.")


class HTTPExchange:
    """Requests over HTTP, one after another, where a server would keep the connection."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": scene.request,
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"accept", b"application/json")],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing stays open."""

    async def reply(self) -> Any:
        """Ask once, and return the decoded body."""
        start, *rest = await self._once()
        if start["status"] != 200:
            raise RuntimeError(f"It does not reply: {start}, {rest}")
        return json.loads(b"".join(part.get("body", b"") for part in rest))

    async def ask(self, times: int) -> None:
        """Ask so many times, each after the response to the one before."""
        for _ in range(times):
            await self._once()

    async def _once(self) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        waiting: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]
        gone: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, Any]:
            return waiting.pop() if waiting else await gone

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._scene.application(dict(self._scope), receive, send)
        return sent


def exchange(scene: Scene, user: Any) -> AbstractAsyncContextManager[Exchange | HTTPExchange]:
    """Return a connection to a scene's application, to be entered."""
    return HTTPExchange(scene) if scene.http else Exchange(scene, user)
