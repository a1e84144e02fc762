"""Bytes to payload: the codecs, each result held against a second reader of the same format."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from aaah_core import DecodeError, Limits
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
        _require_within(payload, limits)
        assert payload == READERS[name](frame), "another reader reads something else"
        assert codec.decode(codec.encode(payload), limits) == payload, "it comes back as another"


def _require_within(payload: Any, limits: Limits) -> None:
    """Look at a payload level by level, and so in another way than the code that is tried."""
    level, depth, members = [payload], 0, 0
    while level:
        for value in level:
            _require_plain(value)
        containers = [each for each in level if isinstance(each, (dict, list))]
        depth += bool(containers)
        members += sum(map(len, containers))
        keys = [key for each in containers if isinstance(each, dict) for key in each]
        assert all(type(key) is str for key in keys), keys
        values = [list(each.values() if isinstance(each, dict) else each) for each in containers]
        level = sum(values, keys)
    assert depth <= limits.depth, depth
    assert members <= limits.items, members


def _require_plain(value: Any) -> None:
    assert type(value) in (dict, list, str, int, float, bool, bytes, type(None)), value
    if type(value) is str:
        assert "\0" not in value, value
        assert value == value.encode().decode(), value
    elif type(value) is int:
        assert -(2**63) <= value < 2**64, value
    elif type(value) is float:
        assert math.isfinite(value), value


def _require_documented(error: DecodeError) -> None:
    code = error.errors[0]["code"]
    assert (error.status, code) in ((400, "unreadable"), (413, "too_large")), error.errors
