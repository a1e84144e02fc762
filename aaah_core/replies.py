"""Replies to what an action returned, and to what nobody foresaw."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings

from aaah_core.logs import log_error
from aaah_core.messages import Call, Reply

__all__ = ["PLAIN", "bug", "to_reply"]

logger = logging.getLogger("aaah.calls")


#: What says nothing of a status, and need not be looked at.
PLAIN = frozenset({dict, list, str, int, float, bool})


def to_reply(result: Any) -> Reply:
    """Return what an action returned as a reply.

    A tuple of two whose second is a status (100 to 599) is data and status, None is 204, and an
    object with `data` and `status_code` (a DRF `Response`) is taken as it is; anything else is data
    with 200.
    """
    if type(result) in PLAIN:
        return Reply(result)
    if isinstance(result, Reply):
        return result
    if result is None:
        return Reply(None, 204)
    if isinstance(result, tuple):
        if len(result) == 2 and _is_status(result[1]):
            return Reply(result[0], int(result[1]))
    elif hasattr(result, "status_code") and hasattr(result, "data"):
        return Reply(result.data, result.status_code)
    return Reply(result)


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


def bug(call: Call, error: BaseException) -> Reply:
    """Return the reply to something nobody foresaw, and log it under the same id."""
    handler = type(call.handler).__qualname__
    message = "Error %s in action %.100r of %s"
    error_id = log_error(logger, error, message, call.action, handler, call=call)
    detail = f"{type(error).__name__}: {error}" if settings.DEBUG else "A server error occurred."
    problem = {"code": "server_error", "detail": detail, "id": error_id}
    return Reply(status=500, errors=[problem], exception=error)
