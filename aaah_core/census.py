"""How many connections this process has: in all, of each user, and from each address."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Hashable, Iterator
from typing import Any, TypeAlias

from aaah_core.interfaces import Scope
from aaah_core.limits import Limits

__all__ = ["Place", "enter", "leave", "places", "total"]

#: What is counted: the field of `Limits` that bounds it, and of whom.
Place: TypeAlias = tuple[str, Hashable]

#: A place stands here for as long as somebody is in it.
_counts: dict[Place, int] = {}
#: Event loops of several threads may count at once.
_lock = threading.Lock()


def places(scope: Scope, user: Any) -> tuple[Place, ...]:
    """Return where a connection counts.

    Args:
        scope: Its scope, with `client` where the server knows the address.
        user: The primary key of its user; None if there is none.
    """
    return tuple(_places(scope, user))


def _places(scope: Scope, user: Any) -> Iterator[Place]:
    yield "connections", None
    if user is not None:
        yield "connections_per_user", user
    if client := scope.get("client"):
        yield "connections_per_address", _network(client[0])


def _network(host: str) -> Hashable:
    """Return what one customer of a provider has: an IPv4 address, or a /64 of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host  # the path of a socket, or a name
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or address.packed[:8].hex())


def enter(wanted: tuple[Place, ...], limits: Limits) -> str | None:
    """Count a connection in all of its places.

    Returns:
        None; or the limit that one of the places has reached, and then it is counted nowhere.
    """
    with _lock:
        for place in wanted:
            most: int | None = getattr(limits, place[0])
            if most is not None and _counts.get(place, 0) >= most:
                return place[0]
        for place in wanted:
            _counts[place] = _counts.get(place, 0) + 1
    return None


def leave(counted: tuple[Place, ...]) -> None:
    """Give back what `enter` counted."""
    with _lock:
        for place in counted:
            _counts[place] -= 1
            if not _counts[place]:
                del _counts[place]


def total() -> int:
    """Return how many connections there are, without waiting: a signal handler may ask."""
    return _counts.get(("connections", None), 0)
