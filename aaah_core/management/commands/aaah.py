"""``manage.py aaah``: the command `aaah`, with the settings of `manage.py`."""

from __future__ import annotations

from aaah_core.cli.command import Command

__all__ = ["Command"]
