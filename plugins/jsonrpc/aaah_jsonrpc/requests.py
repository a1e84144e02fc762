"""From a payload to calls: requests, notifications and batches of JSON-RPC 2.0."""

from __future__ import annotations

from typing import Any, NamedTuple

from aaah_core import MISSING, Call, MalformedRequest, RequestError

__all__ = ["Request", "parse"]

#: Characters of an id that is text, as in the wire `aaah`.
_ID_LENGTH = 128


class Request(NamedTuple):
    """What `Call.meta` remembers of a request."""

    #: The id to repeat; None where there is none, and where it is null or could not be read.
    id: str | int | float | None = None
    #: The parameters that came by position.
    positional: list[Any] | None = None


def parse(payload: Any) -> Call | list[Call | RequestError]:
    """Return the call of a request, or the calls of a batch and what is wrong with the others.

    Raises:
        MalformedRequest: It is no request, or an empty batch.
    """
    if type(payload) is not list:
        return _call(payload)
    if not payload:
        raise _malformed("A batch is not empty.", None)
    return [_member(each) for each in payload]


def _member(payload: Any) -> Call | RequestError:
    try:
        return _call(payload)
    except MalformedRequest as error:
        return error


def _call(payload: Any) -> Call:
    if type(payload) is not dict:
        raise _malformed("A request is an object.", None)
    request_id = payload.get("id")
    if not _is_id(request_id):
        raise _malformed(
            f"'id' is a string of at most {_ID_LENGTH} characters, a number, or null.", None
        )
    if payload.get("jsonrpc") != "2.0":
        raise _malformed("'jsonrpc' is \"2.0\".", request_id)
    method, params = payload.get("method"), payload.get("params", {})
    if type(method) is not str:
        raise _malformed("'method' is required and a string.", request_id)
    if type(params) not in (dict, list):
        raise _malformed("'params' is an object or a list.", request_id)
    route, _, action = method.rpartition(":")
    by_name: dict[str, Any] = params if type(params) is dict else {}
    return Call(
        action,
        route,
        by_name.pop("data", MISSING),
        by_name,
        request_id if isinstance(request_id, (str, int)) else MISSING,
        "id" in payload,
        Request(request_id, params if type(params) is list else None),
    )


def _is_id(value: Any) -> bool:
    if type(value) is str:
        return len(value) <= _ID_LENGTH
    return value is None or type(value) in (int, float)


def _malformed(detail: str, request_id: str | float | None) -> MalformedRequest:
    return MalformedRequest(detail, call=Call(None, None, meta=Request(request_id)))
