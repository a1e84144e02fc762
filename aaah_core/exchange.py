"""One frame in, at most one frame out."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from aaah_core import dispatch
from aaah_core.close_codes import CloseCode
from aaah_core.errors import RequestError, TooLarge, UnsupportedFrame, WrongAnswer
from aaah_core.inbox import size_of
from aaah_core.logs import log_error
from aaah_core.messages import Call
from aaah_core.mistakes import misgiven, require_frame
from aaah_core.replies import bug
from aaah_core.running import Running, current_running, current_task
from aaah_core.shaping import shaped

if TYPE_CHECKING:
    from aaah_core.connection import Connection
    from aaah_core.inbox import Message
    from aaah_core.interfaces import Codec
    from aaah_core.plan import ConsumerPlan

__all__ = [
    "Request",
    "encode",
    "encode_bug",
    "framed",
    "read",
    "refuse",
    "refused",
    "respond",
    "respond_to_all",
    "unsent",
    "unsupported",
]

logger = logging.getLogger("aaah.calls")

#: A call, a batch, or what was wrong with the frame.
Request: TypeAlias = "Call | Exception | list[Call | RequestError]"


def read(plan: ConsumerPlan, codec: Codec, message: Message) -> Request:
    """Return the request of an ASGI message."""
    frame = message.get(codec.frame)
    if frame is None:
        return unsupported(codec)
    try:
        return plan.parse(codec.decode(frame, plan.limits))
    except Exception as error:  # noqa: BLE001 - a bug in a codec or a parser is answered too
        return error


def unsupported(codec: Codec) -> UnsupportedFrame:
    """Return the error for a frame of the other kind."""
    return UnsupportedFrame(f"The codec {codec.name!r} reads {codec.frame} frames.")


def respond(connection: Connection, request: Request) -> Awaitable[Any]:
    """Run a request; what is awaited is the payload of its reply, None if there is none to send."""
    if isinstance(request, list):
        return respond_to_all(connection, request)
    return dispatch.respond(connection.plan, connection.consumer, request)


async def respond_to_all(connection: Connection, batch: list[Call | RequestError]) -> Any:
    """Run the requests of a batch in turn, and return the payloads of their replies."""
    plan, limits, running = connection.plan, connection.plan.limits, current_running.get()
    if not batch:
        empty = misgiven(plan, "aaah_request_parser", plan.parse, batch, "Call")
        return await dispatch.respond(plan, connection.consumer, empty)
    if len(batch) > limits.batch:
        error = TooLarge(f"A batch has more than {limits.batch} calls.")
        return await dispatch.respond(plan, connection.consumer, error)
    answered: list[Any] = []
    size = 0
    for request in batch:
        if running.threads:
            # As after any call: it counts as running until its thread ends, and nothing cuts it.
            running.until = math.inf
            await running.wait_for_threads()
        running.renew(asyncio.get_running_loop().time(), limits.deadline)
        if size > limits.outbox_bytes and isinstance(request, Call):
            detail = "The replies before it in the batch are too large."
            request = TooLarge(detail, call=request)  # noqa: PLW2901 - it must not run
        payload = await dispatch.respond(plan, connection.consumer, request)
        if payload is not None:
            payload, more = _carried(connection, request, payload)
            answered.append(payload)
            size += more
    return answered or None


def _carried(connection: Connection, request: Any, payload: Any) -> tuple[Any, int]:
    """Return a payload and its size.

    One that cannot be carried must not cost the others of its batch.
    """
    try:
        # One level further in, as it will be.
        frame = connection.codec.encode([payload])
        return payload, size_of({connection.codec.frame: frame})
    except Exception as error:  # noqa: BLE001 - as in `encode`
        return _bug(connection, request, payload, error), 0


def refused(request: Request, error: Callable[..., RequestError]) -> Request:
    """Return a request that refuses every call of another one, each with an error of its own."""
    if isinstance(request, list):
        return [each if isinstance(each, RequestError) else error(call=each) for each in request]
    return error(call=request) if isinstance(request, Call) else request


async def refuse(
    connection: Connection, message: Message, error: Callable[..., RequestError]
) -> None:
    """Answer a message without running it."""
    before = current_running.set(Running(current_task()))  # it is no part of the call that runs
    try:
        async with asyncio.timeout(connection.plan.limits.deadline):
            request = refused(read(connection.plan, connection.codec, message), error)
            payload = await respond(connection, request)
        if payload is not None:
            await connection.transport.send_frame(encode(connection, request, payload))
    except Exception as raised:  # noqa: BLE001 - as a reply that cannot be sent at all
        told, consumer = "Error %s: %s cannot refuse a message", connection.consumer
        log_error(logger, raised, told, connection.name, consumer=consumer)
        await connection.transport.close(CloseCode.GOING_AWAY)
    finally:
        current_running.reset(before)


def encode(connection: Connection, request: Any, payload: Any) -> str | bytes:
    """Return the frame of a payload; a value that cannot be carried makes it the reply of a bug."""
    try:
        frame = connection.codec.encode(payload)
    except Exception as error:  # noqa: BLE001 - whatever cannot be encoded is answered too
        return encode_bug(connection, request, payload, error)
    return framed(connection, request, payload, frame)


def framed(connection: Connection, request: Any, payload: Any, frame: Any) -> str | bytes:
    """Return the frame of a payload, or what says that its codec made none."""
    try:
        return require_frame(connection.plan, connection.codec, frame)
    except WrongAnswer as error:
        return encode_bug(connection, request, payload, error)


def unsent(
    connection: Connection, request: Any, payload: Any, frame: Any, error: Exception
) -> None:
    """See to a frame that the server did not take: its client is gone, or it is none."""
    instead = framed(connection, request, payload, frame)
    if instead is frame:
        connection.transport.lost(error)
    else:
        connection.transport.push(instead)


def encode_bug(connection: Connection, request: Any, payload: Any, error: Exception) -> str | bytes:
    """Return the frame that says that a payload cannot be carried."""
    return connection.codec.encode(_bug(connection, request, payload, error))


def _bug(connection: Connection, request: Any, payload: Any, error: Exception) -> Any:
    plan = connection.plan
    if not isinstance(payload, (dict, list, tuple, str, int, float)):
        error = misgiven(plan, "aaah_response_shaper", plan.shape, payload, "payload")
    call = request if isinstance(request, Call) else getattr(request, "call", None)
    call = call or Call(None, None, handler=connection.consumer)
    return shaped(plan, call, bug(call, error))
