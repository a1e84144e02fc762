"""What the demo sends, and what must come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["BOOKS", "SCENES", "Scene"]

#: What the database begins with.
BOOKS = [
    {"id": 1, "title": "Frankenstein", "author": "Mary Shelley"},
    {"id": 2, "title": "Middlemarch", "author": "George Eliot"},
    {"id": 3, "title": "The Time Machine", "author": "H. G. Wells"},
]


@dataclass(frozen=True)
class Scene:
    """One exchange.

    Attributes:
        title: What it shows.
        codec: Which of the two clients sends it.
        request: The payload, or a string that is sent as it is.
        reply: The payload that must come back.
    """

    title: str
    codec: str
    request: dict[str, Any] | str
    reply: dict[str, Any]


_PAGE_REQUEST = {"action": "your_custom_action", "route": "test_child_route/5/"}
_PAGE_REPLY = {
    "errors": [],
    "action": "your_custom_action",
    "data": {"message": "your_custom_action will be handled", "model_id": 5},
    "route": "test_child_route/5/",
    "status": 200,
}


def _refusal(
    status: int, action: str | None, route: str | None, code: str, detail: str, **more: Any
) -> dict[str, Any]:
    error = {"code": code, "detail": detail, **more}
    return {"errors": [error], "data": None, "action": action, "route": route, "status": status}


SCENES = [
    Scene("An action of one's own, in JSON", "json", _PAGE_REQUEST, _PAGE_REPLY),
    Scene("The same consumer in MessagePack", "msgpack", _PAGE_REQUEST, _PAGE_REPLY),
    Scene(
        "A permission that refuses: 403",
        "json",
        {"action": "whoami", "route": "members/me/"},
        _refusal(
            403,
            "whoami",
            "members/me/",
            "permission_denied",
            "You do not have permission to perform this action.",
        ),
    ),
    Scene(
        "A route that leads nowhere: 404",
        "json",
        {"action": "retrieve", "route": "films/1/"},
        _refusal(
            404,
            "retrieve",
            "films/1/",
            "not_found",
            "The route leads nowhere.",
            field=["route"],
        ),
    ),
    Scene(
        "A malformed frame, which is answered too",
        "json",
        '{"action": "retrieve", "route":',
        _refusal(400, None, None, "unreadable", "The message is not valid JSON."),
    ),
    Scene(
        "The next call on the same connection, to a model and its serializer",
        "json",
        {"action": "retrieve", "route": "books/1/"},
        {
            "errors": [],
            "data": BOOKS[0],
            "action": "retrieve",
            "route": "books/1/",
            "status": 200,
        },
    ),
]
