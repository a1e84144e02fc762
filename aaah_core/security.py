"""Which web pages may open a socket: `protect` goes around the WebSockets of an `asgi.py`.

A browser sends a visitor's cookies with a socket that any page opens, and names the page's origin:
nothing else tells the visitor's own page from a stranger's.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

from django.conf import settings

from aaah_core import conf
from aaah_core.close_codes import CloseCode
from aaah_core.errors import ConfigurationError

__all__ = ["Protected", "protect"]

logger = logging.getLogger("aaah.origin")

Scope: TypeAlias = Mapping[str, Any]

#: Scheme, host and port: what browsers call an origin.
Origin: TypeAlias = tuple[str, str, int | None]

#: The ports that origins leave out.
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

#: What serves a socket to pages of a scheme. A proxy may have unpacked TLS before us.
_SERVED_BY = {"http": ("ws", "http"), "https": ("ws", "wss", "http", "https")}

#: RFC 6454: a scheme, a host and perhaps a port, and nothing else.
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9.])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?",
    re.IGNORECASE | re.ASCII,
)

#: More than any origin has: a host has 253 characters at most.
_LONGEST = 300


def protect(application: Any) -> Protected:
    """Return an ASGI application that lets only permitted web pages open a socket.

    What it refuses gets a 403 before anything behind it runs. So it stands outermost::

        "websocket": protect(AuthMiddlewareStack(URLRouter([...])))

    * ``AAAH["ALLOWED_ORIGINS"]`` lists origins such as ``"https://example.com"``: scheme, host and
      port all have to be the same. Where it is not set, a page may connect to the host it came
      from, which `ALLOWED_HOSTS` must allow; with `DEBUG`, pages of localhost may, too.
    * Without an origin, no browser is asking: that is let in unless it brings cookies.
    * ``null``, two origins, and what is no origin are refused.

    Args:
        application: What is to be protected. What is no WebSocket passes.

    Raises:
        ConfigurationError: `ALLOWED_ORIGINS` holds what is no origin.
    """
    return Protected(application)


class Protected:
    """What `protect` returns.

    Attributes:
        application: What it protects.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        _allowed()  # which says at start what is set wrongly

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Refuse a handshake, or hand it on."""
        if scope["type"] != "websocket" or permits(scope):
            await self.application(scope, receive, send)
            return
        logger.info("A socket is refused, of the origin %.100r", _values(scope, b"origin"))
        if (await receive())["type"] == "websocket.connect":
            await send({"type": "websocket.close", "code": int(CloseCode.REFUSED)})


def permits(scope: Scope) -> bool:
    """Return whether a handshake may go on, by the origin it names."""
    named = _values(scope, b"origin")
    if not named:
        # Browsers always name one: what brings cookies without it is odd enough to be refused.
        return not _values(scope, b"cookie")
    origin = _read(named[0]) if len(named) == 1 else None
    if origin is None:
        return False
    allowed = _allowed()
    return origin in allowed if allowed is not None else _is_at_home(origin, scope)


def _values(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope.get("headers", ()) if name.lower() == wanted]


#: The settings that were read last, and the origins they list.
_last: tuple[conf.Settings | None, frozenset[Origin] | None] = (None, None)


def _allowed() -> frozenset[Origin] | None:
    """Return the origins that are listed; None where there is no list."""
    global _last
    current = conf.current()
    if _last[0] is not current:
        listed = current.ALLOWED_ORIGINS
        _last = current, None if listed is None else frozenset(_known(listed))
    return _last[1]


def _known(listed: Iterable[str]) -> Iterable[Origin]:
    for text in listed:
        origin = _read(text.encode("utf-8"))
        if origin is None:
            raise ConfigurationError(
                f'AAAH["ALLOWED_ORIGINS"] has {text!r}, which is no origin. Write the scheme, the '
                f"host and, unless it is the usual one, the port: 'https://example.com'."
            )
        yield origin


def _read(header: bytes) -> Origin | None:
    """Return the origin that a header names; None for what is none."""
    if len(header) > _LONGEST or not header.isascii():
        return None
    found = _ORIGIN.fullmatch(header.decode("ascii"))
    if found is None:
        return None
    scheme, host = found["scheme"].lower(), _host(found["host"])
    port = int(found["port"]) if found["port"] else _PORTS.get(scheme)
    if host is None or (port is not None and port > 65535):
        return None
    return scheme, host, port


def _host(text: str) -> str | None:
    if not text.startswith("["):
        return text.lower()
    try:
        return f"[{ipaddress.IPv6Address(text[1:-1])}]"
    except ValueError:
        return None


# Where no origins are listed.


def _is_at_home(origin: Origin, scope: Scope) -> bool:
    """Return whether a page came from the host that it connects to."""
    scheme, host, _ = origin
    if settings.DEBUG and _is_local(host):
        return True
    hosts = _values(scope, b"host")
    if len(hosts) != 1 or scope.get("scheme", "ws") not in _SERVED_BY.get(scheme, ()):
        return False
    # As the page would have to call the host: with the port that goes without saying.
    return _read(scheme.encode() + b"://" + hosts[0]) == origin and _is_allowed_host(host)


def _is_local(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "[::1]") or host.endswith(".localhost")


def _is_allowed_host(host: str) -> bool:
    from django.http.request import validate_host  # which loads what an import need not

    allowed = settings.ALLOWED_HOSTS
    if settings.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    return validate_host(host, allowed)
