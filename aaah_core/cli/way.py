"""The way that one message would take through a consumer, read from its plan."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from asgiref.sync import async_to_sync

from aaah_core.interfaces import Match
from aaah_core.messages import Call
from aaah_core.moments import NAMES, Moment, Moments
from aaah_core.plan import ConsumerPlan, Plan
from aaah_core.plan_permissions import name_of

__all__ = ["Checked", "Step", "checks_of", "middleware_of", "steps_of"]

#: Its name, the plugin, and what happens.
Step: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class Checked:
    """One entry of `permission_classes` or `throttle_classes`, of a handler or one of its parents.

    Attributes:
        name: What stands there.
        plugin: The plugin that answers for it.
        owner: The handler class that has it.
        moments: What it asks.
    """

    name: str
    plugin: str
    owner: str
    moments: Moments


def checks_of(plan: Plan) -> list[Checked]:
    """Return what is asked about a handler's calls: of the parents first."""
    above = checks_of(plan.parent) if plan.parent is not None else []
    owner = plan.handler_class
    entries = [
        entry
        for attribute in ("permission_classes", "throttle_classes")
        for entry in getattr(owner, attribute, ())
    ]
    names = [name_of(entry) for entry in entries]
    names += ["DefaultPermissions"] * len(plan.default_moments)
    answered = {
        answer.subject: answer.plugin.name
        for answer in plan.answers
        if answer.hook == "aaah_permission_check"
    }
    moments = [*plan.moments, *plan.default_moments]
    return [
        # A handler's default is for its own actions, and not for those of its routes.
        *(check for check in above if check.name != "DefaultPermissions"),
        *(
            Checked(name, answered.get(name, "?"), owner.__qualname__, each)
            for name, each in zip(names, moments, strict=True)
        ),
    ]


def middleware_of(plan: Plan, action: str) -> list[str]:
    """Return the plugins whose middleware stands around an action, the outermost first."""
    return [
        answer.plugin.name
        for answer in plan.answers
        if answer.hook == "aaah_middleware" and answer.subject == action
    ]


def steps_of(plan: ConsumerPlan, route: str, action: str | None) -> Iterator[Step]:
    """Give the steps of a message with a route; of all actions, if none is named."""
    wire = f"as the wire {plan.wire!r}"
    yield "decode", _who(plan, "aaah_codecs"), "the frame, by the codec of the connection"
    yield "parse", _who(plan, "aaah_request_parser"), f"the payload, {wire}"
    place, steps = _found(plan, route)
    yield from steps
    if place is None:
        yield from _rejected(plan)
    elif action is not None and action not in place.actions:
        has = f"{place.handler_class.__qualname__} has {', '.join(place.actions) or 'no action'}"
        yield "action", "", f"there is no {action!r}: 405; {has}"
        yield from _rejected(plan)
    else:
        for name in [action] if action is not None else place.actions:
            yield from _called(place, name)
    yield "shape", _who(plan, "aaah_response_shaper"), f"the reply, {wire}"
    yield "encode", _who(plan, "aaah_codecs"), "the payload, by the codec of the connection"


def _who(plan: Plan, hook: str) -> str:
    return ", ".join(each.plugin.name for each in plan.answers if each.hook == hook)


def _found(plan: ConsumerPlan, route: str) -> tuple[Plan | None, list[Step]]:
    """Return the handler that a route leads to, None if there is none, and the steps to it."""
    place: Plan = plan
    rest = route.partition("?")[0]
    steps: list[Step] = []
    while rest:
        plugin, match = _resolved(place, rest)
        where = place.handler_class.__qualname__
        if match is None:
            return None, [*steps, ("route", plugin, f"{rest!r} leads nowhere from {where}: 404")]
        values = [
            *map(repr, match.args),
            *(f"{key}={each!r}" for key, each in match.kwargs.items()),
        ]
        found = f"{rest!r} leads from {where} to {match.handler_class.__qualname__}"
        steps.append(("route", plugin, f"{found}, with {', '.join(values)}" if values else found))
        if match.handler_class is place.handler_class:
            break
        place, rest = place.child(match.handler_class), match.rest
    return place, steps


def _resolved(place: Plan, route: str) -> tuple[str, Match | None]:
    """Return the first match of a handler's resolvers, and whose it is; else who was asked."""

    async def resolve(resolver: Any) -> Match | None:
        found = resolver(route, Call(None, route, scope={}))
        match: Match | None = await found if inspect.isawaitable(found) else found
        return match

    answers = [each for each in place.answers if each.hook == "aaah_route_resolver"]
    for answer, resolver in zip(answers, place.resolvers, strict=True):
        if (match := async_to_sync(resolve)(resolver)) is not None:
            return answer.plugin.name, match
    return ", ".join(each.plugin.name for each in answers), None


def _called(place: Plan, name: str) -> Iterator[Step]:
    action = place.actions[name]
    for plugin in middleware_of(place, name):
        yield "middleware", plugin, f"stands around {name!r}, and sees its reply on the way back"
    for check in checks_of(place):
        moments = [moment for moment in NAMES[1:] if check.moments[moment] is not None]
        if moments:
            where = f"{check.name} of {check.owner}, {_thread(check.moments[moments[0]])}"
            yield "check", check.plugin, f"{where}, about: {', '.join(moments)}"
    thread = "in a worker thread" if action.sync else "on the event loop"
    what = f"{place.handler_class.__qualname__}.{name}, {thread}, mode {action.mode}"
    yield "action", _owner(place, "aaah_actions", name), what
    for plugin, classes in _exceptions(place).items():
        yield "if it raises", plugin, ", ".join(classes)


def _thread(moment: Moment | None) -> str:
    return "on the event loop" if moment is not None and moment.awaited else "in a worker thread"


def _owner(place: Plan, hook: str, subject: str) -> str:
    found = (each for each in place.answers if (each.hook, each.subject) == (hook, subject))
    return next((each.plugin.name for each in found), "")


def _exceptions(place: Plan) -> dict[str, list[str]]:
    """Return what each plugin's exception handlers answer for: for one class, the first's."""
    found: dict[str, list[str]] = {}
    for subject in dict.fromkeys(
        each.subject for each in place.answers if each.hook == "aaah_exception_handlers"
    ):
        found.setdefault(_owner(place, "aaah_exception_handlers", subject), []).append(subject)
    return found


def _rejected(plan: ConsumerPlan) -> Iterator[Step]:
    for plugin in middleware_of(plan, "(no action)"):
        yield "middleware", plugin, "stands around what reaches no action"
