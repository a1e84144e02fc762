"""Bytes to reply: a consumer and all that it stands on, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from django.urls import include, path, re_path

from aaah_async_action.decorators import async_action
from aaah_core.testing import registry
from tests.fuzz.inputs import CODECS, choices
from tests.hostile.application import SECRET, Child, Closed, Hostile
from tests.hostile.rules import decode

#: What a frame may be answered with: nothing else is documented for these actions.
STATUSES = {200, 204, 400, 403, 404, 405, 413, 415}
REPLY = {"errors", "data", "action", "route", "status"}


class Answering(Hostile):
    """Answers without a database, however many messages nobody can read."""

    limits = {"bad_messages": 10**9}
    state = None  # it takes longer than everything else

    @async_action
    async def take_set(self, value: set[str | int]):
        return len(value)

    routepatterns = [
        path("child/<int:pk>/", Child.as_aaah()),
        path("closed/", Closed.as_aaah()),
        re_path(r"shelf/(?P<name>\w+)/", Child.as_aaah()),
        path("in/<slug:pk>/", include([path("child/", Child.as_aaah())])),
    ]


class Line:
    """One connection as its server has it; it lives through all frames."""

    def __init__(self, application: Any, codec: str) -> None:
        self._frame: asyncio.Future[Any] | None = None
        self._news = asyncio.Event()
        self._sent: list[Any] = []
        scope = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "subprotocols": [f"aaah.{codec}"],
        }
        self._task = asyncio.create_task(application(scope, self._receive, self._send))
        self._task.add_done_callback(lambda _: self._news.set())

    async def connected(self) -> None:
        answer = await self._answer({"type": "websocket.connect"})
        assert answer["type"] == "websocket.accept", answer

    async def ask(self, frame: str | bytes) -> Any:
        """Send a frame and return the one reply that it gets."""
        key = "text" if isinstance(frame, str) else "bytes"
        answer = await self._answer({"type": "websocket.receive", key: frame})
        assert answer["type"] == "websocket.send", answer
        return decode(answer.get("text") or answer["bytes"])

    async def close(self) -> None:
        if not self._task.done():
            await self._wanted()
            self._give({"type": "websocket.disconnect", "code": 1000})
        await self._task

    async def _answer(self, message: Any) -> Any:
        await self._wanted()
        assert not self._sent, "more than one reply was sent"
        self._give(message)
        while not self._sent:
            await self._hear()
        await self._wanted()
        [answer] = self._sent
        self._sent.clear()
        return answer

    async def _wanted(self) -> None:
        """Wait until the application wants the next message: it is done with the last one."""
        while self._frame is None:
            await self._hear()

    async def _hear(self) -> None:
        self._news.clear()
        assert not self._task.done(), "the connection has ended"
        await self._news.wait()

    def _give(self, message: Any) -> None:
        frame, self._frame = self._frame, None
        frame.set_result(message)

    async def _receive(self) -> Any:
        self._frame = asyncio.get_running_loop().create_future()
        self._news.set()
        return await self._frame

    async def _send(self, message: Any) -> None:
        self._sent.append(message)
        self._news.set()


class Pipeline:
    """Sends frames over two connections: each gets one reply, as the wire and its status say."""

    def __init__(self, consumer: Any = Answering) -> None:
        with registry("async_action", "drf", "msgpack"):
            application = consumer.as_asgi()
        self._runner = asyncio.Runner()
        self._lines = {codec: self._runner.run(_open(application, codec)) for codec in CODECS}

    def run(self, data: bytes) -> None:
        """Send what the fuzzer made.

        Raises:
            Exception: Anything but a documented reply, which is then a finding.
        """
        codec, other_kind, frame = choices(data)
        if (codec == "json") != other_kind:
            # As no server would bring it, but whoever stands between might: no text is let pass.
            frame = frame.decode("utf-8", "surrogateescape")
        _require_documented(self._runner.run(self._lines[codec].ask(frame)))

    def close(self) -> None:
        for line in self._lines.values():
            self._runner.run(line.close())
        self._runner.close()


async def _open(application: Any, codec: str) -> Line:
    line = Line(application, codec)
    await line.connected()
    return line


def _require_documented(reply: Any) -> None:
    assert reply["status"] in STATUSES, reply
    assert reply.keys() - {"request_id"} == REPLY, reply
    assert bool(reply["errors"]) == (reply["status"] >= 400), reply
    assert not reply["errors"] or reply["data"] is None, reply
    assert all({"code", "detail"} <= error.keys() for error in reply["errors"]), reply
    assert SECRET not in str(reply), reply
