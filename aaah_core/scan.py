"""Cheap looks at JSON text, for what a decoder lets pass and an encoder writes in its own way."""

from __future__ import annotations

__all__ = ["LONG", "is_flat", "marked", "may_be_deep"]

# Any digit becomes a 0 and any bracket a square one, so that plain searches find runs and levels.
_MARKS = bytes.maketrans(b"123456789{}", b"000000000[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))

#: In a marked text, the shortest integer that may be outside 64 bits.
LONG = "0" * 19


def is_flat(text: str) -> bool:
    """Return whether nothing is inside of the outermost object, and no text has an escaped NUL."""
    inner = "[" in text or text.find("{", 1) > 0
    return not inner and ("\\" not in text or r"\u0000" not in text)


def marked(raw: bytes) -> str:
    """Return a text with a 0 for any digit and a square bracket for any bracket."""
    return raw.translate(_MARKS).decode("latin-1")


def may_be_deep(raw: bytes, depth: int) -> bool:
    """Return whether brackets stand in more levels than that; those inside strings count too."""
    brackets = raw.translate(_MARKS, _NO_BRACKET)
    while depth and b"[]" in brackets:
        brackets, depth = brackets.replace(b"[]", b""), depth - 1  # one level a round
    return bool(brackets)
