"""What a consumer offers, as plain data: documents, consoles and clients are made from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aaah_core.answers import ask
from aaah_core.interfaces import Composition
from aaah_core.plan import Plan, consumer_plan
from aaah_core.plan_permissions import name_of

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
    permissions = [*above, *_permissions(plan)]
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


def _permissions(plan: Plan) -> list[str]:
    own = getattr(plan.handler_class, "permission_classes", ())
    return [name_of(permission, partial(_composition, plan)) for permission in own]


def _composition(plan: Plan, permission: Any) -> Composition | None:
    if isinstance(permission, Composition):
        return permission
    # What another framework has composed, its plugin alone can take apart.
    hook, about = "aaah_permission_check", {"handler_class": plan.handler_class}
    _, check = next(ask(plan.registry, hook, **about, permission=permission), (None, None))
    return check if isinstance(check, Composition) else None
