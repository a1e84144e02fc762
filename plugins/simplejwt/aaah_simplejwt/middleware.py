"""`JWTAuthMiddleware`: who opens a socket is who its token says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser

from aaah_core import CloseCode, Scope, log_error
from aaah_simplejwt.handshake import take_token
from aaah_simplejwt.tokens import TokenNotValid, authenticate

__all__ = ["JWTAuthMiddleware"]

logger = logging.getLogger("aaah.simplejwt")

#: Seconds that finding a user may take.
TIMEOUT = 10.0


class JWTAuthMiddleware:
    """An ASGI application around WebSockets: it puts the user of a token into `scope["user"]`.

    The token comes in a header (``Authorization: Bearer ...``, as ``SIMPLE_JWT`` names it) or as
    one of the subprotocols that the client offers: ``aaah.bearer.<token>``. A handshake with a
    token that is not valid is refused before accept. Without a token, `scope["user"]` is who
    another middleware found, or nobody. A token in the query of the URL is not looked at: servers,
    proxies and browsers write URLs down.

    Behind it the scope holds no token: `scope["auth"]` has the claims.

    Args:
        application: What is behind it.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Refuse a handshake, or hand it on with its user."""
        if scope["type"] == "websocket":
            found = await _admitted(scope)
            if isinstance(found, CloseCode):
                if (await receive())["type"] == "websocket.connect":
                    await send({"type": "websocket.close", "code": int(found)})
                return
            scope = found
        await self.application(scope, receive, send)


async def _admitted(handshake: Scope) -> Scope | CloseCode:
    try:
        token, scope = take_token(handshake)
        if token is None:
            return {"user": AnonymousUser(), **scope}
        async with asyncio.timeout(TIMEOUT):
            identity = await authenticate(token)
    except TokenNotValid:
        return CloseCode.SESSION_ENDED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is refused
        told = "Error %s: a handshake with a token is refused: its user could not be found"
        log_error(logger, error, told, scope=handshake)
        return CloseCode.GOING_AWAY
    found = {"user": identity.user, "auth": identity.token, "aaah.credential": identity.credential}
    return {**scope, **found}
