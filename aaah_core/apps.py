"""The Django app: loads the plugins and registers the system checks."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["AAAHConfig"]


class AAAHConfig(AppConfig):
    """Loads the plugins, and records what went wrong: the checks and `as_asgi()` say it."""

    name = "aaah_core"
    verbose_name = "AAAH"

    def ready(self) -> None:
        """Load the plugins; this never raises."""
        from aaah_core import checks, registry, signals

        checks.register()
        signals.connect()
        registry.current()
