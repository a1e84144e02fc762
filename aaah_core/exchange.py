"""One frame in, at most one frame out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from aaah_core import dispatch
from aaah_core.errors import RequestError, UnsupportedFrame
from aaah_core.messages import Call
from aaah_core.replies import bug
from aaah_core.running import current_running

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.inbox import Message
    from aaah_core.interfaces import Codec
    from aaah_core.plan import ConsumerPlan

__all__ = ["Request", "encode", "read", "refused", "respond"]

#: A call, a batch, or what was wrong with the frame.
Request: TypeAlias = "Call | Exception | list[Call | RequestError]"


def read(plan: ConsumerPlan, codec: Codec, message: Message) -> Request:
    """Return the request of an ASGI message."""
    frame = message.get(codec.frame)
    if frame is None:
        return UnsupportedFrame(f"The codec {codec.name!r} reads {codec.frame} frames.")
    try:
        return dispatch.read(plan, codec, frame)
    except Exception as error:  # noqa: BLE001 - a bug in a codec or a parser is answered too
        return error


def respond(connection: Connection, request: Request) -> Awaitable[Any]:
    """Run a request; what is awaited is the payload of its reply, None if there is none to send."""
    if isinstance(request, list):
        return _respond_to_all(connection, request)
    return dispatch.respond(connection.plan, connection.consumer, request)


async def _respond_to_all(connection: Connection, batch: list[Call | RequestError]) -> Any:
    answered: list[Any] = []
    for request in batch:
        now = asyncio.get_running_loop().time()
        current_running.get().renew(now, connection.plan.limits.deadline)
        payload = await dispatch.respond(connection.plan, connection.consumer, request)
        if payload is not None:
            answered.append(_carried(connection, request, payload))
    return answered or None


def _carried(connection: Connection, request: Any, payload: Any) -> Any:
    """Return a payload: one that cannot be carried must not cost the others of its batch."""
    try:
        connection.codec.encode([payload])  # one level further in, as it will be
    except Exception as error:  # noqa: BLE001 - as in `encode`
        return _bug(connection, request, error)
    return payload


def refused(request: Request, error: Callable[..., RequestError]) -> Request:
    """Return a request that refuses every call of another one, each with an error of its own."""
    if isinstance(request, list):
        return [each if isinstance(each, RequestError) else error(call=each) for each in request]
    return error(call=request) if isinstance(request, Call) else request


def encode(connection: Connection, request: Any, payload: Any) -> str | bytes:
    """Return the frame of a payload; a value that cannot be carried makes it the reply of a bug."""
    try:
        return connection.codec.encode(payload)
    except Exception as error:  # noqa: BLE001 - whatever cannot be encoded is answered too
        return connection.codec.encode(_bug(connection, request, error))


def _bug(connection: Connection, request: Any, error: Exception) -> Any:
    call = request if isinstance(request, Call) else getattr(request, "call", None)
    call = call or Call(None, None, handler=connection.consumer)
    return connection.plan.shape(call, bug(call, error))
