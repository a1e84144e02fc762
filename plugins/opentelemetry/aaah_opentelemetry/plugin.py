"""The hooks of aaah-opentelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaah_core import Action, hookimpl

if TYPE_CHECKING:
    from aaah_core import ConnectionContext, Middleware


@hookimpl
def aaah_middleware(handler_class: Any, action: Action | None) -> Middleware:
    """Make one span a call, and measure how long it takes."""
    from aaah_opentelemetry.calls import tracing

    return tracing(handler_class, action)


@hookimpl
def aaah_connection(consumer_class: Any) -> ConnectionContext:
    """Count the connections that are open, and read their handshake's `traceparent`."""
    from aaah_opentelemetry.connections import counting

    return counting(consumer_class)
