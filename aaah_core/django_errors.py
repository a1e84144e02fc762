"""What Django's own exceptions answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.core import exceptions
from django.db import InterfaceError, OperationalError
from django.http import Http404

from aaah_core.errors import NotFound, PermissionDenied, RequestError
from aaah_core.interfaces import ExceptionHandler
from aaah_core.logs import log_error
from aaah_core.messages import Call, Reply
from aaah_core.replies import bug

__all__ = ["DJANGO_REPLIES"]

logger = logging.getLogger("aaah.calls")

#: PostgreSQL's SQLSTATE where the server, and not the statement, is at fault: the connection, too
#: few resources (connections among them), a server that stops or starts.
_UNAVAILABLE = ("08", "53", "57P")


def _database(call: Call, error: Exception) -> Reply:
    if not _is_unavailable(error.__cause__):
        return bug(call, error)
    handler = type(call.handler).__qualname__
    message = "Error %s: no database in action %.100r of %s, which was answered 503"
    log_error(logger, error, message, call.action, handler, call=call)
    detail = "The database is not available; the outcome of the action is unknown."
    refusal = RequestError(detail, code="database_unavailable")
    return Reply(status=503, errors=refusal.errors)


def _is_unavailable(cause: BaseException | None) -> bool:
    """Return whether psycopg (`sqlstate`) or psycopg2 (`pgcode`) found no server that answers."""
    for name in ("sqlstate", "pgcode"):
        if hasattr(cause, name):
            state = getattr(cause, name)
            return state is None or state.startswith(_UNAVAILABLE)
    return False


#: By exception class, as `aaah_exception_handlers` returns them.
DJANGO_REPLIES: dict[type[Exception], ExceptionHandler] = {
    # What they say is for the log: Django shows it to nobody.
    exceptions.BadRequest: lambda call, error: _bad_request(),
    exceptions.SuspiciousOperation: lambda call, error: _bad_request(),
    Http404: lambda call, error: Reply(status=404, errors=NotFound().errors),
    exceptions.PermissionDenied: lambda call, error: Reply(
        status=403, errors=PermissionDenied().errors
    ),
    exceptions.ValidationError: lambda call, error: Reply(
        status=400, errors=list(_validation_errors(error))
    ),
    OperationalError: _database,
    InterfaceError: _database,
}


def _bad_request() -> Reply:
    refusal = RequestError("The request is not one that can be served.", code="bad_request")
    return Reply(status=400, errors=refusal.errors)


def _validation_errors(error: exceptions.ValidationError) -> Iterator[dict[str, Any]]:
    by_field = error.error_dict if hasattr(error, "error_dict") else {None: error.error_list}
    for name, children in by_field.items():
        field = {} if name in (None, exceptions.NON_FIELD_ERRORS) else {"field": [name]}
        for child in children:
            yield {"code": child.code or "invalid", "detail": " ".join(child.messages), **field}
