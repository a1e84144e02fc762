"""From a call's route to the handler that it leads to."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any

from aaah_core.errors import NotFound, TooLarge
from aaah_core.handlers import NO_VALUES
from aaah_core.interfaces import Match, RouteResolver
from aaah_core.messages import Call
from aaah_core.mistakes import misgiven, require_match
from aaah_core.routing import Table

if TYPE_CHECKING:
    from aaah_core.plan import Plan

__all__ = ["at_hand", "find"]


def at_hand(plan: Plan, resolver: RouteResolver) -> RouteResolver:
    """Return what a call asks: of a resolver other than the core's own, each match is looked at."""
    if type(resolver) is not Table:

        def looked_at(route: str, call: Call) -> Any:
            match = resolver(route, call)
            if isinstance(match, Match):
                require_match(plan, resolver, match)
            return match

        return looked_at
    # Its method, as it takes Python 0.05 µs to find `__call__`.
    return MethodType(Table.__call__, resolver)


def find(plan: Plan, call: Call, route: str) -> Plan | Coroutine[Any, Any, Plan]:
    """Return the plan of the handler that a route leads to, and give the call an instance.

    It is to be awaited only where a resolver has to wait.

    Raises:
        NotFound: The route matches nothing.
        TooLarge: It is too long.
    """
    if len(route) > plan.limits.route_length:
        raise TooLarge("The route is too long.", field=["route"])
    if "?" in route:
        route = route.partition("?")[0]
    while route:
        for resolve in plan.resolve:
            if (match := resolve(route, call)) is not None:
                break
        else:
            raise _nowhere()
        if not isinstance(match, Match):
            others = plan.resolve[plan.resolve.index(resolve) + 1 :]
            return _find_later(plan, call, route, others, match)
        if match.handler_class is plan.handler_class:
            break
        plan = _enter(plan, call, match)
        route = match.rest
    return plan


async def _find_later(
    plan: Plan, call: Call, route: str, others: Sequence[RouteResolver], answer: Any
) -> Plan:
    """Go on where a resolver has to wait: with the others, if it knows nothing."""
    after = len(plan.resolve) - len(others)
    match = await _awaited(plan, after - 1, answer)
    for number, resolve in enumerate(others, after):
        if match is None:
            given = resolve(route, call)
            if given is None or isinstance(given, Match):
                match = given
            else:
                match = await _awaited(plan, number, given)
    if match is None:
        raise _nowhere()
    if match.handler_class is plan.handler_class:
        return plan
    found = find(_enter(plan, call, match), call, match.rest)
    return await found if isinstance(found, Coroutine) else found


async def _awaited(plan: Plan, number: int, answer: Any) -> Match | None:
    """Return what a resolver gave, which has to wait, or is nothing that it may give."""
    found = await answer if inspect.isawaitable(answer) else answer
    resolver = plan.resolvers[number]
    if found is None:
        return None
    if isinstance(found, Match):
        require_match(plan, resolver, found)
        return found
    raise misgiven(plan, "aaah_route_resolver", resolver, found, "Match")


def _nowhere() -> NotFound:
    return NotFound("The route leads nowhere.", field=["route"])


def _enter(plan: Plan, call: Call, match: Match) -> Plan:
    """Give the call an instance of the handler that matched, and return that one's plan."""
    handler_class = match.handler_class
    child = plan.children.get(handler_class) or plan.child(handler_class)
    parent, handler = call.handler, handler_class()
    handler._plan = child
    handler.call = call
    handler._parent = parent
    handler._args = match.args
    above = parent.kwargs
    # That of a consumer, as no route leads to it, but where one sets its own.
    handler._kwargs = match.kwargs if above is NO_VALUES else {**above, **match.kwargs}
    call.handler = handler
    return child
