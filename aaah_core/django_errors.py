"""What Django's own exceptions answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import exceptions
from django.http import Http404

from aaah_core.errors import NotFound, PermissionDenied, RequestError
from aaah_core.interfaces import ExceptionHandler
from aaah_core.messages import Reply

__all__ = ["DJANGO_REPLIES"]

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
