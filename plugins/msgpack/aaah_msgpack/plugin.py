"""The hook of aaah-msgpack."""

from __future__ import annotations

from aaah_core import Codec, hookimpl


@hookimpl
def aaah_codecs() -> list[Codec]:
    """Offer MessagePack."""
    from aaah_msgpack.codec import MessagePackCodec

    return [MessagePackCodec()]
