"""Bytes to payload: the codecs, each result held against a second reader of the same format."""

from __future__ import annotations

import json

import msgspec

from aaah_core import DecodeError, Limits, check_bounds
from aaah_core.defaults.json import JSONCodec
from aaah_msgpack.codec import MessagePackCodec
from tests.fuzz.inputs import choices

CODECS = {"json": JSONCodec(), "msgpack": MessagePackCodec()}
READERS = {"json": json.loads, "msgpack": msgspec.msgpack.decode}

#: The limits as they are, and bounds that a short frame can pass.
WIDE, TIGHT = Limits(), Limits(depth=3, items=8, digits=19)


class Decoders:
    """Decodes frames: each is read as everybody reads it, or is refused with a `DecodeError`."""

    def run(self, data: bytes) -> None:
        """Decode what the fuzzer made.

        Raises:
            Exception: Anything but a documented refusal, which is then a finding.
        """
        name, odd, frame = choices(data)
        codec, limits = CODECS[name], TIGHT if odd else WIDE
        if name == "json":
            frame = frame.decode("utf-8", "surrogateescape")  # a lone surrogate for what is no text
        try:
            payload = codec.decode(frame, limits)
        except DecodeError as error:
            _require_documented(error)
            return
        check_bounds(payload, limits)
        assert payload == READERS[name](frame), "another reader reads something else"
        assert codec.decode(codec.encode(payload), limits) == payload, "it comes back as another"


def _require_documented(error: DecodeError) -> None:
    code = error.errors[0]["code"]
    assert (error.status, code) in ((400, "unreadable"), (413, "too_large")), error.errors
