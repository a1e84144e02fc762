"""The exceptions of messages, and what answers to any exception."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.serializers import as_serializer_error

from aaah_core import log_error

__all__ = [
    "ActionMissingException",
    "ActionNotAllowed",
    "RouteMissingException",
    "debug_exception_handlers",
    "production_exception_handlers",
]

logger = logging.getLogger("rest_framework_channels")


class ActionMissingException(exceptions.APIException):
    """A message without an action."""

    status_code = status.HTTP_404_NOT_FOUND
    default_detail = _("Unable to find action in message body.")
    default_code = "not_found"


class RouteMissingException(exceptions.APIException):
    """A route that matches nothing."""

    status_code = status.HTTP_404_NOT_FOUND
    default_detail = _("Unable to find route in message body.")
    default_code = "not_found"


class ActionNotAllowed(exceptions.MethodNotAllowed):
    """An action that the handler does not have."""

    default_detail = _('Action "{action}" not allowed in message body.')

    def __init__(self, action: Any, detail: Any = None, code: Any = None) -> None:
        said = self.default_detail.format(action=action) if detail is None else detail
        super().__init__("", detail=said, code=code)


async def debug_exception_handlers(exc: Exception, context: dict[str, Any]) -> None:
    """Answer nothing: the exception leaves the application, for the developer to see."""


async def production_exception_handlers(exc: Exception, context: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to an exception: an exception of DRF's in its own words, a bug in none.

    Args:
        exc: What was raised.
        context: The `action` and `route` of the message.
    """
    error = _as_drf(exc)
    if error is None:
        log_error(logger, exc, "Error %s: the action %.100r raised", context.get("action"))
        error = exceptions.APIException()
    detail: Any = error.detail
    if isinstance(detail, dict):
        errors = [detail]
    else:
        errors = detail if isinstance(detail, list) else [{"detail": detail}]
    return {**context, "status": error.status_code, "errors": errors}


def _as_drf(exc: Exception) -> exceptions.APIException | None:
    if isinstance(exc, Http404):
        return exceptions.NotFound(*exc.args)
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied(*exc.args)
    if isinstance(exc, ValidationError):
        return exceptions.ValidationError(as_serializer_error(exc))
    return exc if isinstance(exc, exceptions.APIException) else None
