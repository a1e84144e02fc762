"""Cheap looks at JSON text, for what a decoder lets pass and an encoder writes in its own way."""

from __future__ import annotations

import re

from aaah_core.limits import Limits, too_large

__all__ = ["LONG", "MARKS", "is_flat", "marked", "may_be_deep", "require_bounds"]

#: Any digit becomes a 0 and any bracket a square one, so that plain searches find runs and levels.
MARKS = bytes.maketrans(b"123456789{}", b"000000000[]")
#: A text, also one that never ends: to look for its end from each quote in it would take minutes.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))

#: In a marked text, the shortest integer that may be outside 64 bits.
LONG = "0" * 19


def is_flat(text: str) -> bool:
    """Return whether nothing is inside of the outermost object, and no text has an escaped NUL."""
    inner = "[" in text or text.rfind("{") > 0
    return not inner and ("\\" not in text or r"\u0000" not in text)


def marked(raw: bytes) -> str:
    """Return a text with a 0 for any digit and a square bracket for any bracket."""
    return raw.translate(MARKS).decode("latin-1")


def may_be_deep(raw: bytes, depth: int) -> bool:
    """Return whether brackets stand in more levels than that; those inside strings count too."""
    brackets = raw.translate(MARKS, _NO_BRACKET)
    while depth and b"[]" in brackets:
        brackets, depth = brackets.replace(b"[]", b""), depth - 1  # one level a round
    return bool(brackets)


def require_bounds(raw: bytes, limits: Limits) -> None:
    """Refuse a frame that is too wide or too deep, before anything is made of it.

    Raises:
        DecodeError: 413; whatever else is wrong with the frame, its parser says.
    """
    # Outside of texts, each of which is a 0 here.
    bare = _TEXT.sub(b"0", raw).translate(MARKS, b" \t\r\n")
    levels = bare.count(b"[")
    if bare.count(b",") + levels - bare.count(b"[]") > limits.items:
        raise too_large(f"It has more than {limits.items} members in lists and objects.")
    if levels > limits.depth and may_be_deep(bare, limits.depth):
        raise too_large(f"It is nested more than {limits.depth} levels deep.")
