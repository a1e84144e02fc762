"""What a handler sends, and what it answers to an exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, cast

from rest_framework.exceptions import PermissionDenied

import aaah_core
from rest_framework_channels.exceptions import ActionNotAllowed
from rest_framework_channels.overrides import overridden
from rest_framework_channels.settings import api_settings
from rest_framework_channels.utils import ensure_async
from rest_framework_channels.wire import encodable

__all__ = ["Replying"]


class Replying:
    """The part of a handler that talks to the client."""

    exception_handler: ClassVar[Callable[..., Any] | None] = None
    json_encoder_class: ClassVar[type[json.JSONEncoder] | None] = None
    #: The consumer that owns the socket.
    consumer: Any
    #: What `AsyncActionHandler` has, so that it stands before that of Channels' consumers.
    encode_json: Any

    #: What sends an ASGI message to the server; a consumer has its own.
    base_send: Any = cast(Any, cached_property(lambda self: self.consumer.base_send))

    async def send(
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: Any = False
    ) -> None:
        """Send a frame down the socket.

        Raises:
            ValueError: There is nothing to send.
        """
        if text_data is None and bytes_data is None:
            raise ValueError("You must pass one of bytes_data or text_data")
        frame = {"bytes": bytes_data} if text_data is None else {"text": text_data}
        await self.base_send({"type": "websocket.send", **frame})
        if close:
            await self.close(close)

    async def send_json(self, content: Any, close: Any = False) -> None:
        """Send a payload of any shape, in the connection's codec; in JSON where a child overrides
        `send` or `encode_json`.
        """
        if self.consumer is self or overridden(type(self), "send", "encode_json"):
            await self.send(text_data=await self.encode_json(content), close=close)
        else:
            # Not what a consumer overrides: that is for what the consumer itself sends.
            payload = encodable(content, type(self))
            await aaah_core.AsyncAPIConsumer.send_json(self.consumer, payload, close)

    async def close(self, code: Any = None, reason: str | None = None) -> None:
        """Close the socket."""
        said = {"code": None if code is True else code, "reason": reason}
        message = {key: value for key, value in said.items() if value is not None}
        await self.base_send({"type": "websocket.close", **message})

    async def reply(
        self,
        action: str | None,
        route: str | None,
        data: Any = None,
        errors: Any = None,
        status: int = 200,
    ) -> None:
        """Send a response.

        An action calls it for one besides the one that it returns, and a child that overrides it
        has all of its replies go through here.
        """
        payload = {"errors": errors or [], "data": data}
        await self.send_json({**payload, "action": action, "route": route, "status": status})

    async def handle_exception(self, exc: Exception, action: str | None, route: str | None) -> None:
        """Send the reply to an exception.

        Raises:
            Exception: The exception itself, where nobody answers.
        """
        context = await self.exception_context(exc, action, route)
        if not context:
            raise exc
        await self.reply(**context)

    async def exception_context(
        self, exc: Exception, action: str | None, route: str | None
    ) -> dict[str, Any] | None:
        """Return what the reply to an exception holds, or None where nobody answers."""
        context: dict[str, Any] = {"action": action, "route": route}
        if isinstance(exc, (PermissionDenied, ActionNotAllowed)):
            return {**context, "status": exc.status_code, "errors": [exc.detail]}
        return cast("dict[str, Any] | None", await self.get_exception_handler()(exc, context))

    def get_exception_handler(self) -> Callable[..., Any]:
        """Return what answers to exceptions now, as an async function."""
        return ensure_async(type(self).exception_handler or api_settings.EXCEPTION_HANDLER)
