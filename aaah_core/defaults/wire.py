"""The wire `aaah`: requests, replies and events as the seed of this project has them.

A request is ``{"action": …, "route": …, "data": …, "request_id": …, …parameters}``, a reply is
``{"errors": [], "data": …, "action": …, "route": …, "status": 200}`` with the `request_id` if one
was sent, an event is ``{"event": …, "data": …, "status": 200}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aaah_core.django_errors import DJANGO_REPLIES
from aaah_core.errors import MalformedRequest
from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import ExceptionHandler, RequestParser, ResponseShaper
from aaah_core.messages import MISSING, Call, Event, Reply


def parse(payload: Any) -> Call:
    """Return the call of a payload."""
    if type(payload) is not dict:
        raise MalformedRequest("A request is an object.", call=Call(None, None))
    params = payload
    action = params.pop("action", None)
    route = params.pop("route", "")
    data = params.pop("data", MISSING)
    request_id = params.pop("request_id", None)
    call = Call(action, route, data, params, MISSING if request_id is None else request_id)
    if type(action) is str and type(route) is str and _is_id(request_id):
        return call
    raise _fault(call)


def _is_id(value: Any) -> bool:
    return value is None or type(value) is int or (type(value) is str and len(value) <= 128)


def _fault(call: Call) -> MalformedRequest:
    """Say what is wrong, and keep of the call only what could be read."""
    faults = []
    if not _is_id(call.request_id) and call.request_id is not MISSING:
        faults.append(("request_id", "is a string of at most 128 characters, or an integer"))
        call.request_id = MISSING
    if type(call.route) is not str:
        faults.append(("route", "is a string"))
        call.route = None
    if type(call.action) is not str:
        faults.append(("action", "is required" if call.action is None else "is a string"))
        call.action = None
    field, rule = faults[-1]
    return MalformedRequest(f"{field!r} {rule}.", field=[field], call=call)


def shape(call: Call | None, message: Reply | Event) -> dict[str, Any]:
    """Return the payload of a reply, or of an event."""
    if isinstance(message, Event):
        event = {"event": message.name, "data": message.data, "status": message.status}
        return event if message.seq is None else {**event, "seq": message.seq}
    payload: dict[str, Any] = {
        "errors": message.errors,
        "data": None if message.errors else message.data,
        "action": call.action if call else None,
        "route": call.route if call else None,
        "status": message.status,
    }
    if message.more:
        payload["more"] = True
    if call is not None and call.request_id is not MISSING:
        payload["request_id"] = call.request_id
    return payload


@hookimpl(trylast=True)
def aaah_request_parser(consumer_class: Any) -> RequestParser | None:
    return parse if consumer_class.wire == "aaah" else None


@hookimpl(trylast=True)
def aaah_response_shaper(consumer_class: Any) -> ResponseShaper | None:
    return shape if consumer_class.wire == "aaah" else None


@hookimpl(trylast=True)
def aaah_exception_handlers() -> Mapping[type[Exception], ExceptionHandler]:
    return DJANGO_REPLIES
