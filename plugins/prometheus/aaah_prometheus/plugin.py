"""The hook of aaah-prometheus."""

from __future__ import annotations

from aaah_core import Action, AsyncActionHandler, Middleware, hookimpl
from aaah_prometheus import settings  # noqa: F401 - declares them, to be validated at start


@hookimpl
def aaah_middleware(handler_class: type[AsyncActionHandler], action: Action | None) -> Middleware:
    """Count each call, and how long it takes."""
    from aaah_prometheus.calls import counting

    return counting(handler_class, action)
