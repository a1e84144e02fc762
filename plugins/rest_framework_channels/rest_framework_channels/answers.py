"""What its exception handlers answer, as replies."""

from __future__ import annotations

import logging
from typing import Any

from django.core import exceptions as django_exceptions
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.exceptions import PermissionDenied as DRFPermissionDenied

from aaah_core import (
    ActionNotFound,
    Call,
    ExceptionHandler,
    PermissionDenied,
    Reply,
    RequestError,
    log_error,
)
from rest_framework_channels.asking import known, taken
from rest_framework_channels.exceptions import ActionNotAllowed
from rest_framework_channels.routings import way
from rest_framework_channels.wire import Answer, as_drf

__all__ = ["HANDLERS", "Leaving"]

logger = logging.getLogger("rest_framework_channels")


class Leaving(BaseException):
    """Carries an exception that no handler answers out of the application.

    It is no `Exception`, for those become replies.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


async def _refuse(call: Call, error: RequestError) -> Reply:
    """Answer what the framework refuses, also where bugs are to leave the application."""
    call.wants_reply = True
    if isinstance(error, ActionNotFound):
        try:
            await _ask_on_the_way(call)
        except PermissionDenied as refusal:
            error = refusal
        except Exception as raised:  # noqa: BLE001 - whatever a permission raises is a reply
            return await _answer(call, raised)
        else:
            return await _answer(call, ActionNotAllowed(action=call.action))
    if isinstance(error, PermissionDenied):
        return await _answer(call, DRFPermissionDenied(error.detail))
    return Answer(status=error.status, errors=as_drf(error.errors))


async def _ask_on_the_way(call: Call) -> None:
    """Ask the permissions about an action that is not there: who may do nothing learns nothing.

    Raises:
        PermissionDenied: One of them refused.
    """
    from rest_framework_channels.base_handlers import AsyncAPIActionHandler

    handler: Any = call.consumer
    for match in (None, *way(call)):
        if match is not None:
            parent, handler = handler, match.handler_class()
            handler.call, handler.parent, handler.args = call, parent, match.args
            handler.kwargs = {**parent.kwargs, **match.kwargs}
        if isinstance(handler, AsyncAPIActionHandler):
            call.handler = handler
            judged_by = taken(handler.check_permissions, known(call))
            await handler.check_permissions(call.action or "", **judged_by)


async def _answer(call: Call, error: Exception) -> Reply:
    """Answer as the handler does, which may leave it to the server."""
    from rest_framework_channels.base_handlers import AsyncActionHandler

    handler: Any = call.handler
    consumer: Any = call.consumer
    call.wants_reply = True  # a failure is told in the mode `none` too
    if type(handler).handle_exception is not AsyncActionHandler.handle_exception:
        await handler.handle_exception(error, action=call.action, route=call.route)
        call.wants_reply = False
        return Answer(status=500)
    context = await handler.exception_context(error, call.action, call.route)
    if context:
        return Answer(context.get("data"), context.get("status", 200), context.get("errors") or [])
    if not isinstance(consumer, AsyncActionHandler) or type(call.consumer).concurrency > 1:
        raise error  # nobody would let it out, or it could leave the task of its call only
    message = "Error %s: the action %.100r raised, and nobody answers"
    log_error(logger, error, message, call.action, call=call)
    raise Leaving(error)


#: By exception class, as `aaah_exception_handlers` returns them. All that Django and DRF know is
#: named, as others answer for those too, and the nearest class wins.
HANDLERS: dict[type[Exception], ExceptionHandler] = {
    RequestError: _refuse,
    **dict.fromkeys(
        (
            Exception,
            APIException,
            Http404,
            django_exceptions.BadRequest,
            django_exceptions.PermissionDenied,
            django_exceptions.SuspiciousOperation,
            django_exceptions.ValidationError,
        ),
        _answer,
    ),
}
