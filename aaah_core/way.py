"""The way of a call from its handler to an action: middleware, checks, binding, and a reply."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from aaah_core.errors import Busy, DeadlineExceeded, PermissionDenied
from aaah_core.guards import ancestor
from aaah_core.interfaces import Action, CallNext, Middleware
from aaah_core.messages import Call, Reply
from aaah_core.mistakes import misgiven
from aaah_core.moments import blame, granted
from aaah_core.outcome import FAILURES, settle
from aaah_core.replies import PLAIN, to_reply
from aaah_core.running import current_running
from aaah_core.workers import run_sync

if TYPE_CHECKING:
    from aaah_core.errors import WrongAnswer
    from aaah_core.plan import Plan

__all__ = ["Way", "around", "no_reply", "to_action"]

Run: TypeAlias = Callable[[Any, Call], Awaitable[Any]]


@dataclass(slots=True, frozen=True)
class Way:
    """What is awaited to run an action; whoever does settles what it raises."""

    #: ``steps(call)``, which gives a reply: checks, middleware, or both, and then the action.
    steps: CallNext
    #: ``run(handler, call)``, which gives what the action returned, where nothing stands before it.
    run: Run | None = None
    #: What is asked first, if that is a plugin's.
    outermost: Middleware | None = None


def to_action(plan: Plan, action: Action, middleware: Sequence[Middleware]) -> Way:
    """Return the way to an action, with all that its class has put there."""
    guard = plan.call_guard
    run = _in_worker(plan, action) if action.sync or guard.blocking else action.run
    steps = _innermost(plan, run)
    outermost = middleware[0] if middleware else None
    if outermost is not None:
        steps = _outermost(outermost, around(plan, middleware[1:], steps))
    if action.mode == "none":
        return Way(_silently(steps), None, outermost)
    return Way(steps, None if middleware or guard.awaited else run, outermost)


def around(plan: Plan, middleware: Sequence[Middleware], call_next: CallNext) -> CallNext:
    """Return `call_next` with middleware around it, the first outermost."""
    for each in reversed(middleware):
        call_next = _layer(plan, each, call_next)
    return call_next


def _outermost(middleware: Middleware, call_next: CallNext) -> CallNext:
    """Return the first middleware as a step; no other is there to see what it raises."""

    def step(call: Call) -> Awaitable[Reply]:
        return middleware(call, call_next)

    return step


def _layer(plan: Plan, middleware: Middleware, call_next: CallNext) -> CallNext:
    """Return one middleware as a step: what it raises, the next outer one sees as a reply."""

    async def step(call: Call) -> Reply:
        try:
            if not isinstance(reply := await middleware(call, call_next), Reply):
                raise no_reply(plan, middleware, reply)
            return reply
        except FAILURES as error:
            return await settle(plan, call, error)

    return step


def no_reply(plan: Plan, middleware: Middleware | None, answer: Any) -> WrongAnswer:
    """Return the error for what a middleware returned."""
    return misgiven(plan, "aaah_middleware", middleware, answer, "Reply")


def _silently(steps: CallNext) -> CallNext:
    """Return the steps to an action of mode `none`, which answers nobody."""

    def step(call: Call) -> Awaitable[Reply]:
        call.wants_reply = False
        return steps(call)

    return step


def _innermost(plan: Plan, run: Run) -> CallNext:
    """Return the last step: checks, binding, the action and the exception handlers.

    It always returns a `Reply`, so that middleware sees every outcome and never an exception.
    """
    asked = plan.call_guard.awaited
    above = [(up, moment) for up, moment in asked if up]
    own = [moment for up, moment in asked if not up]
    at_once = [moment.at_once for moment in own if moment.at_once is not None]
    awaited = [(moment.ask, moment) for moment in own if moment.at_once is None]

    async def step(call: Call) -> Reply:
        handler = call.handler
        try:
            if above:
                await _require(above, handler, call)
            for ask in at_once:
                if ask(call) is not True:
                    raise PermissionDenied
            for ask, moment in awaited:
                try:
                    answer = await ask(call)
                except Exception as error:
                    blame(error, moment.source)
                    raise
                if answer is not True and not granted(answer, moment.source, call):
                    raise PermissionDenied
            result = await run(handler, call)
            return Reply(result) if type(result) in PLAIN else to_reply(result)
        except FAILURES as error:
            call.handler = handler
            return await settle(plan, call, error)

    return step


async def _require(above: Any, handler: Any, call: Call) -> None:
    """Ask the parents' checks, each about its own handler."""
    for up, moment in above:
        call.handler = ancestor(handler, up)
        try:
            answer = await moment.ask(call)
        except Exception as error:
            blame(error, moment.source)
            raise
        if not granted(answer, moment.source, call):
            raise PermissionDenied
    call.handler = handler


def _in_worker(plan: Plan, action: Action) -> Run:
    """Return what runs the plain checks and a sync action in one hop to a worker thread."""
    guard = plan.call_guard

    async def run(handler: Any, call: Call) -> Any:
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
