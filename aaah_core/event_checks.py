"""Who may have an event: what the handler that broadcast it, and its parents, ask about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from aaah_core.messages import Call, Event
from aaah_core.moments import blame, granted
from aaah_core.refusals import status_of
from aaah_core.workers import run_sync

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.handlers import AsyncActionHandler
    from aaah_core.moments import Moment, Moments
    from aaah_core.plan import Plan

__all__ = ["Asked", "asked_about", "handler_name", "parent_names", "permitted"]

#: The plans on the way to the handler whose action broadcast an event, with what they ask.
Asked: TypeAlias = "list[tuple[Plan, list[Moment]]]"


def asked_about(plan: Plan, message: dict[str, Any]) -> Asked:
    """Return what is asked about the event of a layer's message, for consumers of a plan."""
    return [
        (each, _moments([*each.moments, *(each.default_moments if each is way[-1] else ())]))
        for way in _ways(plan, message.get("handler"), message.get("parents"))
        for each in way
    ]


def _moments(all_moments: list[Moments]) -> list[Moment]:
    return [moment for moments in all_moments if (moment := moments["event"]) is not None]


async def permitted(
    consumer: AsyncAPIConsumer, event: Event, action: str | None, asked_of: Asked
) -> bool:
    """Return whether a consumer's client may have an event.

    Args:
        consumer: The client's.
        event: The event.
        action: The action that broadcast it; None where it is called as the event is.
        asked_of: What is asked about it.
    """
    action = action or event.name
    subscription = Call(action, scope=consumer.scope, consumer=consumer, handler=consumer)
    for plan, moments in asked_of:
        subscription.handler = _stand_in(plan, subscription)
        for moment in moments:
            arguments = (subscription, event)
            try:
                ask, plain = moment.ask, not moment.awaited
                answer = await (run_sync(ask, *arguments) if plain else ask(*arguments))
                if not granted(answer, moment.source, subscription):
                    return False
            except Exception as error:
                if status_of(error) in (401, 403):
                    return False
                blame(error, moment.source)
                raise
    return True


def _ways(plan: Plan, handler: str | None, parents: list[str] | None) -> list[list[Plan]]:
    """Return the plans on the way to a handler, by its name; the consumer's where it has none.

    A handler may stand below several parents, with permissions of their own: the way is that of the
    call, or every one there is where this consumer has not that one.
    """
    ways = [[plan]] if handler is None else list(_ways_to(plan, handler))
    exact = [way for way in ways if [_name(each) for each in way[1:-1]] == parents]
    return exact or ways or [[plan]]


def _ways_to(plan: Plan, handler: str) -> Iterator[list[Plan]]:
    if _name(plan) == handler:
        yield [plan]
    for child in plan.children.values():
        for way in _ways_to(child, handler):
            yield [plan, *way]


def _name(plan: Plan) -> str:
    return handler_name(plan.handler_class)


def _stand_in(plan: Plan, subscription: Call) -> AsyncActionHandler:
    if plan.parent is None:
        return subscription.consumer
    handler = plan.handler_class()
    handler._plan = plan
    handler.call = subscription
    handler.parent = subscription.handler
    return handler


def parent_names(handler: AsyncActionHandler) -> list[str]:
    """Return the handlers between the consumer and one of its handlers, as `handler_name` does."""
    names: list[str] = []
    while (parent := handler.parent) is not None and parent.parent is not None:
        names.insert(0, handler_name(type(parent)))
        handler = parent
    return names


def handler_name(handler_class: type[Any]) -> str:
    """Return what the handler of a broadcast is called in a layer's message."""
    return f"{handler_class.__module__}.{handler_class.__qualname__}"
