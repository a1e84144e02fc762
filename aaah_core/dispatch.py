"""The way of a message, a function a step.

    frame ─decode─▶ payload ─parse─▶ Call ─find─▶ handler ─middleware─▶ checks ─▶ action
    frame ◀─encode─ payload ◀─shape─ Reply ◀─────────────────────────────────────────┘

Nothing here knows a plugin: a plan has the callables that plugins gave, and this calls them.
"""

from __future__ import annotations

import inspect
from asyncio import CancelledError, current_task
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import Error as DatabaseError

from aaah_core.errors import (
    ActionNotFound,
    Busy,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    RequestError,
    TooLarge,
)
from aaah_core.guards import ancestor
from aaah_core.interfaces import Action, CallNext, Codec, Match, Middleware
from aaah_core.messages import Call, Reply, current_call
from aaah_core.moments import granted
from aaah_core.replies import bug, to_reply
from aaah_core.running import current_running
from aaah_core.workers import close_old_async_connections, run_sync

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.handlers import AsyncActionHandler
    from aaah_core.plan import ConsumerPlan, Plan

__all__ = ["FAILURES", "around", "find", "innermost", "outermost", "read", "respond"]

#: What somebody's code may raise without ending the connection: whatever it is, it is a reply.
FAILURES = (Exception, CancelledError, SystemExit)


# From frame to call.


def read(plan: ConsumerPlan, codec: Codec, frame: str | bytes) -> Call | list[Call | RequestError]:
    """Decode a frame and parse its payload.

    Raises:
        RequestError: The frame cannot be read, or its payload is no request.
    """
    return plan.parse(codec.decode(frame, plan.limits))


async def respond(plan: ConsumerPlan, consumer: AsyncAPIConsumer, request: Call | Exception) -> Any:
    """Run one request and return the payload of its reply; None where there is none to send."""
    if isinstance(request, Call):
        call = request
    else:
        call = getattr(request, "call", None) or Call(None, None)
    call.scope = consumer._scope
    call.consumer = call.handler = consumer
    current_call.set(call)
    try:
        if not isinstance(request, Call):
            raise request
        if len(call.params) > plan.limits.parameters:
            raise TooLarge("There are too many parameters.")
        place = await find(plan, call, call.route) if call.route else plan
        steps = place.steps.get(call.action)  # type: ignore[arg-type]  # a parsed call has one
        if steps is None:
            raise ActionNotFound
    except FAILURES as error:
        call.handler = consumer
        reply = await _reject(plan, call, error)
    else:
        reply = await steps(call)
    if not call.wants_reply:
        return None
    try:
        return plan.shape(call, reply)
    except Exception as error:  # noqa: BLE001 - a shaper's bug is a reply too
        return plan.shape(call, bug(call, error))


async def _reject(plan: ConsumerPlan, call: Call, error: BaseException) -> Reply:
    """Return the reply to a request that reached no action, through the consumer's middleware."""

    async def step(call: Call) -> Reply:
        return await _settle(plan, call, error)

    return await around(plan, plan.rejection, step)(call)


# From call to handler.


async def find(plan: Plan, call: Call, route: str) -> Plan:
    """Return the plan of the handler that a route leads to, and give the call an instance.

    Raises:
        NotFound: The route matches nothing.
        TooLarge: It is too long.
    """
    if len(route) > plan.limits.route_length:
        raise TooLarge("The route is too long.", field=["route"])
    rest = route.partition("?")[0]
    while rest:
        for resolver in plan.resolvers:
            match = resolver(rest, call)
            if match is not None and not isinstance(match, Match):
                match = await match
            if match is not None:
                break
        else:
            raise NotFound("The route leads nowhere.", field=["route"])
        if match.handler_class is plan.handler_class:
            break
        plan = plan.children.get(match.handler_class) or plan.child(match.handler_class)
        call.handler = _enter(plan, call, match)
        rest = match.rest
    return plan


def _enter(plan: Plan, call: Call, match: Match) -> AsyncActionHandler:
    parent, handler = call.handler, plan.handler_class()
    handler._plan = plan
    handler.call = call
    handler.parent = parent
    handler.args = match.args
    handler.kwargs = {**parent.kwargs, **match.kwargs} if parent.kwargs else match.kwargs
    return handler


# From handler to reply.


def around(plan: Plan, middleware: Sequence[Middleware], call_next: CallNext) -> CallNext:
    """Return `call_next` with middleware around it, the first outermost."""
    for each in reversed(middleware):
        call_next = _layer(plan, each, call_next)
    return call_next


def outermost(action: Action, steps: CallNext) -> CallNext:
    """Return the whole way of a call to an action; one of mode `none` answers nobody."""
    if action.mode != "none":
        return steps

    def silently(call: Call) -> Awaitable[Reply]:
        call.wants_reply = False
        return steps(call)

    return silently


def _layer(plan: Plan, middleware: Middleware, call_next: CallNext) -> CallNext:
    """Return one middleware as a step: what it raises, the next outer one sees as a reply."""

    async def step(call: Call) -> Reply:
        try:
            reply = await middleware(call, call_next)
            if not isinstance(reply, Reply):
                raise TypeError(f"a middleware returned {type(reply).__name__} and not a Reply")
            return reply
        except FAILURES as error:
            return await _settle(plan, call, error)

    return step


def innermost(plan: Plan, action: Action) -> CallNext:
    """Return the last step: checks, binding, the action and the exception handlers.

    It always returns a `Reply`, so that middleware sees every outcome and never an exception.
    """
    guard = plan.call_guard
    asked = guard.awaited
    run = action.run if not (action.sync or guard.blocking) else _in_worker(plan, action)

    async def step(call: Call) -> Reply:
        handler = call.handler
        try:
            for up, moment in asked:
                call.handler = ancestor(handler, up) if up else handler
                answer = await moment.ask(call)
                if answer is not True and not granted(answer):
                    raise PermissionDenied
            call.handler = handler
            return to_reply(await run(handler, call))
        except FAILURES as error:
            call.handler = handler
            return await _settle(plan, call, error)

    return step


def _in_worker(plan: Plan, action: Action) -> Callable[[Any, Call], Any]:
    """Return what runs the plain checks and a sync action in one hop to a worker thread."""
    guard = plan.call_guard

    async def run(handler: AsyncActionHandler, call: Call) -> Any:
        running = current_running.get(None)
        begun = False

        def in_worker() -> Any:
            nonlocal begun
            begun = True
            if not guard.allows_in_worker(handler, call):
                raise PermissionDenied
            if running is not None and running.reason is not None:
                raise DeadlineExceeded  # the client has its answer: the action must not begin
            return action.run(handler, call) if action.sync else None

        try:
            result = await run_sync(in_worker)
        except CancelledError:
            if begun:
                raise
            raise Busy from None  # every worker was taken: nothing of the call has run
        return result if action.sync else await action.run(handler, call)

    return run


async def _settle(plan: Plan, call: Call, error: BaseException) -> Reply:
    """Return the reply to what a call raised.

    Raises:
        CancelledError: The client left, or the server stops: the connection is meant too.
    """
    try:
        return await _handled(plan, call, _blamed(error))
    except FAILURES as raised:  # a handler's own bug is a reply too
        return _unhandled(call, _blamed(raised))


def _blamed(error: BaseException) -> BaseException:
    """Return what a call failed of; raise what is meant for the connection, or for a middleware."""
    running = current_running.get(None)
    if running is None or current_task() is not running.task:
        # A task of a middleware's own, which cancels it for reasons of its own.
        if isinstance(error, CancelledError):
            raise error
        return error
    running.settle()
    if running.cancelled_by_others or running.reason == "left":
        if isinstance(error, (CancelledError, Busy)):
            raise CancelledError
    elif running.reason == "deadline":
        return error if isinstance(error, Busy) else DeadlineExceeded()
    return error


async def _handled(plan: Plan, call: Call, error: BaseException) -> Reply:
    if isinstance(error, DatabaseError):
        await close_old_async_connections()
    for exception_class in type(error).__mro__:
        handler = plan.exception_handlers.get(exception_class)
        if handler is not None:
            answer: Any = handler(call, error)
            reply = await answer if inspect.isawaitable(answer) else answer
            if not isinstance(reply, Reply):
                raise TypeError(f"an exception handler returned {type(reply).__name__}, no Reply")
            reply.exception = error
            return reply
    return _unhandled(call, error)


def _unhandled(call: Call, error: BaseException) -> Reply:
    if isinstance(error, RequestError):
        return Reply(status=error.status, errors=error.errors, exception=error)
    return bug(call, error)
