"""Compiles what the permissions of a handler, and of its parents, ask."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aaah_core.answers import Answer, ask
from aaah_core.expectations import typed
from aaah_core.guards import Guard
from aaah_core.handlers import AsyncAPIActionHandler
from aaah_core.interfaces import Check
from aaah_core.moments import Moment, Moments, Name, compile_check
from aaah_core.permissions import DefaultPermissions
from aaah_core.requirements import no_check

if TYPE_CHECKING:
    from aaah_core.plan import Plan

__all__ = ["compile_permissions"]


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


def _compiled(plan: Plan, name: str, check: Check) -> Moments:
    return compile_check(check, partial(_require_check, plan, name))


def _require_check(plan: Plan, name: str, permission: Any) -> Check:
    check = _check(plan, permission)
    if check is None:
        raise no_check(plan, name, permission)
    return check


def _check(plan: Plan, permission: Any) -> Check | None:
    hook = "aaah_permission_check"
    arguments = {"handler_class": plan.handler_class, "permission": permission}
    for plugin, check in ask(plan.registry, hook, **arguments):
        subject = getattr(permission, "__name__", repr(permission))
        plan.answers.append(Answer(hook, subject, plugin))
        return cast(Check, typed(check, Check, plugin, hook))
    return None


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
