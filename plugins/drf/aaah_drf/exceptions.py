"""DRF's and Django's exceptions as replies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from django.utils.functional import Promise
from rest_framework import exceptions
from rest_framework.settings import api_settings

from aaah_core import Call, Reply

__all__ = ["REPLIES", "as_drf", "reply_to", "status_of"]

logger = logging.getLogger("aaah.drf")

#: Error objects of one reply: 30 KB of `{}` in a nested list would be answered with 10 MB of them.
MOST = 100


def reply_to(call: Call, error: exceptions.APIException) -> Reply:
    """Return the reply to an exception of DRF's: its status, and an error object a message."""
    default = {"code": error.default_code, "detail": str(error.default_detail)}
    problems = _problems(error.detail, error.default_code, ())
    errors = list(islice(problems, MOST)) or [default]
    wait = getattr(error, "wait", None)
    if wait is not None:
        for each in errors:
            each["retry_after"] = wait
    return Reply(status=status_of(error), errors=errors)


def status_of(error: exceptions.APIException) -> int:
    """Return the status of the reply to an exception of DRF's."""
    # A 401 asks for credentials in a header, and there is no header here to ask for or to send.
    # Without authenticators, DRF's views answer these two with 403 for the same reason.
    if isinstance(error, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return 403
    return int(error.status_code)


def _problems(
    detail: Any, default_code: str, path: tuple[str | int, ...]
) -> Iterator[dict[str, Any]]:
    if isinstance(detail, dict):
        for key, inner in detail.items():
            whole = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _problems(inner, default_code, path if whole else (*path, _step(key)))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            # A list holds either the messages about one value, or what is wrong with each of many.
            nested = isinstance(inner, (dict, list))
            yield from _problems(inner, default_code, (*path, index) if nested else path)
    else:
        field = {"field": list(path)} if path else {}
        yield {
            "code": getattr(detail, "code", None) or default_code,
            "detail": str(detail),
            **field,
        }


def _step(key: Any) -> str | int:
    return key if isinstance(key, int) else str(key)


def _django(call: Call, error: Http404 | PermissionDenied) -> Reply:
    return reply_to(call, as_drf(error))


def as_drf(error: Exception) -> Any:
    """Return what DRF's views make of an exception; None for one that they do not know."""
    if isinstance(error, Http404):
        return exceptions.NotFound(_said(error))
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(_said(error))
    return error if isinstance(error, exceptions.APIException) else None


def _said(error: Exception) -> Any:
    """Return what an exception of Django's says, as DRF's views do; only what is a sentence."""
    detail = error.args[0] if error.args else None
    return detail if isinstance(detail, (str, Promise)) and detail else None


def _conflict(call: Call, error: IntegrityError) -> Reply:
    # What the database says holds values of rows: not for a client, nor for every log.
    kind, handler = type(error).__name__, type(call.handler).__qualname__
    logger.warning("%s in action %.100r of %s: answered 409", kind, call.action, handler)
    logger.debug("What the database said", exc_info=error)
    problem = {"code": "conflict", "detail": "The change conflicts with what is stored."}
    return Reply(status=409, errors=[problem])


def _in_use(call: Call, error: ProtectedError | RestrictedError) -> Reply:
    problem = {"code": "protected", "detail": "Other objects still refer to this one."}
    return Reply(status=409, errors=[problem])


#: By exception class, as `aaah_exception_handlers` returns them.
REPLIES: Mapping[type[Exception], Callable[[Call, Any], Reply]] = {
    exceptions.APIException: reply_to,
    Http404: _django,
    PermissionDenied: _django,
    IntegrityError: _conflict,
    ProtectedError: _in_use,
    RestrictedError: _in_use,
}
