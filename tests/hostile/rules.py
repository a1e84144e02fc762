"""All rules that the hostile frames break, for one codec after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.hostile import json_text, message_pack, parameters, requests

#: Payloads that mean the same in every codec, and need no database.
PAYLOADS = (
    *(requests.SHAPE, requests.HARMLESS, requests.BOUNDS),
    *(parameters.TYPES, parameters.FIELDS),
)
#: Frames of one codec.
FRAMES: dict[str, tuple[dict[str, Any], ...]] = {
    "json": (json_text.GRAMMAR, json_text.BOUNDS, json_text.KIND),
    "msgpack": (message_pack.GRAMMAR, message_pack.BOUNDS, message_pack.KIND),
}

Frame = str | bytes


def encode(codec: str, payload: Any) -> Frame:
    """Return the frame of a payload; not by the codec's own encoder, which might refuse."""
    return json.dumps(payload) if codec == "json" else msgspec.msgpack.encode(payload)


def decode(frame: Frame) -> Any:
    return json.loads(frame) if isinstance(frame, str) else msgspec.msgpack.decode(frame)


def broken(codec: str, *more: dict[str, Any]) -> Iterator[tuple[str, list[Frame], tuple[int, ...]]]:
    """Yield each rule with its frames and the statuses that they may get."""
    for table in (*PAYLOADS, *more):
        for rule, (status, payloads) in table.items():
            yield rule, [encode(codec, payload) for payload in payloads], (status,)
    for table in FRAMES[codec]:
        for rule, (status, frames) in table.items():
            yield rule, frames, status if isinstance(status, tuple) else (status,)
