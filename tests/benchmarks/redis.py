"""A Redis of the benchmark's own: the one that the tests run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.environments import Missing
from tests.redis_server import NotStarted, layer_of, running

__all__ = ["redis"]


@contextmanager
def redis() -> Iterator[dict[str, Any]]:
    """Run a server, and yield the settings of a channel layer on it, as in `CHANNEL_LAYERS`.

    Raises:
        Missing: It does not start here.
    """
    server = running()
    try:
        port = server.__enter__().port
    except NotStarted as error:
        raise Missing(f"no Redis: {error}") from error
    try:
        yield layer_of("core", port)
    finally:
        server.__exit__(None, None, None)
