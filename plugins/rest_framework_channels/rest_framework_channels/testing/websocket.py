"""Communicators: tests talk to an application with them.

They do what Channels' `WebsocketCommunicator` does, whose package cannot be imported without
daphne.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote, urlparse

from asgiref.testing import ApplicationCommunicator

__all__ = ["AuthCommunicator", "ExtendedWebsocketCommunicator"]


class ExtendedWebsocketCommunicator(ApplicationCommunicator):
    """A client in memory, whose scope has what a URL captured.

    Args:
        application: The application.
        path: The path, with its query string if any.
        headers: The headers of the handshake.
        subprotocols: The subprotocols to offer.
        spec_version: The version of the ASGI specification.
        args: What unnamed groups captured.
        kwargs: What named groups captured.
    """

    scope: dict[str, Any]
    # asgiref's, which have no types.
    send_input: Any
    receive_output: Any
    wait: Any

    def __init__(  # noqa: PLR0917 - code written for rest_framework_channels passes them so
        self,
        application: Any,
        path: str,
        headers: Any = None,
        subprotocols: Any = None,
        spec_version: Any = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        cast(Any, super()).__init__(application, {"type": "websocket"})
        self.response_headers: Any = None
        if not isinstance(path, str):
            raise TypeError(f"Expected str, got {type(path)}")
        url = urlparse(path)
        self.scope |= {
            "path": unquote(url.path),
            "query_string": url.query.encode(),
            "headers": headers or [],
            "subprotocols": subprotocols or [],
            "url_route": {"args": tuple(args), "kwargs": dict(kwargs or {})},
        }
        if spec_version:
            self.scope["spec_version"] = spec_version

    async def connect(self, timeout: float = 1) -> tuple[bool, Any]:  # noqa: ASYNC109 - as Channels'
        """Connect, and return True and the subprotocol, or False and the close code."""
        await self.send_input({"type": "websocket.connect"})
        message = await self.receive_output(timeout)
        if message["type"] == "websocket.close":
            return False, message.get("code", 1000)
        _expect(message["type"], "websocket.accept")
        self.response_headers = message.get("headers", [])
        return True, message.get("subprotocol")

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send a frame."""
        if bool(text_data) is bool(bytes_data):
            raise AssertionError("You must supply exactly one of text_data or bytes_data")
        kind, frame = ("text", text_data) if text_data else ("bytes", bytes_data)
        await self.send_input({"type": "websocket.receive", kind: frame})

    async def send_json_to(self, data: Any) -> None:
        """Send JSON in a text frame."""
        await self.send_to(text_data=json.dumps(data))

    async def receive_from(self, timeout: float = 1) -> Any:  # noqa: ASYNC109 - as Channels'
        """Return the next frame.

        Raises:
            AssertionError: The application did something else.
            Exception: What left the application.
        """
        message = await self.receive_output(timeout)
        _expect(message["type"], "websocket.send")
        frame = message.get("text")
        return message["bytes"] if frame is None else frame

    async def receive_json_from(self, timeout: float = 1) -> Any:  # noqa: ASYNC109 - as Channels'
        """Return what the next frame, a text, holds."""
        frame = await self.receive_from(timeout)
        if not isinstance(frame, str):
            raise AssertionError(f"JSON data is not a text frame, it is {type(frame)}")
        return json.loads(frame)

    async def disconnect(self, code: int = 1000, timeout: float = 1) -> None:  # noqa: ASYNC109 - as Channels'
        """Leave, and wait until the application has ended."""
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(timeout)


class AuthCommunicator(ExtendedWebsocketCommunicator):
    """A communicator with a user, in the place of an authentication middleware.

    Args:
        user: What ``scope["user"]`` is.
        args: Those of `ExtendedWebsocketCommunicator`.
        kwargs: Those of `ExtendedWebsocketCommunicator`.
    """

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope["user"] = user


def _expect(found: str, wanted: str) -> None:
    if found != wanted:
        raise AssertionError(f"Expected type '{wanted}', but was '{found}'")
