"""The connections that are open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry import metrics

from aaah_core import AsyncAPIConsumer, ConnectionContext
from aaah_opentelemetry.calls import NAME, class_name
from aaah_opentelemetry.parents import remember

__all__ = ["counting"]


def counting(consumer_class: type[AsyncAPIConsumer]) -> ConnectionContext:
    """Return a context around each connection of a class, which counts it while it is open."""
    active = metrics.get_meter(NAME).create_up_down_counter(
        "aaah.server.active_connections",
        unit="{connection}",
        description="Connections that are open.",
    )
    attributes = {"aaah.consumer": class_name(consumer_class)}

    @asynccontextmanager
    async def counted(consumer: AsyncAPIConsumer) -> AsyncIterator[None]:
        remember(consumer)
        active.add(1, attributes)
        try:
            yield
        finally:
            active.add(-1, attributes)

    return counted
