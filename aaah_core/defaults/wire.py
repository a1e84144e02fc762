"""The wire `aaah`: the shape of requests, replies and events.

to us       {"action": …, "route": …, "data": …, "request_id": …, …parameters}
to a client {"errors": [], "data": …, "action": …, "route": …, "status": 200, "request_id": …}
            {"event": …, "data": …, "status": 200}
"""

from __future__ import annotations

from typing import Any

from aaah_core.errors import MalformedRequest
from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import ExceptionHandler, RequestParser, ResponseShaper
from aaah_core.messages import MISSING, Call, Event, Reply


def parse(payload: Any) -> Call:
    """Return the call of a payload; what the wire does not name is a parameter."""
    if type(payload) is not dict:
        raise MalformedRequest("A request is an object.")
    action, route = payload.pop("action", None), payload.pop("route", "")
    data, request_id = payload.pop("data", MISSING), payload.pop("request_id", None)
    kind = type(request_id)
    is_id = kind is int or request_id is None or (kind is str and len(request_id) <= 128)
    call = Call(action, route, data, payload, MISSING if request_id is None else request_id)
    if type(action) is str and type(route) is str and is_id:
        return call
    raise _fault(call, is_id)


def _fault(call: Call, is_id: bool) -> MalformedRequest:
    field, rule = "action", "is required and a string"
    if not is_id:
        field, rule = "request_id", "is a string of at most 128 characters, or an integer"
        call.request_id = MISSING
    if type(call.route) is not str:
        field, rule, call.route = "route", "is a string", None
    call.action = call.action if type(call.action) is str else None
    return MalformedRequest(f"{field!r} {rule}.", field=[field], call=call)


def shape(call: Call | None, message: Reply | Event) -> dict[str, Any]:
    """Return the payload of a reply, or of an event."""
    if not isinstance(message, Reply):
        event = {"event": message.name, "data": message.data, "status": message.status}
        return event if message.seq is None else {**event, "seq": message.seq}
    call = call or Call(None, None)
    payload: dict[str, Any] = {
        "errors": message.errors,
        "data": None if message.errors else message.data,
        "action": call.action,
        "route": call.route,
        "status": message.status,
        "request_id": call.request_id,  # in the literal: to add a sixth key makes a dict grow
    }
    if call.request_id is MISSING:
        del payload["request_id"]
    if message.more:
        payload["more"] = True
    return payload


@hookimpl(trylast=True)
def aaah_request_parser(consumer_class: Any) -> RequestParser | None:
    return parse if consumer_class.wire == "aaah" else None


@hookimpl(trylast=True)
def aaah_response_shaper(consumer_class: Any) -> ResponseShaper | None:
    return shape if consumer_class.wire == "aaah" else None


@hookimpl(trylast=True)
def aaah_exception_handlers() -> dict[type[Exception], ExceptionHandler]:
    from aaah_core.django_errors import DJANGO_REPLIES  # which a start of Django does without

    return DJANGO_REPLIES
