"""The floor: an ASGI loop by hand, with the codec library that ours has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tests.benchmarks.scene import PK, ROWS, Scene, User, request

__all__ = ["child", "echo", "setup", "told", "work"]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def setup() -> Any:
    """Return who is logged in."""
    return User()


def _answering(data: Callable[[Any], Any]) -> Callable[..., Awaitable[None]]:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            call = _decode(message["text"])
            reply = {
                "errors": [],
                "data": data(call),
                "action": call["action"],
                "route": call["route"],
                "status": 200,
                "request_id": call["request_id"],
            }
            await send({"type": "websocket.send", "text": _encode(reply).decode()})

    return application


def echo() -> Scene:
    """Say the same text."""
    return Scene(_answering(lambda call: {"text": call["text"]}), request())


def child() -> Scene:
    """Say it with the number in the route, which nobody reads."""
    application = _answering(lambda call: {"text": call["text"], "pk": PK})
    return Scene(application, request(route=f"books/{PK}/"))


def told() -> Scene:
    """Tell everybody: one frame, sent to one after the other."""
    members: dict[Any, None] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        members[send] = None
        while (await receive())["type"] == "websocket.receive":
            event = {"event": "news", "data": ROWS, "status": 200}
            text = _encode(event).decode()
            for each in list(members):
                await each({"type": "websocket.send", "text": text})
        del members[send]

    return Scene(application, request("tell"))


def work() -> Callable[[], str]:
    """Return what makes the reply to `child`, without the loop and the server around it."""
    frame = request(route=f"books/{PK}/")

    def reply() -> str:
        call = _decode(frame)
        payload = {
            "errors": [],
            "data": {"text": call["text"], "pk": PK},
            "action": call["action"],
            "route": call["route"],
            "status": 200,
            "request_id": call["request_id"],
        }
        return _encode(payload).decode()

    return reply
