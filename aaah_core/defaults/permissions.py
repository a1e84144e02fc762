"""Class permissions: `BasePermission` of `aaah_core.permissions`, and its compositions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
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


def _moment(permission: BasePermission, name: str, arguments: Callable[..., Any]) -> Any:
    """Return a method of a check that asks a method of the permission, async if that one is."""
    method = getattr(permission, name)
    places = len(inspect.signature(getattr(BasePermission, name)).parameters) - 2
    by_place = {"self", *list(inspect.signature(method).parameters)[:places]}

    def ask(check: Check, *asked: Any) -> Any:
        *positional, kwargs = arguments(*asked)
        if not by_place.isdisjoint(kwargs):  # a value of the route has the name of one of them
            kwargs = {key: value for key, value in kwargs.items() if key not in by_place}
        return method(*positional, **kwargs)

    # It returns the method's own coroutine, which a worker may find to be one that never waits.
    return markcoroutinefunction(ask) if inspect.iscoroutinefunction(method) else ask


def _connect(scope: Scope, consumer: Any) -> tuple[Any, ...]:
    return scope, consumer, {}


def _call(call: Call) -> tuple[Any, ...]:
    return call.scope, call.handler, call.action, call.handler.kwargs


def _object(call: Call, obj: Any) -> tuple[Any, ...]:
    return call.scope, call.handler, call.action, obj, call.handler.kwargs


def _broadcast(subscription: Call, event: Event) -> tuple[Any, ...]:
    return subscription.scope, subscription.handler, subscription.action, {}


def _event(subscription: Call, event: Event) -> tuple[Any, ...]:
    return subscription.scope, subscription.handler, event, {}
