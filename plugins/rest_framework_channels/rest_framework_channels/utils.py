"""What handlers and permissions share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from rest_framework.request import Request

from aaah_core import Call, run_sync
from aaah_drf.request import CallRequest

__all__ = ["ensure_async", "request_from_scope"]


def ensure_async(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return an async method as it is, and a plain one as one that runs in a worker thread."""
    if inspect.iscoroutinefunction(method):
        return method
    return partial(run_sync, method)


def request_from_scope(scope: MutableMapping[str, Any]) -> Request:
    """Return a DRF request that stands for a connection.

    Its path, headers, user and session are the scope's; its query is what `path_remaining` in the
    scope of a handler holds.
    """
    query = (scope.get("path_remaining") or "").rpartition("?")[2]
    return CallRequest(Call(None, f"?{query}", scope=scope))
