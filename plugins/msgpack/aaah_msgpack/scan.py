"""Looks at a MessagePack frame before anything is made of it.

A head of three bytes announces a list of thousands, and the parser makes room for it at once: lists
announced inside one another would take 25,000 times the frame's own size.
"""

from __future__ import annotations

from typing import Final, Literal

from aaah_core import Limits, too_large

__all__ = ["is_suspicious", "require_bounds"]

#: The bytes of fixmap, fixarray and the larger heads; inside of text and numbers they stand, too.
_LARGE_HEADS = bytes(range(0xDC, 0xE0))
_HEADS = bytes(range(0x80, 0xA0)) + _LARGE_HEADS

_Kind = Literal["skip", "array", "map"]


def _kinds() -> list[tuple[_Kind, int, int]]:
    """Return by first byte: its kind, the bytes of its length, and what comes without one."""
    kinds: list[tuple[_Kind, int, int]] = [("skip", 0, 0)] * 256
    kinds[0x80:0x90] = [("map", 0, size) for size in range(16)]
    kinds[0x90:0xA0] = [("array", 0, size) for size in range(16)]
    kinds[0xA0:0xC0] = [("skip", 0, size) for size in range(32)]
    for start, extra in ((0xC4, 0), (0xC7, 1), (0xD9, 0)):  # bin, ext, str
        kinds[start : start + 3] = [("skip", width, extra) for width in (1, 2, 4)]
    for start, sizes in ((0xCA, (4, 8, 1, 2, 4, 8, 1, 2, 4, 8)), (0xD4, (2, 3, 5, 9, 17))):
        kinds[start : start + len(sizes)] = [("skip", 0, size) for size in sizes]
    kinds[0xDC:0xE0] = [("array", 2, 0), ("array", 4, 0), ("map", 2, 0), ("map", 4, 0)]
    return kinds


_KINDS: Final = _kinds()


def is_suspicious(frame: bytes, limits: Limits) -> bool:
    """Return whether a frame may be so deep or so wide that its parser had better not see it."""
    return (
        len(frame) - len(frame.translate(None, _LARGE_HEADS)) > limits.depth
        or len(frame) - len(frame.translate(None, _HEADS)) > limits.items
    )


def require_bounds(frame: bytes, limits: Limits) -> None:
    """Refuse a frame that is too wide or too deep; it looks at 2 * `limits.items` objects at most.

    Raises:
        DecodeError: 413; whatever else is wrong with the frame, its parser says.
    """
    place, members = 0, 0
    missing = [1]  # by level, how many objects are to come
    while missing and place < len(frame):
        if not missing[-1]:
            missing.pop()
            continue
        missing[-1] -= 1
        kind, width, size = _KINDS[frame[place]]
        place += 1 + width
        size += int.from_bytes(frame[place - width : place])
        if kind == "skip":
            place += size
            continue
        members += size
        if members > limits.items:
            raise too_large(f"It has more than {limits.items} members in lists and objects.")
        if len(missing) > limits.depth:
            raise too_large(f"It is nested more than {limits.depth} levels deep.")
        missing.append(size if kind == "array" else 2 * size)
