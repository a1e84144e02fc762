"""What a consumer offers, as plain data: documents, consoles and clients are made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaah_core.interfaces import Composition
from aaah_core.plan import Plan, consumer_plan

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer

__all__ = ["describe"]


def describe(consumer_class: type[AsyncAPIConsumer]) -> dict[str, Any]:
    """Return the routes, actions, parameters, permissions, codecs and wire of a consumer.

    Raises:
        ConfigurationError: The consumer cannot be compiled.
    """
    plan = consumer_plan(consumer_class)
    return {
        "consumer": f"{consumer_class.__module__}.{consumer_class.__qualname__}",
        "wire": plan.wire,
        "codecs": list(plan.codecs),
        "subprotocols": [codec.subprotocol for codec in plan.codecs.values()],
        "routes": _routes(plan, "", []),
    }


def _routes(plan: Plan, prefix: str, above: list[str]) -> list[dict[str, Any]]:
    permissions = [*above, *map(_name, getattr(plan.handler_class, "permission_classes", ()))]
    routes = [
        {
            "route": prefix,
            "handler": f"{plan.handler_class.__module__}.{plan.handler_class.__qualname__}",
            "permissions": [
                *permissions,
                *(["DefaultPermissions"] if plan.default_moments else []),
            ],
            "actions": [_action(action) for _, action in sorted(plan.actions.items())],
        }
    ]
    for resolver in plan.resolvers:
        for text, handler_class in getattr(resolver, "routes", ()):
            routes += _routes(plan.child(handler_class), prefix + text, permissions)
    return routes


def _action(action: Any) -> dict[str, Any]:
    return {
        "name": action.name,
        "doc": action.doc,
        "params": dict(action.params),
        "returns": dict(action.returns),
        "writes": action.writes,
        "mode": action.mode,
    }


_SIGNS = {"and": " & ", "or": " | ", "not": ""}


def _name(permission: Any) -> str:
    if not isinstance(permission, Composition):
        return getattr(permission, "__name__", None) or repr(permission)
    parts = [
        f"({_name(each)})" if getattr(each, "operator", "not") != "not" else _name(each)
        for each in permission.operands
    ]
    sign = "~" if permission.operator == "not" else ""
    return sign + _SIGNS[permission.operator].join(parts)
