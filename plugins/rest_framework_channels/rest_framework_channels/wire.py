"""The wire `rest_framework_channels`.

to us       {"action": …, "route": …, "data": …, …parameters}
to a client {"errors": [], "data": …, "action": …, "route": …, "status": 200}
            {"type": …, "data": …, "status": 200}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aaah_core import MISSING, Call, Event, MalformedRequest, Reply
from rest_framework_channels.exceptions import ActionMissingException
from rest_framework_channels.settings import api_settings

__all__ = ["Answer", "as_drf", "encodable", "parse", "shape"]


class Answer(Reply):
    """A reply whose errors are DRF's already: texts, or dicts of any shape."""


def as_drf(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return error objects as DRF gives errors: texts by field, or a detail."""
    return [
        {".".join(map(str, error["field"])): [error["detail"]]}
        if error.get("field")
        else {key: value for key, value in error.items() if key not in ("code", "field")}
        for error in errors
    ]


def parse(payload: Any) -> Call:
    """Return the call of a payload.

    Raises:
        ActionMissingException: There is no action.
        MalformedRequest: It is no object, or its action or route is no text.
    """
    if type(payload) is not dict:
        raise MalformedRequest("A request is an object.")
    if "action" not in payload:
        error: Any = ActionMissingException()
        error.call = Call(None, "")
        raise error
    action, route = payload.pop("action"), payload.pop("route", "")
    if type(action) is not str:
        raise MalformedRequest("'action' is a string.", field=["action"])
    if route is not None and type(route) is not str:
        call = Call(action, None)
        raise MalformedRequest("'route' is a string.", field=["route"], call=call)
    request_id = payload.pop("request_id", MISSING)
    return Call(action, route, payload.pop("data", MISSING), payload, request_id)


def shape(call: Call | None, message: Reply | Event) -> dict[str, Any]:
    """Return the payload of a reply, which has five keys, or of an event."""
    if isinstance(message, Event):
        return {"type": message.name, "data": message.data, "status": message.status}
    if isinstance(message, Answer):
        data, errors = message.data, message.errors
    else:
        data = None if message.errors else message.data
        errors = as_drf(message.errors)
    payload = {
        "errors": errors,
        "data": data,
        "action": call.action if call else None,
        "route": call.route if call else None,
        "status": message.status,
    }
    return encodable(payload, type(call.handler)) if call else payload


def encodable(payload: Any, handler_class: type[Any]) -> Any:
    """Return a payload as the handler's `json_encoder_class`, if it has one, makes it."""
    own = getattr(handler_class, "json_encoder_class", None)
    encoder = own or api_settings.JSON_ENCODER_CLASS
    return payload if encoder is None else json.loads(json.dumps(payload, cls=encoder))
