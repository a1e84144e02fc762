"""What a contender offers to one case, and what all of them are asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["PK", "ROWS", "TEXT", "Scene", "User", "request"]

#: What an echo says: with what stands around it, a request has 110 bytes and a reply 150.
TEXT = "x" * 60
#: The row that is retrieved, and what child routes capture.
PK = 50
#: What an event carries: 2 kB.
ROWS = [{"id": number, "title": TEXT, "price": number * 1.5} for number in range(20)]


class User:
    """Who is logged in, for contenders that have no Django; the others take Django's own."""

    is_authenticated = True


def _data(reply: Any) -> Any:
    return reply["data"]


@dataclass(frozen=True)
class Scene:
    """One application, and one request that it is asked over and over.

    Attributes:
        application: An ASGI application.
        request: The text of the frame that a client sends; of HTTP, the path.
        data: Picks out of a decoded reply what is the same for all contenders.
        http: Whether it speaks HTTP instead of WebSocket.
    """

    application: Callable[..., Any]
    request: str
    data: Callable[[Any], Any] = _data
    http: bool = False


def request(action: str = "echo", route: str = "", **parameters: Any) -> str:
    """Return a request in the wire's shape, as a browser would write it."""
    text = {"text": TEXT} if action == "echo" else {}
    message = {"action": action, "route": route, **text, **parameters, "request_id": 7}
    return json.dumps(message, separators=(",", ":"))
