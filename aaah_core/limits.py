"""What one client may ask of the server: `Limits`, and the walk that holds a payload to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, TypeAlias

import msgspec

from aaah_core.errors import DecodeError

__all__ = ["Limits", "check_bounds", "too_large"]

_LOWEST = -(2**63)
_HIGHEST = 2**64 - 1

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a connection: ``AAAH["LIMITS"]``, and what a consumer's `limits` change.

    docs/delivery.md says what happens beyond each. None is no bound.
    """

    #: Bytes of one frame; a larger one closes the connection (4413).
    frame_bytes: Count = 262_144
    #: Levels of lists and objects inside one another in one payload.
    depth: Count = 32
    #: Members of lists and objects in one payload, all levels together.
    items: Count = 10_000
    #: Digits of one integer; one that is shorter, but outside 64 bits, is refused as unreadable.
    digits: Count = 640
    #: Keys of a request besides the wire's own.
    parameters: Count = 100
    #: Characters of a route, query included.
    route_length: Count = 256
    #: Calls of one batch, in a wire that has them.
    batch: Count = 100
    #: Calls that wait on one connection.
    inbox: Count = 512
    #: Bytes of the frames that wait on one connection.
    inbox_bytes: Count = 1_048_576
    #: Messages that wait to be sent on one connection; more close it (4429).
    outbox: Count = 1024
    #: Bytes of the frames that wait to be sent on one connection; more close it (4429).
    outbox_bytes: Count = 4_194_304
    #: Groups that a connection may be in for a call of it to join one more.
    groups: Count = 128
    #: Seconds that an action may take.
    deadline: Positive = 30.0
    #: Seconds that a client may take to read what it is sent; a slower one is closed (4429).
    send_timeout: Positive = 10.0
    #: Messages in a row that cannot be read; more close the connection (4400).
    bad_messages: Count = 100
    #: Messages a second, on average; one beyond it is answered with 429, and who goes on is closed
    #: (4429).
    rate: Positive | None = None
    #: Messages that may come at once before `rate` counts; so many again beyond it close.
    burst: Count = 100
    #: Seconds that a connection may last, give or take a tenth at random; then it is closed (4503).
    age: Positive | None = 43_200.0
    #: Seconds that a client may send nothing; then it is closed (4503).
    idle: Positive | None = None
    #: Connections of this process, whatever consumer has them; one more is refused (4429).
    connections: Count | None = 10_000
    #: Connections of one user, by primary key. One user must not take what is there for all.
    connections_per_user: Count | None = 1_000
    #: Connections from one address. Behind a proxy that hides addresses all clients have one.
    connections_per_address: Count | None = 9_000


def check_bounds(payload: Any, limits: Limits) -> None:
    """Refuse a decoded payload that is too deep, too wide or holds what JSON could not have sent.

    One walk, without recursion, for every codec; it looks at `limits.items` members at most. Bytes
    pass, since MessagePack has them.

    Args:
        payload: What a codec decoded.
        limits: `depth`, `items` and `digits` are looked at.

    Raises:
        DecodeError: 413 where a bound is passed; 400, with the place as `field`, for an integer
            outside 64 bits, NaN, Infinity, a NUL or a lone surrogate in text, a key that is no
            text, and any type that JSON does not have.
    """
    items = -1  # the payload itself is nobody's member
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), (payload,))]
    while pending:
        path, container = pending.pop()
        items += len(container)
        if items > limits.items:
            raise too_large(f"It has more than {limits.items} members in lists and objects.")
        for key, value in _members(path, container):
            kind = type(value)
            if kind is dict or kind is list:
                if len(path) >= limits.depth:
                    raise too_large(f"It is nested more than {limits.depth} levels deep.")
                pending.append(((*path, key), value))
            elif (fault := _fault(value)) is not None:
                if kind is int and abs(value) >= 10**limits.digits:
                    raise too_large(f"An integer has more than {limits.digits} digits.")
                raise _unreadable(f"{fault}.", (*path, key))


def too_large(detail: str) -> DecodeError:
    """Return the error for a frame that passes a bound, with a sentence that says which."""
    return DecodeError(f"The message is too large. {detail}", code="too_large", status=413)


def _members(path: tuple[str | int, ...], container: Any) -> Iterable[tuple[str | int, Any]]:
    if type(container) is not dict:
        return enumerate(container)
    for key in container:
        if type(key) is not str:
            raise _unreadable("A key is not text.", path)
        if (fault := _text_fault(key)) is not None:
            raise _unreadable(f"{fault} in a key.", path)
    return container.items()


def _fault(value: Any) -> str | None:
    kind = type(value)
    if kind is str:
        return _text_fault(value)
    if kind is int:
        return None if _LOWEST <= value <= _HIGHEST else "An integer is outside 64 bits"
    if kind is float:
        return None if isfinite(value) else "A number is not finite"
    if value is None or kind is bool or kind is bytes:
        return None
    return "A value is of a type that JSON does not have"


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "A NUL is in the text"
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return "A lone surrogate is in the text"
    return None


def _unreadable(detail: str, path: tuple[str | int, ...]) -> DecodeError:
    # The path begins with the place of the payload in the walk's own wrapper.
    return DecodeError(f"The message cannot be read. {detail}", field=path[1:] or None)
