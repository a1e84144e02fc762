"""For tests of applications and plugins: a client in memory, and a registry of one's own."""

from __future__ import annotations

from aaah_core.testing.client import Client, Refused, connect
from aaah_core.testing.registries import registry

__all__ = ["Client", "Refused", "connect", "registry"]
