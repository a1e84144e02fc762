"""DRF's setting `EXCEPTION_HANDLER`: what it answers in its own way is the reply."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from rest_framework import exceptions
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from aaah_core import MISSING, AAAHError, Call, ExceptionHandler, Reply, run_sync
from aaah_drf.exceptions import REPLIES, as_drf, status_of
from aaah_drf.request import request_of
from aaah_drf.responses import reply_of

__all__ = ["DRFsAnswer", "drfs_answer", "replies"]


@dataclass(frozen=True)
class DRFsAnswer:
    """What DRF's own handler of exceptions answers to one; nothing where `status` is None."""

    error: Exception
    status: int | None
    body: Any

    def is_still(self, response: Any) -> bool:
        """Say whether a handler of exceptions answered with nothing else."""
        said = (response.status_code, getattr(response, "data", MISSING))
        return said == (self.status, self.body)


def drfs_answer(error: Exception) -> DRFsAnswer:
    """Return what DRF answers to an exception; ask before a handler may change its `detail`."""
    known = as_drf(error)
    if known is None:
        return DRFsAnswer(error, None, None)
    body = known.detail if isinstance(known.detail, (list, dict)) else {"detail": known.detail}
    return DRFsAnswer(error, status_of(known), deepcopy(body))


def replies() -> Mapping[type[Exception], ExceptionHandler]:
    """Return `REPLIES`, with `EXCEPTION_HANDLER` asked first where it is not DRF's own."""
    if api_settings.EXCEPTION_HANDLER is exception_handler:
        return REPLIES
    return dict.fromkeys([Exception, *REPLIES], _asked)


async def _asked(call: Call, error: Exception) -> Reply:
    # What AAAH refuses is none of DRF's: a handler that answers for everything would make it a 500.
    if not isinstance(error, AAAHError):
        # It may ask the database, as may what it logs by.
        reply = await run_sync(_by_exception_handler, call, error)
        if reply is not None:
            return reply
    for exception_class in type(error).__mro__:
        if exception_class in REPLIES:
            return REPLIES[exception_class](call, error)
    raise error  # a bug, or what the core knows


def _by_exception_handler(call: Call, error: Exception) -> Reply | None:
    handler: Any = call.handler
    context = {"view": handler, "args": handler.args, "kwargs": handler.kwargs}
    before = drfs_answer(error)
    if isinstance(error, exceptions.APIException):
        error.status_code = status_of(error)
    handle: Any = api_settings.EXCEPTION_HANDLER
    response = handle(error, {**context, "request": request_of(call)})
    if response is None or before.is_still(response):
        return None
    return reply_of(response, error)
