"""What its exception handlers answer, as replies."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
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
)
from rest_framework_channels.exceptions import ActionNotAllowed

__all__ = ["HANDLERS", "Answer", "Leaving", "as_drf"]

logger = logging.getLogger("rest_framework_channels")


class Answer(Reply):
    """A reply whose errors are DRF's already: texts, or dicts of any shape."""


class Leaving(BaseException):
    """Carries an exception that no handler answers out of the application.

    It is no `Exception`, for those become replies.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def as_drf(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return error objects as DRF gives errors: texts by field, or a detail."""
    return [
        {".".join(map(str, error["field"])): [error["detail"]]}
        if error.get("field")
        else {key: value for key, value in error.items() if key not in ("code", "field")}
        for error in errors
    ]


async def _refuse(call: Call, error: RequestError) -> Reply:
    """Answer what the framework refuses, also where bugs are to leave the application."""
    call.wants_reply = True
    if isinstance(error, PermissionDenied):
        return await _answer(call, DRFPermissionDenied(error.detail))
    if isinstance(error, ActionNotFound):
        return await _answer(call, ActionNotAllowed(action=call.action))
    return Answer(status=error.status, errors=as_drf(error.errors))


async def _answer(call: Call, error: Exception) -> Reply:
    """Answer as the handler does, which may leave it to the server."""
    from rest_framework_channels.base_handlers import AsyncActionHandler

    handler: Any = call.handler
    call.wants_reply = True  # a failure is told in the mode `none` too
    if type(handler).handle_exception is not AsyncActionHandler.handle_exception:
        await handler.handle_exception(error, action=call.action, route=call.route)
        call.wants_reply = False
        return Answer(status=500)
    context = await handler.exception_context(error, call.action, call.route)
    if context:
        return Answer(context.get("data"), context["status"], context.get("errors") or [])
    if type(call.consumer).concurrency > 1:
        raise error  # it could leave the task of its call only
    logger.error("The action %.100r raised, and nobody answers", call.action, exc_info=error)
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
