"""The way of a message, a function a step.

    frame ─decode─▶ payload ─parse─▶ Call ─find─▶ handler ─middleware─▶ checks ─▶ action
    frame ◀─encode─ payload ◀─shape─ Reply ◀─────────────────────────────────────────┘

Nothing here knows a plugin: a plan has the callables that plugins gave, and this calls them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaah_core.errors import ActionNotFound, TooLarge
from aaah_core.lookup import find
from aaah_core.messages import Call, Reply, current_call
from aaah_core.mistakes import misgiven, misnamed
from aaah_core.outcome import FAILURES, settle
from aaah_core.plan import Plan
from aaah_core.replies import PLAIN, bug, to_reply
from aaah_core.shaping import MESSAGES, shaped, unshaped
from aaah_core.way import around, no_reply

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.errors import WrongAnswer
    from aaah_core.plan import ConsumerPlan

__all__ = ["respond"]

# Bound once: Python 3.12 and later make a method of what was imported on each call of it.
_set_current_call = current_call.set


async def respond(  # noqa: C901 - a coroutine for each half would cost a message 0.14 µs
    plan: ConsumerPlan, consumer: AsyncAPIConsumer, request: Call | Exception
) -> Any:
    """Run one request and return the payload of its reply; None where there is none to send."""
    call: Call = request if isinstance(request, Call) else _call_of(request)
    call.scope = consumer._scope
    call.consumer = call.handler = consumer
    _set_current_call(call)
    place: Plan = plan
    try:
        if call is not request:
            raise request if isinstance(request, Exception) else _no_call(plan, request)
        if len(call.params) > plan.limits.parameters:
            raise TooLarge("There are too many parameters.")
        if call.route:
            found = find(plan, call, call.route)
            place = found if isinstance(found, Plan) else await found
        way = place.ways.get(call.action)  # type: ignore[arg-type]  # a parsed call has one
        if way is None:
            raise ActionNotFound if isinstance(call.action, str) else misnamed(plan, call)
    except FAILURES as error:
        call.handler = consumer
        reply = await _reject(plan, call, error)
    else:
        try:
            if way.run is not None:
                result = await way.run(call.handler, call)
                reply = Reply(result) if type(result) in PLAIN else to_reply(result)
            elif not isinstance(reply := await way.steps(call), Reply):
                raise no_reply(place, way.outermost, reply)
        except FAILURES as error:
            reply = await settle(place, call, error)
    if not call.wants_reply:
        return None
    try:
        payload = plan.shape(call, reply)
    except Exception as error:  # noqa: BLE001 - a shaper's bug is a reply too
        return shaped(plan, call, bug(call, unshaped(plan, reply, error)))
    if type(payload) is dict or type(payload) not in MESSAGES:
        return payload
    return shaped(plan, call, bug(call, unshaped(plan, reply, payload)))


def _call_of(error: Exception) -> Call:
    return getattr(error, "call", None) or Call(None, None)


def _no_call(plan: ConsumerPlan, request: Any) -> WrongAnswer:
    return misgiven(plan, "aaah_request_parser", plan.parse, request, "Call")


async def _reject(plan: ConsumerPlan, call: Call, error: BaseException) -> Reply:
    """Return the reply to a request that reached no action, through the consumer's middleware."""

    async def step(call: Call) -> Reply:
        return await settle(plan, call, error)

    return await around(plan, plan.rejection, step)(call)
