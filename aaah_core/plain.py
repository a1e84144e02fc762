"""Values that JSON does not know, as values that it does: `to_plain`, which every codec uses."""

from __future__ import annotations

import dataclasses
from base64 import b64encode
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec
from django.utils.functional import Promise

from aaah_core.errors import EncodeError

__all__ = ["MAX_DEPTH", "to_plain"]

#: How many levels of lists and mappings a payload that goes out may have; a value that holds itself
#: has more.
MAX_DEPTH = 100

_LOWEST = -(2**63)
_HIGHEST = 2**64 - 1


def to_plain(value: Any, *, keep_bytes: bool = False) -> Any:
    """Return `value` as dicts with text as keys, lists, strings, numbers, bools and None.

    ============================================ =================================================
    dates, times                                 ISO 8601 with microseconds and `Z`, as DRF gives
                                                 them; offsets in whole minutes, as RFC 3339 has
    `Decimal`, `UUID`, lazy strings              text (``"1.50"``, ``"NaN"``)
    `timedelta`                                  seconds: an int where they are whole, else a float
    `Enum`                                       its value
    bytes, bytearray, memoryview                 base64 text
    tuples, sets                                 lists
    NaN, Infinity                                None
    children of str, int, float, dict, list      as their base
    dataclasses, attrs classes, `msgspec.Struct` dicts, with msgspec's names of the fields
    keys of mappings                             the text of their plain value (``"true"``,
                                                 ``"null"``, ``"1.5"``); of two that become one
                                                 the last wins
    ============================================ =================================================

    Objects with declared fields are in the table because actions take them as parameters: what an
    action can be given, it can return.

    Args:
        value: Anything; it is not changed.
        keep_bytes: Leave bytes as `bytes`, for a codec that has them; keys become text still.

    Raises:
        EncodeError: Anything else, an integer outside 64 bits, a lone surrogate in text, or more
            than `MAX_DEPTH` levels. It names the type and the place.
    """
    try:
        return _plain(value, keep_bytes, 1)
    except _Refused as refused:
        raise EncodeError(f"{_place(refused.path)}: {refused.reason}") from refused.__cause__
    except Exception as error:  # a stack that is full, a dict that another thread changes
        raise EncodeError(f"The payload: reading it raised {error!r}.") from error


class _Refused(Exception):
    """Says why a value is refused, and collects the way to it while it passes outwards."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str | int] = []


def _place(path: list[str | int]) -> str:
    steps = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(path))
    return "".join(steps).lstrip(".") or "The payload"


def _plain(value: Any, keep_bytes: bool, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is int:
        return _integer(value)
    if value is None or kind is bool:
        return value
    if kind is float:
        return value if isfinite(value) else None
    if kind is dict:
        return _mapping(value.items(), keep_bytes, depth)
    if kind is list:
        return _sequence(value, keep_bytes, depth)
    try:
        return _converted(value, keep_bytes, depth)
    except _Refused:
        raise
    except Exception as error:  # lazy strings and time zones run anybody's code
        raise _Refused(f"reading a {_name(value)} raised {error!r}.") from error


def _converted(value: Any, keep_bytes: bool, depth: int) -> Any:
    if isinstance(value, Enum):
        return _plain(value._value_, keep_bytes, depth)
    if isinstance(value, dict):
        return _mapping(dict.items(value), keep_bytes, depth)
    if isinstance(value, list):
        return _sequence(list.__iter__(value), keep_bytes, depth)
    if isinstance(value, tuple):
        return _sequence(tuple.__iter__(value), keep_bytes, depth)
    if isinstance(value, (set, frozenset)):
        return _sequence(value, keep_bytes, depth)
    if _has_fields(type(value)):
        return _fields(value, keep_bytes, depth)
    return _scalar(value, keep_bytes)


def _mapping(items: Iterable[tuple[Any, Any]], keep_bytes: bool, depth: int) -> dict[str, Any]:
    _check_depth(depth)
    plain = {}
    for key, value in items:
        name = _text(key) if type(key) is str else _key(key)
        try:
            plain[name] = _plain(value, keep_bytes, depth + 1)
        except _Refused as refused:
            refused.path.append(name)
            raise
    return plain


def _sequence(items: Iterable[Any], keep_bytes: bool, depth: int) -> list[Any]:
    _check_depth(depth)
    plain: list[Any] = []
    for value in items:
        try:
            plain.append(_plain(value, keep_bytes, depth + 1))
        except _Refused as refused:
            refused.path.append(len(plain))
            raise
    return plain


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Refused(f"this is level {depth} of the payload, or a value that holds itself.")


def _has_fields(kind: type[Any]) -> bool:
    return (
        issubclass(kind, msgspec.Struct)
        or dataclasses.is_dataclass(kind)
        or hasattr(kind, "__attrs_attrs__")
    )


def _fields(value: Any, keep_bytes: bool, depth: int) -> Any:
    # msgspec alone knows what a Struct is configured to leave out, rename, tag, or send as a list.
    shape = msgspec.to_builtins(value, enc_hook=lambda _: None)
    if isinstance(shape, list):
        tag = shape[: len(shape) - len(value.__struct_fields__)]
        members = [getattr(value, name) for name in value.__struct_fields__]
        return _sequence([*tag, *members], keep_bytes, depth)
    names = {name: name for name in shape}
    if isinstance(value, msgspec.Struct):
        names = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
    pairs = [
        (name, getattr(value, names[name]) if name in names else tag) for name, tag in shape.items()
    ]
    return _mapping(pairs, keep_bytes, depth)


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        return _key(key._value_)
    if isinstance(key, float) and not isfinite(key):
        return float.__repr__(key)
    plain = _plain(key, False, 1)
    if isinstance(plain, (dict, list)):
        raise _Refused(f"a key of type {_name(key)} has no text.")
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def _scalar(value: Any, keep_bytes: bool) -> Any:
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, int):
        return _integer(int.__int__(value))
    if isinstance(value, float):
        return float.__float__(value) if isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value) if keep_bytes else b64encode(bytes(value)).decode()
    if isinstance(value, (date, time)):
        return msgspec.to_builtins(_base_date(value))
    if isinstance(value, timedelta):
        whole = value.days * 86_400 + value.seconds
        return value.total_seconds() if value.microseconds else whole
    if isinstance(value, Decimal):
        return Decimal.__str__(value)
    if isinstance(value, UUID):
        return UUID.__str__(value)
    if isinstance(value, Promise):
        return _text(str.__str__(str(value)))
    raise _Refused(
        f"a value of type {_name(value)} cannot be sent. Return plain data instead: a list of what "
        "an iterator or a queryset gives, a serializer's data, a dict of an object's fields."
    )


def _base_date(value: date | time) -> date | time:
    # msgspec writes the classes themselves and refuses their children.
    if isinstance(value, datetime):
        return datetime.combine(value, value.timetz())
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    return datetime.combine(date.min, value).timetz()


def _text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Refused("a lone surrogate is in the text, which is no Unicode.") from None
    return text


def _integer(value: int) -> int:
    if not _LOWEST <= value <= _HIGHEST:
        raise _Refused("an integer is outside 64 bits. Send it as text.")
    return value


def _name(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
