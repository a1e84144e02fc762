"""Class permissions: `BasePermission` of `aaah_core.permissions`, and its compositions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from asgiref.sync import markcoroutinefunction

from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import Check, Composition, Scope
from aaah_core.messages import Call, Event
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
    moments = {}
    if _overrides(permission, "can_connect"):
        moments["connect"] = _moment(permission, "can_connect", _connect)
    if _overrides(permission, "has_permission"):
        moments["call"] = _moment(permission, "has_permission", _call)
        moments["event"] = _moment(permission, "has_permission", _broadcast)
    if _overrides(permission, "has_object_permission"):
        moments["object"] = _moment(permission, "has_object_permission", _object)
    if _overrides(permission, "can_receive"):
        moments["event"] = _moment(permission, "can_receive", _event)
    return cast(Check, type(f"{type(permission).__name__}Check", (Check,), moments)())


def _overrides(permission: BasePermission, method: str) -> bool:
    own = getattr(getattr(permission, method), "__func__", None)
    return own is not getattr(BasePermission, method)


def _moment(permission: BasePermission, name: str, ask: Callable[..., Any]) -> Any:
    """Return a method of a check that asks a method of the permission, async if that one is."""
    method = getattr(permission, name)
    places = len(inspect.signature(getattr(BasePermission, name)).parameters) - 2
    by_place = {"self", *list(inspect.signature(method).parameters)[:places]}

    def captured(handler: Any) -> Mapping[str, Any]:
        kwargs: Mapping[str, Any] = handler.kwargs
        if by_place.isdisjoint(kwargs):
            return kwargs
        return {key: value for key, value in kwargs.items() if key not in by_place}

    def asked(check: Check, *arguments: Any) -> Any:
        return ask(method, captured, *arguments)

    # It returns the method's own coroutine: one of ours around it would cost each call 0.1 µs.
    return markcoroutinefunction(asked) if inspect.iscoroutinefunction(method) else asked


def _connect(method: Any, captured: Any, scope: Scope, consumer: Any) -> Any:
    return method(scope, consumer)


def _call(method: Any, captured: Any, call: Call) -> Any:
    handler = call.handler
    return method(call.scope, handler, call.action, **captured(handler))


def _object(method: Any, captured: Any, call: Call, obj: Any) -> Any:
    handler = call.handler
    return method(call.scope, handler, call.action, obj, **captured(handler))


def _broadcast(method: Any, captured: Any, subscription: Call, event: Event) -> Any:
    return method(subscription.scope, subscription.handler, subscription.action)


def _event(method: Any, captured: Any, subscription: Call, event: Event) -> Any:
    return method(subscription.scope, subscription.handler, event)
