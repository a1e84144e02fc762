"""What becomes of a call that failed."""

from __future__ import annotations

import inspect
from asyncio import CancelledError, current_task
from typing import TYPE_CHECKING, Any

from django.db import Error as DatabaseError

from aaah_core.errors import Busy, DeadlineExceeded, RequestError
from aaah_core.messages import Call, Reply
from aaah_core.mistakes import misgiven
from aaah_core.replies import bug
from aaah_core.running import current_running
from aaah_core.workers import close_old_async_connections

if TYPE_CHECKING:
    from aaah_core.plan import Plan

__all__ = ["FAILURES", "settle"]

#: What somebody's code may raise without ending the connection: whatever it is, it is a reply.
FAILURES = (Exception, BaseExceptionGroup, CancelledError, SystemExit)


async def settle(plan: Plan, call: Call, error: BaseException) -> Reply:
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
                raise misgiven(plan, "aaah_exception_handlers", handler, reply, "Reply")
            reply.exception = error
            return reply
    return _unhandled(call, error)


def _unhandled(call: Call, error: BaseException) -> Reply:
    if isinstance(error, RequestError):
        return Reply(status=error.status, errors=error.errors, exception=error)
    return bug(call, error)
