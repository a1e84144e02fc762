"""From a reply to a response of JSON-RPC 2.0, and from an event to a notification."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from aaah_core import (
    ActionNotFound,
    Call,
    DecodeError,
    Event,
    MalformedRequest,
    NotFound,
    Reply,
)
from aaah_jsonrpc.requests import Request

__all__ = ["code_of", "shape"]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000

_MESSAGES = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid Request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params",
    INTERNAL_ERROR: "Internal error",
}


def shape(call: Call | None, message: Reply | Event) -> dict[str, Any]:
    """Return the payload of a response, or of a notification for an event."""
    if isinstance(message, Event):
        params = {"data": message.data, "status": message.status}
        if message.seq is not None:
            params["seq"] = message.seq
        return {"jsonrpc": "2.0", "method": message.name, "params": params}
    request = call.meta if call is not None else None
    request_id = request.id if isinstance(request, Request) else None
    if message.errors or message.status >= 400:
        return {"jsonrpc": "2.0", "error": _error(message), "id": request_id}
    return {"jsonrpc": "2.0", "result": message.data, "id": request_id}


def code_of(reply: Reply) -> int:
    """Return the specification's code for what went wrong, or one of the server's range.

    The latter say the status: -32003 is 403, and -32054 is 504.
    """
    status, raised = reply.status, reply.exception
    if isinstance(raised, DecodeError) and status == 400:
        return PARSE_ERROR
    if isinstance(raised, MalformedRequest):
        return INVALID_REQUEST
    # A method is a route and an action, so that a route that leads nowhere is none.
    if isinstance(raised, ActionNotFound) or (
        isinstance(raised, NotFound) and raised.field == ["route"]
    ):
        return METHOD_NOT_FOUND
    if status in (400, 500):
        return INVALID_PARAMS if status == 400 else INTERNAL_ERROR
    hundreds, rest = divmod(status, 100)
    base = {4: 0, 5: 50}.get(hundreds)
    return SERVER_ERROR if base is None or rest >= 50 else SERVER_ERROR - base - rest


def _error(reply: Reply) -> dict[str, Any]:
    code = code_of(reply)
    data: dict[str, Any] = {"status": reply.status, "errors": reply.errors}
    if not reply.errors and reply.data is not None:
        data["data"] = reply.data
    return {"code": code, "message": _MESSAGES.get(code) or _message(reply), "data": data}


def _message(reply: Reply) -> str:
    for error in reply.errors:
        if isinstance(detail := error.get("detail"), str):
            return detail
    try:
        return HTTPStatus(reply.status).phrase
    except ValueError:
        return "Server error"
