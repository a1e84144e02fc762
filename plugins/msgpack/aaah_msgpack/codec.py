"""The MessagePack codec."""

from __future__ import annotations

import re
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types

from aaah_core import Codec, DecodeError, Limits, check_bounds, to_plain, too_large
from aaah_msgpack.scan import is_suspicious, require_bounds

__all__ = ["MessagePackCodec"]

_OVER = re.compile(r"exceeds max_(str|bin|array|map)_len")


class MessagePackCodec(Codec):
    """MessagePack in binary frames, with bytes as bin.

    Extension types, and with them timestamps, are refused: a client sends plain data only.
    """

    name = "msgpack"
    frame = "bytes"

    def decode(self, frame: str | bytes, limits: Limits) -> Any:
        """Return the payload of a frame; bin arrives as bytes, the last of two equal keys wins."""
        if isinstance(frame, bytes) and is_suspicious(frame, limits):
            require_bounds(frame, limits)
        try:
            payload = msgpack.unpackb(
                frame,
                raw=False,
                strict_map_key=True,
                max_str_len=limits.frame_bytes,
                max_bin_len=limits.frame_bytes,
                max_array_len=limits.items,
                max_map_len=limits.items,
                max_ext_len=0,
            )
        except (ValueError, TypeError) as error:
            if isinstance(error, msgpack.StackError):
                raise too_large(f"It is nested more than {limits.depth} levels deep.") from error
            if _OVER.search(str(error)):
                raise too_large("Text, bytes, a list or a map in it is too long.") from error
            raise DecodeError("The message is not valid MessagePack.") from error
        check_bounds(payload, limits)
        return payload

    def encode(self, payload: Any) -> bytes:
        """Return the frame of `to_plain(payload)`."""
        frame: bytes = msgpack.packb(to_plain(payload, keep_bytes=True), use_bin_type=True)
        return frame
