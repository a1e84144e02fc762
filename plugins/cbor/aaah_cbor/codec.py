"""The CBOR codec (RFC 8949)."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import cbor2

from aaah_cbor.scan import may_be_wide, require_bounds
from aaah_core import Codec, DecodeError, Limits, check_bounds, to_plain, too_large

__all__ = ["CBORCodec"]


def _bignum(value: Any, immutable: bool) -> int:
    if type(value) is not bytes:
        raise ValueError("a bignum is of bytes")
    return int.from_bytes(value)


def _negative_bignum(value: Any, immutable: bool) -> int:
    return -1 - _bignum(value, immutable)


def _no_tag(value: Any, immutable: bool) -> Any:
    raise ValueError("a tag that is none of a bignum")


class _Tags(dict[int, Callable[[Any, bool], Any]]):
    """What reads each tag: cbor2 asks this before it makes a tag's own type of the content.

    Some of those would compile a client's regular expression, raise 2 to its power, or put one
    list into many places.
    """

    def __missing__(self, tag: int) -> Callable[[Any, bool], Any]:
        return _no_tag


_TAGS = _Tags({2: _bignum, 3: _negative_bignum})


class CBORCodec(Codec):
    """CBOR in binary frames, with bytes as byte strings.

    Tags are refused, since a client sends plain data only; but integers may be bignums.
    """

    name = "cbor"
    frame = "bytes"

    def decode(self, frame: str | bytes, limits: Limits) -> Any:
        """Return the payload of a frame; bytes arrive as such, the last of two equal keys wins."""
        if isinstance(frame, str):
            raise DecodeError("The message is text, and CBOR is bytes.")
        if may_be_wide(frame, limits):
            require_bounds(frame, limits)
        stream = BytesIO(frame)
        # One level more than there may be: a bignum takes one, and is no list.
        decoder = cbor2.CBORDecoder(
            stream,
            semantic_decoders=_TAGS,
            max_depth=limits.depth + 1,
            strict_hashable_types=True,
        )
        try:
            payload = decoder.decode()
        except cbor2.CBORDecodeError as error:
            if "nesting depth" in str(error):
                raise too_large(f"It is nested more than {limits.depth} levels deep.") from error
            raise DecodeError("The message is not valid CBOR.") from error
        if stream.tell() != len(frame):
            raise DecodeError("The message is more than one CBOR item.")
        check_bounds(payload, limits)
        return payload

    def encode(self, payload: Any) -> bytes:
        """Return the frame of `to_plain(payload)`."""
        return cbor2.dumps(to_plain(payload, keep_bytes=True))
