"""How many connections this process has: in all, of each user, and from each address."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Hashable, Iterator
from typing import Any, TypeAlias

from aaah_core.interfaces import Scope
from aaah_core.limits import Limits

__all__ = ["Place", "enter", "leave", "place", "total"]

#: Where a connection counts besides the process: its user, and its network; None for none.
Place: TypeAlias = tuple[Hashable, Hashable]

#: By the field of `Limits` that bounds it, and of whom; for as long as there is one.
_counts: dict[tuple[str, Hashable], int] = {}
#: Event loops of several threads may count at once.
_lock = threading.Lock()


def place(scope: Scope, user: Any) -> Place:
    """Return where a connection counts.

    Args:
        scope: Its scope, with `client` where the server knows the address.
        user: The primary key of its user; None if there is none.
    """
    client = scope.get("client")
    return user, _network(client[0]) if client else None


def _keys(place: Place) -> Iterator[tuple[str, Hashable]]:
    user, network = place
    yield "connections", None
    if user is not None:
        yield "connections_per_user", user
    if network is not None:
        yield "connections_per_address", network


def _network(host: str) -> Hashable:
    """Return what one customer of a provider has: an IPv4 address, or a /64 of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host  # the path of a socket, or a name
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or address.packed[:8].hex())


def enter(place: Place, limits: Limits) -> str | None:
    """Count a connection.

    Returns:
        None; or the limit that is reached, and then it is not counted at all.
    """
    with _lock:
        for key in _keys(place):
            most: int | None = getattr(limits, key[0])
            if most is not None and _counts.get(key, 0) >= most:
                return key[0]
        for key in _keys(place):
            _counts[key] = _counts.get(key, 0) + 1
    return None


def leave(place: Place) -> None:
    """Give back what `enter` counted."""
    with _lock:
        for key in _keys(place):
            _counts[key] -= 1
            if not _counts[key]:
                del _counts[key]


def total() -> int:
    """Return how many connections there are, without waiting: a signal handler may ask."""
    return _counts.get(("connections", None), 0)
