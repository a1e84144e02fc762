"""What a codec is tried with: values to write, and frames that nobody should send."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from aaah_core.interfaces import Codec

__all__ = ["FOREIGN", "REFUSED", "VALUES", "nested", "rubbish"]


class _Colour(Enum):
    RED = "red"


@dataclass
class _Book:
    title: str
    year: int


_UTC = dt.UTC
_EVENING = dt.datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=_UTC)

#: One value for each line of the table of `to_plain`, and for what needs no line.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 2**64 - 1, -(2**63), "", "é", "\U0001f600", [], {}),
    *("x" * 40, "x" * 300, "x" * 70_000, [0] * 40, [[1, 2], [3]], {"a": {"b": [None, {"c": ""}]}}),
    {str(number): number for number in range(40)},
    *(_EVENING, _EVENING.date(), _EVENING.time(), _EVENING.replace(tzinfo=None)),
    *(Decimal("1.50"), UUID(int=1), dt.timedelta(days=1), dt.timedelta(microseconds=5)),
    *(_Colour.RED, b"\0\xff", bytearray(b"ab"), memoryview(b"cd"), (1, 2), {3}, frozenset({4})),
    *(math.nan, math.inf, -math.inf, _Book("Emma", 1815)),
    {2: "a", None: "b", True: "c", 1.5: "d", Decimal("2.5"): "e"},
)

#: What no codec can carry.
REFUSED: tuple[Any, ...] = (object(), 2**64, -(2**63) - 1, "\ud800", {(1,): 2}, {"a": [object()]})

#: What only the format's own writer may write, and what a codec makes of it.
FOREIGN: tuple[tuple[str, Any, tuple[int, ...]], ...] = (
    ("an integer above 2**64 - 1", [2**64], (400,)),
    ("an integer below -2**63", [-(2**63) - 1], (400,)),
    ("an integer of 1,000 digits", [10**999], (413,)),
    ("NaN", [math.nan], (400,)),
    ("Infinity", [math.inf], (400,)),
    ("-Infinity", [-math.inf], (400,)),
    ("a NUL in text", ["a\0b"], (400,)),
    ("a NUL in a key", {"a\0b": 1}, (400,)),
    ("a lone surrogate", ["\ud800"], (400,)),
)


def rubbish(codec: Codec, frames: list[str | bytes]) -> Iterator[str | bytes]:
    """Give frames that are empty, cut, damaged, one byte over and over, or of the other kind."""
    dice = random.Random(0)  # noqa: S311 - the same frames each time
    text = codec.frame == "text"
    yield "" if text else b""
    yield b"{}" if text else "{}"
    for number in range(128 if text else 256):
        yield chr(number) * 5_000 if text else bytes([number]) * 5_000
    for frame in frames:
        raw = frame.encode() if isinstance(frame, str) else frame
        for _ in range(20):
            damaged = bytearray(raw[: dice.randrange(len(raw) + 1)] if dice.random() < 0.5 else raw)
            if damaged:
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            yield bytes(damaged).decode("utf-8", "replace") if text else bytes(damaged)


def nested(levels: int) -> Any:
    """Return lists in one another, of so many levels."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value
