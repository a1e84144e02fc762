"""The settings of the plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from aaah_core import plugin_settings

__all__ = ["Settings", "settings"]


@dataclass(frozen=True)
class Settings:
    """The keys of ``AAAH["PLUGIN_SETTINGS"]["simplejwt"]``; all else stands in ``SIMPLE_JWT``."""

    #: The longest token that is looked at, in characters.
    MAX_TOKEN_LENGTH: Annotated[int, msgspec.Meta(ge=1)] = 4096


settings = plugin_settings("simplejwt", Settings)
