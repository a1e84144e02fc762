"""Takes the token out of a handshake, so that nothing behind it can show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings

from aaah_simplejwt.tokens import TokenNotValid

__all__ = ["PREFIX", "take_token"]

#: What stands before a token that a client offers as a subprotocol.
PREFIX = "aaah.bearer."

_PROTOCOLS = b"sec-websocket-protocol"


def take_token(scope: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the token of a handshake, if it brings one, and the scope without it.

    Raises:
        TokenNotValid: There are several, or a header that holds none, or subprotocols of which only
            the token is left: none of those could be accepted, and browsers want one that is.
    """
    offered = list(scope.get("subprotocols") or ())
    kept = [each for each in offered if not each.startswith(PREFIX)]
    tokens = [each.removeprefix(PREFIX) for each in offered if each.startswith(PREFIX)]
    if tokens and not kept:
        raise TokenNotValid
    headers = list(scope.get("headers", ()))
    if (in_header := _in_headers(headers)) is not None:
        tokens.append(in_header)
        headers = [each for each in headers if each[0].lower() != _header_name()]
    if len(tokens) > 1:
        raise TokenNotValid
    if len(kept) < len(offered):
        headers = [each for each in headers if each[0].lower() != _PROTOCOLS]
        headers.append((_PROTOCOLS, ", ".join(kept).encode("latin-1")))
    token = tokens[0] if tokens else None
    return token, {**scope, "headers": headers, "subprotocols": kept}


def _header_name() -> bytes:
    name: str = api_settings.AUTH_HEADER_NAME
    return name.removeprefix("HTTP_").replace("_", "-").lower().encode("ascii")


def _in_headers(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return the token of the header, if it is there and of a type that holds one."""
    wanted = _header_name()
    values = [value for name, value in headers if name.lower() == wanted]
    try:
        tokens = [JWTAuthentication().get_raw_token(value) for value in values]
    except AuthenticationFailed:
        raise TokenNotValid from None
    found = [token for token in tokens if token is not None]
    if not found:
        return None
    if len(tokens) > 1:
        raise TokenNotValid
    return found[0].decode("latin-1")
