"""Looks at a CBOR frame before anything is made of it.

An empty list is one byte of a frame and 56 of memory, and a map of one member 184: a frame at its
limit would take a hundred times its own size. A bignum, and a simple value, takes a microsecond.
"""

from __future__ import annotations

from aaah_core import Limits, too_large

__all__ = ["may_be_wide", "require_bounds"]

#: The first bytes of arrays, maps, bignums, also with their tag in more bytes than it needs, and
#: simple values; inside of text, bytes and numbers they stand, too.
_HEADS = bytes(range(0x80, 0xC4)) + bytes(range(0xD8, 0xF9))
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}  # of the argument that follows a first byte
_INDEFINITE = 31


def may_be_wide(frame: bytes, limits: Limits) -> bool:
    """Return whether a frame may have so many of these that it is to be looked at first."""
    return len(frame) - len(frame.translate(None, _HEADS)) > limits.items


def require_bounds(frame: bytes, limits: Limits) -> None:
    """Refuse a frame with more lists and maps than there may be members, or far more of anything.

    It takes one step for each head in the frame, and few enough to keep nobody waiting: a payload
    within the limits has no more, unless its text comes in very small parts.

    Raises:
        DecodeError: 413; whatever else is wrong with the frame, its parser says.
    """
    place = heads = containers = 0
    while place < len(frame):
        major, argument = divmod(frame[place], 32)
        width = _WIDTHS.get(argument, 0)
        place += 1 + width
        if major in (2, 3) and argument != _INDEFINITE:  # bytes and text
            place += int.from_bytes(frame[place - width : place]) if width else argument
        heads += 1
        containers += major in (4, 5)
        # Keys, values, their tags and the breaks; the outermost list or map is nobody's member.
        if containers > limits.items + 1 or heads > 4 * (limits.items + 1):
            raise too_large(f"It has more than {limits.items} members in lists and objects.")
