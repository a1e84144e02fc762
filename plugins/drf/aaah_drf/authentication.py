"""`AuthenticationMiddleware`: DRF's authentication classes say who opens a socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, Self

from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from aaah_core import CloseCode, Credential, Scope, log_error, run_sync

__all__ = ["AuthenticationMiddleware"]

logger = logging.getLogger("aaah.drf")

#: Seconds that the classes may take.
TIMEOUT = 10.0

_SCHEMES = {"ws": "http", "wss": "https"}


class AuthenticationMiddleware:
    """An ASGI application around WebSockets: `scope["user"]` is who DRF's classes say it is.

    They are asked at the handshake, in a worker thread, with a request that has its headers, path,
    query and method, which is GET. Where one refuses, so is the handshake, before accept. What they
    call `auth` is `scope["auth"]`, and `request.auth` of each call. From time to time they are
    asked about the same request again, and who is refused by then, or is somebody else, is closed.

    `SessionAuthentication` says who another middleware found, such as Channels' `AuthMiddleware`.
    It asks for no CSRF token, as a GET needs none: put `protect` around it, which looks at the
    origin.

    Args:
        application: What is behind it.
        authentication_classes: The classes, in turn; DRF's `DEFAULT_AUTHENTICATION_CLASSES` if
            None.
    """

    def __init__(
        self, application: Any, authentication_classes: Sequence[type[Any]] | None = None
    ) -> None:
        self.application = application
        if authentication_classes is None:
            # Any: the stubs have the names that the setting holds, and not the classes it gives.
            classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
        else:
            classes = authentication_classes
        self._classes = tuple(classes)

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Refuse a handshake, or hand it on with its user."""
        if scope["type"] == "websocket":
            found = await self._admitted(scope)
            if isinstance(found, CloseCode):
                if (await receive())["type"] == "websocket.connect":
                    await send({"type": "websocket.close", "code": int(found)})
                return
            scope = {**scope, **found}
        await self.application(scope, receive, send)

    async def _admitted(self, scope: Scope) -> dict[str, Any] | CloseCode:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await run_sync(_identified, scope, self._classes)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is written down
            if _refuses(error):
                logger.info("A handshake is refused: %s", type(error).__qualname__)
                return CloseCode.SESSION_ENDED
            told = "Error %s: a handshake is refused: an authentication class failed"
            log_error(logger, error, told, scope=scope)
            return CloseCode.GOING_AWAY


def _refuses(error: Exception) -> bool:
    """Return whether a class refused, and did not fail."""
    if isinstance(error, APIException):
        return bool(error.status_code < 500)
    return isinstance(error, PermissionDenied)


def _identified(scope: Scope, classes: Sequence[type[Any]]) -> dict[str, Any]:
    request = _request(scope, classes)
    found = {"user": request.user, "auth": request.auth}
    # What becomes of sessions and passwords is looked at anyway, and to check one takes long.
    again = (type(None), SessionAuthentication, BasicAuthentication)
    if not isinstance(request.successful_authenticator, again):
        found["aaah.credential"] = _Handshake(scope, classes, request.user)
    return found


def _request(scope: Scope, classes: Sequence[type[Any]]) -> Request:
    scheme = _SCHEMES.get(scope.get("scheme", "ws"), "http")
    # Django would read `x_user` as `x-user`, which a proxy may be trusted to set.
    headers = [(name, value) for name, value in scope.get("headers", ()) if b"_" not in name]
    server = scope.get("server") or ("localhost", 443 if scheme == "https" else 80)
    handshake = {"method": "GET", "scheme": scheme, "headers": headers, "server": server}
    request = ASGIRequest({**scope, **handshake}, BytesIO())
    if "user" in scope:
        request.user = scope["user"]
    if "session" in scope:
        request.session = scope["session"]
    return Request(request, authenticators=[each() for each in classes])


class _Handshake(Credential):
    """What came with a handshake: it holds for as long as the classes say the same user."""

    def __init__(self, scope: Scope, classes: Sequence[type[Any]], user: Any) -> None:
        self._scope = scope
        self._classes = classes
        self._user = user

    @classmethod
    def ended(cls, credentials: Sequence[Self]) -> Mapping[Self, str]:
        """Return those that the classes refuse by now."""
        return {each: "its authentication ended" for each in credentials if not each._holds()}

    def _holds(self) -> bool:
        try:
            return bool(_request(self._scope, self._classes).user == self._user)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is written down
            if _refuses(error):
                return False
            # One that fails is asked again, and keeps no other from being asked.
            told = "Error %s: an authentication class failed about a connection"
            log_error(logger, error, told, scope=self._scope)
            return True
