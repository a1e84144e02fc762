"""What the fuzzer's bytes mean, and the ones that it begins with."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile import json_text
from tests.hostile.rules import broken

CODECS = ("json", "msgpack")

#: Bytes of the longest input: few enough for thousands of inputs a second.
LONGEST = 1024


def choices(data: bytes) -> tuple[str, bool, bytes]:
    """Return the codec, a choice of the target's own, and the frame: the first byte has both."""
    first = data[0] if data else 0
    return CODECS[first & 1], bool(first & 2), data[1:]


def seeds() -> Iterator[bytes]:
    """Yield every hostile frame that is short enough."""
    for number, codec in enumerate(CODECS):
        for _, frames, _ in broken(codec, *([json_text.NO_UTF8] if codec == "json" else [])):
            for frame in frames:
                raw = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
                other_kind = isinstance(frame, str) != (codec == "json")
                if len(raw) < LONGEST:
                    yield bytes([number | 2 * other_kind]) + raw
