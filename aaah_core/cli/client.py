"""A client over a real socket that sends one request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError

from aaah_core.close_codes import CloseCode
from aaah_core.errors import AAAHError
from aaah_core.interfaces import Codec
from aaah_core.limits import Limits

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["NO_REPLY", "REPLY_LIMITS", "REQUEST_ID", "exchange", "is_reply"]

#: The exit status where no reply came.
NO_REPLY = 3

#: What a request is marked with.
REQUEST_ID = 1
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Who asked for a reply wants the whole of it.
REPLY_LIMITS = Limits(frame_bytes=2**31 - 1, depth=100, items=2**31 - 1)
_REMEDIES = {
    401: "Log in: give --cookie or --header.",
    403: (
        "A permission, an Origin check or the codec: see --cookie, "
        "--header 'Origin: …' and --codec."
    ),
    404: "Look at the path of the URL.",
}


def exchange(
    url: str,
    request: dict[str, Any],
    *,
    codec: Codec,
    headers: Sequence[tuple[str, str]],
    timeout: float,
    on_event: Callable[[Any], None],
) -> dict[str, Any]:
    """Send one request and return its reply.

    Args:
        url: Where, with ``ws://`` or ``wss://``.
        request: The request, without a `request_id`.
        codec: What to speak.
        headers: More headers of the handshake.
        timeout: Seconds until the reply must be there.
        on_event: Takes each payload that comes before the reply.

    Raises:
        CommandError: No reply came. It says why, and nothing of headers, credentials or the query.
    """
    try:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect
    except ImportError as error:
        raise _failure('A WebSocket client is missing: pip install "aaah-core[client]"') from error
    place = _place(url)
    deadline = time.monotonic() + timeout
    try:
        with connect(
            url,
            subprotocols=[codec.subprotocol],  # type: ignore[list-item]  # a NewType of str
            additional_headers=headers,
            # A proxy of the environment would not find what listens on this machine.
            proxy=None if urlsplit(url).hostname in _LOOPBACK else True,
            open_timeout=timeout,
            close_timeout=1,
            max_size=None,
        ) as socket:
            if socket.subprotocol != codec.subprotocol:
                raise _failure(f"{place} does not speak {codec.subprotocol}: give another --codec.")
            socket.send(codec.encode({**request, "request_id": REQUEST_ID}))
            return _receive(socket, codec, deadline, on_event)
    except (OSError, WebSocketException, AAAHError) as error:
        raise _failure(f"{place} {_reason(error, timeout)}") from error


def _place(url: str) -> str:
    """Return the URL as it may be shown: without credentials and query."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        pass  # said below
    raise _failure("That is no WebSocket URL: write it as ws://host:port/path, or with wss://.")


def _receive(
    socket: ClientConnection, codec: Codec, deadline: float, on_event: Callable[[Any], None]
) -> dict[str, Any]:
    while True:
        frame = socket.recv(timeout=max(0.0, deadline - time.monotonic()))
        payload = codec.decode(frame, REPLY_LIMITS)
        if is_reply(payload):
            return payload  # type: ignore[no-any-return]  # as `is_reply` says
        on_event(payload)


def is_reply(payload: Any) -> bool:
    """Return whether a payload is the reply to the request, and neither an event nor a part."""
    return (
        isinstance(payload, dict)
        and "event" not in payload
        and isinstance(payload.get("status"), int)
        # A server that could not read the request does not repeat its id.
        and payload.get("request_id", REQUEST_ID) == REQUEST_ID
        and not payload.get("more")
    )


def _reason(error: Exception, timeout: float) -> str:
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

    match error:
        case TimeoutError():
            return f"did not answer within {timeout:g} s: wait longer with --timeout."
        case InvalidStatus():
            status = error.response.status_code
            remedy = _REMEDIES.get(status, "The server's log says why.")
            return f"refused the connection with HTTP {status}. {remedy}"
        case ConnectionClosed():
            code = error.rcvd.code if error.rcvd else 1006
            name = f" ({CloseCode(code).name})" if code in list(CloseCode) else ""
            return f"closed the connection with {code}{name} before it replied; see its log."
        case WebSocketException():
            return f"does not answer as a WebSocket server ({type(error).__name__}): see the URL."
        case AAAHError():
            return f"could not be asked, or understood: {error}"
    cause = getattr(error, "strerror", None) or error
    return f"cannot be reached ({cause}). Is the server running?"


def _failure(message: str) -> CommandError:
    return CommandError(message, returncode=NO_REPLY)
