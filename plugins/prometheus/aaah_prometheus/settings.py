"""The settings of this plugin: ``AAAH["PLUGIN_SETTINGS"]["prometheus"]``."""

from __future__ import annotations

from dataclasses import dataclass

from aaah_core import plugin_settings

__all__ = ["Settings", "settings"]


@dataclass(frozen=True)
class Settings:
    """Who may read the numbers."""

    #: What a scraper sends as ``Authorization: Bearer …``; without it, the view answers nobody.
    token: str | None = None


settings = plugin_settings("prometheus", Settings)
