"""What handlers and permissions share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from django.conf import settings
from rest_framework.request import Request

from aaah_core import Call, run_sync
from aaah_drf.request import CallRequest

__all__ = ["ensure_async", "request_from_scope"]


def ensure_async(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return an async method as it is, and a plain one as one that runs in a worker thread.

    What the plain one returns may be awaitable: it is awaited, as it would count as a yes.
    """
    return method if inspect.iscoroutinefunction(method) else partial(_in_worker, method)


async def _in_worker(method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    answer = await run_sync(method, *args, **kwargs)
    return await answer if inspect.isawaitable(answer) else answer


def request_from_scope(scope: MutableMapping[str, Any]) -> Request:
    """Return a DRF request that stands for a connection.

    Its path, headers, cookies, user and session are the scope's; its query is what
    `path_remaining` in the scope of a handler holds. Without a header that says the host, it is the
    first of ``ALLOWED_HOSTS``.
    """
    query = (scope.get("path_remaining") or "").rpartition("?")[2]
    request = CallRequest(Call(None, f"?{query}", scope={"path": "", "session": None, **scope}))
    http_request: Any = request._request
    http_request.path = scope.get("path")
    for header in ("HTTP_ACCEPT", "HTTP_CONTENT_TYPE"):
        request.META.setdefault(header, "application/json")
    if "HTTP_HOST" not in request.META:
        first = next(iter(settings.ALLOWED_HOSTS), "*")
        request.META["SERVER_NAME"] = "127.0.0.1" if first == "*" else first.lstrip(".")
        request.META["SERVER_PORT"] = "443" if request.is_secure() else "80"
    if scope.get("cookies"):
        http_request.COOKIES = scope["cookies"]
    return request
