"""What permissions are asked, and what they judge by."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import aaah_core
from aaah_core import MISSING, Call
from rest_framework_channels.actions import filled_by_position
from rest_framework_channels.routings import way
from rest_framework_channels.utils import ensure_async

__all__ = ["ask", "call_of", "known", "taken"]

#: What a permission is given by these names is never the client's, nor the route's.
_GIVEN = ("scope", "handler", "action")
_RESERVED = frozenset({"self", *_GIVEN})


async def ask(permission: Any, name: str, /, **asked: Any) -> bool:
    """Ask a permission by a method of it, sync or async: by keywords, and by no more than it takes.

    One of AAAH's is asked as AAAH asks it: its `kwargs` are the values of the route.
    """
    method = getattr(permission, name)
    arguments: list[Any] = []
    if isinstance(permission, aaah_core.BasePermission) and name != "can_connect":
        places = (*_GIVEN, "obj") if name == "has_object_permission" else _GIVEN
        arguments = [asked[place] for place in places]
        captured = asked["handler"].kwargs
        asked = {key: value for key, value in captured.items() if key not in (*places, "self")}
    return bool(await ensure_async(method)(*arguments, **taken(method, asked)))


def taken(method: Callable[..., Any], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a method without `**kwargs` names of some arguments; all of them for others."""
    named = _named(getattr(method, "__func__", method))
    if named is None:
        return arguments
    return {key: value for key, value in arguments.items() if key in named}


@lru_cache(1024)
def _named(function: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names of a function's parameters; None if it takes any."""
    parameters = inspect.signature(function).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return None if takes_any else frozenset(parameters)


def call_of(handler: Any) -> Call | None:
    """Return the call that a handler runs; None where it runs none."""
    try:
        call: Call = handler.call
    except (AttributeError, LookupError):
        return None
    return call


def known(call: Call) -> dict[str, Any]:
    """Return what a permission may judge by: all that the action could get, and as it gets it.

    Where the route captured a name, also further down than the handler that is asked, its value
    stands: the client must not show a parent one value and the action another.
    """
    sent = {**call.params, "data": call.data, "request_id": call.request_id}
    captured = _captured(call)
    return {
        key: value
        for key, value in {**sent, **captured}.items()
        if key not in _RESERVED and value is not MISSING
    }


def _captured(call: Call) -> dict[str, Any]:
    captured, args = dict(call.handler.kwargs), call.consumer.args
    handler_class: type[Any] = type(call.consumer)
    for match in way(call):
        captured.update(match.kwargs)
        handler_class, args = match.handler_class, match.args
    if args:
        names = filled_by_position(handler_class, call.action or "")
        captured.update(zip([name for name in names if name not in captured], args, strict=False))
    return captured
