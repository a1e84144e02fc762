"""One frame in, at most one frame out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from aaah_core import dispatch
from aaah_core.errors import RequestError, UnsupportedFrame
from aaah_core.messages import Call

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.inbox import Message
    from aaah_core.interfaces import Codec
    from aaah_core.plan import ConsumerPlan
    from aaah_core.running import Running

__all__ = ["Request", "answer", "read", "refused"]

logger = logging.getLogger("aaah")

#: A call, a batch, or what was wrong with the frame.
Request: TypeAlias = "Call | Exception | list[Call | RequestError]"


def read(plan: ConsumerPlan, codec: Codec, message: Message) -> Request:
    """Return the request of an ASGI message."""
    text = message.get("text")
    frame = text if text is not None else message.get("bytes") or b""
    if isinstance(frame, str) is not (codec.frame == "text"):
        return UnsupportedFrame(f"The codec {codec.name!r} reads {codec.frame} frames.")
    try:
        return dispatch.read(plan, codec, frame)
    except Exception as error:  # noqa: BLE001 - a bug in a codec or a parser is answered too
        return error


async def answer(
    plan: ConsumerPlan,
    codec: Codec,
    consumer: AsyncAPIConsumer,
    request: Request,
    running: Running,
) -> str | bytes | None:
    """Run a request and return the frame of its reply; None where there is none to send."""
    try:
        if isinstance(request, list):
            return await _answer_batch(plan, codec, consumer, request, running)
        payload = await dispatch.respond(plan, consumer, request, running)
        return None if payload is None else _encode(plan, codec, consumer, request, payload)
    except Exception:
        # A shaper or a codec that cannot even say that it failed.
        logger.exception("%s cannot reply at all", type(consumer).__qualname__)
        return None


async def _answer_batch(
    plan: ConsumerPlan,
    codec: Codec,
    consumer: AsyncAPIConsumer,
    batch: list[Call | RequestError],
    running: Running,
) -> str | bytes | None:
    answered: list[tuple[Call | RequestError, Any]] = []
    for request in batch:
        running.renew(asyncio.get_running_loop().time(), plan.limits.deadline)
        payload = await dispatch.respond(plan, consumer, request, running)
        if payload is not None:
            answered.append((request, payload))
    if not answered:
        return None
    try:
        return codec.encode([payload for _, payload in answered])
    except Exception:  # noqa: BLE001 - one reply that cannot be carried must not cost the others
        return codec.encode([_carried(plan, codec, consumer, *each) for each in answered])


def _carried(
    plan: ConsumerPlan, codec: Codec, consumer: AsyncAPIConsumer, request: Any, payload: Any
) -> Any:
    try:
        codec.encode(payload)
    except Exception as error:  # noqa: BLE001 - as in `_encode`
        return _bug(plan, consumer, request, error)
    return payload


def refused(request: Request, error_class: type[RequestError]) -> Request:
    """Return a request that refuses every call of another one."""
    if isinstance(request, list):
        return [
            each if isinstance(each, RequestError) else error_class(call=each) for each in request
        ]
    return error_class(call=request) if isinstance(request, Call) else request


def _encode(
    plan: ConsumerPlan, codec: Codec, consumer: AsyncAPIConsumer, request: Any, payload: Any
) -> str | bytes:
    """Return the frame of a payload; a value that cannot be carried makes it the reply of a bug."""
    try:
        return codec.encode(payload)
    except Exception as error:  # noqa: BLE001 - whatever cannot be encoded is answered too
        return codec.encode(_bug(plan, consumer, request, error))


def _bug(plan: ConsumerPlan, consumer: AsyncAPIConsumer, request: Any, error: Exception) -> Any:
    call = request if isinstance(request, Call) else getattr(request, "call", None)
    call = call or Call(None, None, handler=consumer)
    return plan.shape(call, dispatch.bug(call, error))
