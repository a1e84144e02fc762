"""The server's side of a connection where somebody's middleware stands before its `send`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterator
from contextvars import copy_context
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from aaah_core.transport import Transport

__all__ = ["WrappedTransport", "is_wrapped"]


class WrappedTransport(Transport):
    """Lets a middleware's code run in a task of the connection, for events too.

    A server's own `send` has its first step taken by the task that tells everybody. In there, a
    timeout of somebody's code would be one of that task, and end it.
    """

    __slots__ = ("_context",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._context = copy_context()

    def push(self, frame: str | bytes) -> None:
        """Send what a codec encoded, as the parent does, in a task."""
        if not (self.open and self.free):
            super().push(frame)  # which lets it wait
            return
        key = "text" if isinstance(frame, str) else "bytes"
        self._outbox_to_fill().put({"type": "websocket.send", key: frame})
        self._drain()

    def _drain(self, begun: Awaitable[Any] | None = None) -> None:
        self._context.run(super()._drain, begun)


def is_wrapped(send: Any) -> bool:
    """Return whether code of a middleware runs in `send`, as far as can be seen.

    It can be seen where it keeps the `send` that it wraps: in its closure, the arguments of a
    partial, or an attribute of the object whose method it is.
    """
    # Channels' own, of every AuthMiddlewareStack, does nothing with the frames of a WebSocket. Its
    # module is slow to load, and a project without sessions never does.
    sessions = sys.modules.get("channels.sessions")
    while sessions and isinstance(
        owner := getattr(send, "__self__", None), sessions.InstanceSessionWrapper
    ):
        send = owner.real_send
    return any(_is_async(kept) for kept in _kept(send))


def _kept(send: Any) -> Iterator[Any]:
    if isinstance(send, partial):
        yield from (send.func, *send.args, *send.keywords.values())
        return
    if not hasattr(send, "__code__") and not hasattr(send, "__self__"):
        send = getattr(send, "__call__", send)  # noqa: B004 - as the method that it is
    for cell in getattr(send, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it is empty still
            continue
    owner, code = getattr(send, "__self__", None), getattr(send, "__code__", None)
    # By name, of what it uses: to read the __dict__ of an object makes it slower for good.
    for name in code.co_names if owner is not None and code is not None else ():
        if "send" in name:
            kept = getattr(owner, name, None)
            if getattr(kept, "__self__", None) is not owner:
                yield kept


def _is_async(value: Any) -> bool:
    return iscoroutinefunction(value) or iscoroutinefunction(getattr(value, "__call__", None))  # noqa: B004 - whether a call gives a coroutine
