"""One frame in, at most one frame out."""

from __future__ import annotations

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

__all__ = ["Request", "answer", "read", "refuse"]

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
    running: Running | None = None,
) -> str | bytes | None:
    """Run a request and return the frame of its reply; None where there is none to send."""
    if not isinstance(request, list):
        payload = await dispatch.respond(plan, consumer, request, running)
        return None if payload is None else encode(plan, codec, consumer, request, payload)
    payloads: list[Any] = []
    for each in request:
        payload = await dispatch.respond(plan, consumer, each, running)
        if payload is not None:
            payloads.append(payload)
    return encode(plan, codec, consumer, None, payloads) if payloads else None


async def refuse(
    plan: ConsumerPlan,
    codec: Codec,
    consumer: AsyncAPIConsumer,
    request: Request,
    error_class: type[RequestError],
) -> str | bytes | None:
    """Return the frame that refuses every call of a request."""

    def refused(each: Any) -> Any:
        return error_class(call=each) if isinstance(each, Call) else each

    refusal = list(map(refused, request)) if isinstance(request, list) else refused(request)
    return await answer(plan, codec, consumer, refusal)


def encode(
    plan: ConsumerPlan, codec: Codec, consumer: AsyncAPIConsumer, request: Any, payload: Any
) -> str | bytes:
    """Return the frame of a payload; a value that cannot be carried makes it the reply of a bug."""
    try:
        return codec.encode(payload)
    except Exception as error:  # noqa: BLE001 - whatever cannot be encoded is answered too
        call = request if isinstance(request, Call) else Call(None, None, handler=consumer)
        return codec.encode(plan.shape(call, dispatch.bug(call, error)))
