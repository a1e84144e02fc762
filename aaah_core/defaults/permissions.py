"""Class permissions: `BasePermission` of `aaah_core.permissions`, and its compositions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from asgiref.sync import markcoroutinefunction

from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import Check, Composition
from aaah_core.messages import Call
from aaah_core.permissions import AllowAny, BasePermission


@hookimpl(trylast=True)
def aaah_permission_check(permission: Any) -> Check | None:
    if isinstance(permission, Composition):
        return permission
    if isinstance(permission, type) and issubclass(permission, BasePermission):
        permission = permission()
    return _check(permission) if isinstance(permission, BasePermission) else None


def _check(permission: BasePermission) -> Check:
    """Return a check that has a say where the permission does, so that the rest costs nothing."""
    moments = {
        moment: _moment(permission, name, ask)
        for moment, name, ask in _ASKED
        if _overrides(permission, name)
    }
    if not moments and isinstance(permission, AllowAny):
        return Check()
    return cast(Check, type(f"{type(permission).__name__}Check", (Check,), moments)())


def _overrides(permission: BasePermission, method: str) -> bool:
    own = getattr(getattr(permission, method), "__func__", None)
    return own is not getattr(BasePermission, method)


def _moment(permission: BasePermission, name: str, asking: Callable[..., Any]) -> Any:
    """Return a method of a check that asks a method of the permission, async if that one is."""
    method = getattr(permission, name)
    places = len(inspect.signature(getattr(BasePermission, name)).parameters) - 2
    by_place = {"self", *list(inspect.signature(method).parameters)[:places]}

    def captured(call: Call) -> Mapping[str, Any]:
        kwargs: Mapping[str, Any] = call.handler.kwargs
        if by_place.isdisjoint(kwargs):
            return kwargs
        return {key: value for key, value in kwargs.items() if key not in by_place}

    ask = asking(method, captured)
    of_scope = getattr(method, "of_scope", None)
    if of_scope is not None and name == "has_permission":
        ask.at_once = lambda call: of_scope(call.scope)
    # It returns the method's own coroutine: one of ours around it would cost each call 0.1 µs.
    return markcoroutinefunction(ask) if inspect.iscoroutinefunction(method) else ask


def _head(call: Call) -> tuple[Any, ...]:
    return call.scope, call.handler, call.action


#: What asks which method at which moment; of two that ask at the same one, the last.
_ASKED: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("connect", "can_connect", lambda ask, more: lambda check, scope, own: ask(scope, own)),
    ("call", "has_permission", lambda ask, more: lambda check, c: ask(*_head(c), **more(c))),
    (
        "object",
        "has_object_permission",
        lambda ask, more: lambda check, c, obj: ask(*_head(c), obj, **more(c)),
    ),
    ("event", "has_permission", lambda ask, more: lambda check, c, event: ask(*_head(c))),
    ("event", "can_receive", lambda ask, more: lambda check, c, event: ask(*_head(c)[:2], event)),
)
