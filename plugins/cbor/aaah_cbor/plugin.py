"""The hook of aaah-cbor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aaah_core import hookimpl

if TYPE_CHECKING:
    from aaah_core import Codec


@hookimpl
def aaah_codecs() -> list[Codec]:
    """Offer CBOR."""
    from aaah_cbor.codec import CBORCodec

    return [CBORCodec()]
