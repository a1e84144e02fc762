"""Class permissions: `BasePermission` of `aaah_core.permissions`, and its compositions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from asgiref.sync import markcoroutinefunction

from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import Check, Composition
from aaah_core.messages import Call
from aaah_core.permissions import BasePermission


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
    # It returns the method's own coroutine: one of ours around it would cost each call 0.1 µs.
    return markcoroutinefunction(ask) if inspect.iscoroutinefunction(method) else ask


def _connect(ask: Any, captured: Any) -> Any:
    return lambda check, scope, consumer: ask(scope, consumer)


def _call(ask: Any, captured: Any) -> Any:
    return lambda check, call: ask(call.scope, call.handler, call.action, **captured(call))


def _object(ask: Any, captured: Any) -> Any:
    return lambda check, call, obj: ask(
        call.scope, call.handler, call.action, obj, **captured(call)
    )


def _broadcast(ask: Any, captured: Any) -> Any:
    return lambda check, joined, event: ask(joined.scope, joined.handler, joined.action)


def _event(ask: Any, captured: Any) -> Any:
    return lambda check, joined, event: ask(joined.scope, joined.handler, event)


#: What asks which method at which moment; of two that ask at the same one, the last.
_ASKED: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("connect", "can_connect", _connect),
    ("call", "has_permission", _call),
    ("object", "has_object_permission", _object),
    ("event", "has_permission", _broadcast),
    ("event", "can_receive", _event),
)
