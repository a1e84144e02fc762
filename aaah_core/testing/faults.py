"""Accidents, made on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import get_channel_layer

__all__ = ["dropped_layer"]

_METHODS = ("send", "receive", "new_channel", "group_add", "group_discard", "group_send")


@contextmanager
def dropped_layer(alias: str = DEFAULT_CHANNEL_LAYER) -> Iterator[None]:
    """Let each use of a channel layer within the block raise ConnectionError, as a lost Redis does.

    What waits for a message already goes on waiting.

    Args:
        alias: The layer's key in ``CHANNEL_LAYERS``.

    Raises:
        LookupError: There is no such layer.
    """
    layer: Any = get_channel_layer(alias)
    if layer is None:
        raise LookupError(f"CHANNEL_LAYERS has no layer {alias!r}")

    async def fail(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("The channel layer was dropped by a test.")

    before = {name: vars(layer)[name] for name in _METHODS if name in vars(layer)}
    vars(layer).update(dict.fromkeys(_METHODS, fail))
    try:
        yield
    finally:
        for name in _METHODS:
            del vars(layer)[name]
        vars(layer).update(before)
