"""Compiles what the permissions of a handler, and of its parents, ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aaah_core.answers import Answer, ask
from aaah_core.check_requirements import require_check, require_permission
from aaah_core.compatibility import CORE, canonical
from aaah_core.guards import Guard
from aaah_core.handlers import AsyncAPIActionHandler
from aaah_core.interfaces import Check, Composition
from aaah_core.moments import Moment, Moments, Name, compile_check
from aaah_core.permissions import DefaultPermissions
from aaah_core.requirements import no_check

if TYPE_CHECKING:
    from aaah_core.plan import Plan

__all__ = ["compile_permissions", "name_of"]


def compile_permissions(plan: Plan) -> None:
    """Give a plan its checks, and the guards that have its parents' too."""
    plan.permissions = _moments(plan, "permission_classes")
    # A throttle refuses calls as a permission does; one that nobody enforces stops the start, too.
    plan.moments = [*plan.permissions, *_moments(plan, "throttle_classes")]
    plan.default_moments = _default_moments(plan)
    plan.call_guard = _guard(plan, "call")
    plan.object_guard = _guard(plan, "object")
    plan.member_guard = _guard(plan, "call", throttled=False)


def _moments(plan: Plan, name: str) -> list[Moments]:
    return [
        _compiled(plan, name, _require_check(plan, name, entry))
        for entry in getattr(plan.handler_class, name, ())
    ]


def _default_moments(plan: Plan) -> list[Moments]:
    name = "permission_classes"
    named = next((each for each in plan.handler_class.__mro__ if name in vars(each)), None)
    check = _check(plan, DefaultPermissions) if named is AsyncAPIActionHandler else None
    return [] if check is None else [_compiled(plan, "the default of permission_classes", check)]


def _compiled(plan: Plan, name: str, check: tuple[Check, object]) -> Moments:
    return compile_check(*check, partial(_require_check, plan, name))


def _require_check(plan: Plan, name: str, permission: Any) -> tuple[Check, object]:
    check = _check(plan, permission)
    if check is None:
        raise no_check(plan, name, permission)
    return check


def _check(plan: Plan, permission: Any) -> tuple[Check, object] | None:
    hook = "aaah_permission_check"
    arguments = {"handler_class": plan.handler_class, "permission": permission}
    for plugin, answer in ask(plan.registry, hook, **arguments):
        plan.answers.append(Answer(hook, name_of(permission), plugin, permission))
        if canonical(plugin.distribution) == CORE:  # another may ask them in its own way
            require_permission(plan.handler_class, permission)
        check, name = require_check(answer, plugin), name_of(permission)
        # A check that serves many permissions says nothing of which it is.
        return check, plugin if name in type(check).__name__ else f"{plugin} for {name}"
    return None


def _composition(permission: Any) -> Composition | None:
    return permission if isinstance(permission, Composition) else None


def name_of(
    permission: Any, composition_of: Callable[[Any], Composition | None] = _composition
) -> str:
    """Return what an entry is called where it is shown: of an object its class, never its repr.

    That may hold a secret.

    Args:
        permission: An entry of `permission_classes`, or an operand of one.
        composition_of: Takes an entry apart that is a composition.
    """
    composition = composition_of(permission)
    if composition is None:
        own = repr(permission) if isinstance(permission, str) else None
        return own or getattr(permission, "__name__", None) or type(permission).__name__

    def part(operand: Any) -> str:
        inner = composition_of(operand)
        name = name_of(operand, composition_of)
        return name if inner is None or inner.operator == "not" else f"({name})"

    sign = "~" if composition.operator == "not" else ""
    return sign + _SIGNS[composition.operator].join(map(part, composition.operands))


_SIGNS = {"and": " & ", "or": " | ", "not": ""}


def _guard(plan: Plan, name: Name, *, throttled: bool = True) -> Guard:
    default = [moment for each in plan.default_moments if (moment := each[name]) is not None]
    asked: list[tuple[int, Moment]] = [(0, moment) for moment in default]
    up, place = 0, plan
    while True:
        all_moments = place.moments if throttled else place.permissions
        own = [moment for each in all_moments if (moment := each[name]) is not None]
        asked = [*((up, moment) for moment in own), *asked]
        if place.parent is None:
            return Guard.of(asked)
        up, place = up + 1, place.parent
