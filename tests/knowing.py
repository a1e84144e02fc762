"""A plugin with a check of its own, for tests of what checks give and raise."""

from __future__ import annotations

from aaah_core import hookimpl


class Entry:
    """An entry of `permission_classes` that the plugin below knows."""


class Knows:
    """A plugin with one check."""

    def __init__(self, check):
        self._check = check

    @hookimpl
    def aaah_permission_check(self, permission):
        return self._check if isinstance(permission, Entry) else None
