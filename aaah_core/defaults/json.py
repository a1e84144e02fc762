"""The JSON codec, and the default choice among a consumer's codecs."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

import msgspec

from aaah_core.errors import DecodeError
from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import Codec, Scope
from aaah_core.limits import Limits, check_bounds, too_large
from aaah_core.plain import MAX_DEPTH, to_plain
from aaah_core.scan import LONG, MARKS, is_flat, marked, may_be_deep, require_bounds

# In an object without others inside, msgspec itself holds integers to 64 bits, at no cost.
_Integer: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_read_flat = msgspec.json.Decoder(dict[str, str | _Integer | float | bool | None]).decode
_read = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder(enc_hook=to_plain).encode
_DEEP = 2 * MAX_DEPTH  # the longest text that cannot be too deep
_DURATION = re.compile(r'P(?<=["-]P)(0+D)?(T[0.]+S)?"')


class JSONCodec(Codec):
    """JSON in text frames: cheap tests on each, and exact work where one of them trips."""

    name = "json"
    frame = "text"

    def decode(self, frame: str | bytes, limits: Limits) -> Any:
        """Return the payload of a frame; the last of two equal keys wins."""
        if len(frame) <= limits.items and isinstance(frame, str) and is_flat(frame):
            try:
                return _read_flat(frame)
            except (msgspec.MsgspecError, ValueError):
                pass  # the long way says what is wrong, if anything is
        try:
            raw = frame.encode() if isinstance(frame, str) else frame
            text = marked(raw)
            levels = text.count("[")  # at most: what is inside strings counts too, as do commas
            wide = len(text) > limits.items and levels + text.count(",") > limits.items
            if wide or (levels > limits.depth and may_be_deep(raw, limits.depth)):
                require_bounds(raw, limits)
            payload = _read(raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            if isinstance(error, RecursionError) or "Integer value out of range" in str(error):
                raise too_large("It is nested too deeply, or a number is too long.") from error
            raise DecodeError("The message is not valid JSON.") from error
        if LONG in text or ("\\" in text and rb"\u0000" in raw):
            check_bounds(payload, limits)
        return payload

    def encode(self, payload: Any) -> str:
        """Return the text of `to_plain(payload)`, the short way wherever that gives the same."""
        try:
            raw = _write(payload)
        except Exception:  # noqa: BLE001  # whatever it is, `to_plain` says it better
            return _write(to_plain(payload)).decode()
        text = raw.translate(MARKS).decode("latin-1")
        odd = LONG in text or ("P" in text and _DURATION.search(text))
        deep = len(raw) > _DEEP and text.count("[") > MAX_DEPTH and may_be_deep(raw, MAX_DEPTH)
        return (_write(to_plain(payload)) if odd or deep else raw).decode()


@hookimpl(trylast=True)
def aaah_codecs() -> list[Codec]:
    """Offer JSON."""
    return [JSONCodec()]


@hookimpl(trylast=True)
def aaah_select_codec(scope: Scope, allowed: tuple[str, ...]) -> str | None:
    """Choose the client's first that the consumer has, or the consumer's where it asks for none."""
    offered = scope.get("subprotocols") or ()
    known = {f"aaah.{name}": name for name in allowed}
    return next((known[name] for name in offered if name in known), None if offered else allowed[0])
