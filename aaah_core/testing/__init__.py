"""For tests of applications and plugins: clients, registries, conformance and accidents."""

from __future__ import annotations

from aaah_core.testing.client import Client, connect
from aaah_core.testing.codecs import assert_codec_conforms
from aaah_core.testing.conformance import assert_plugin_conforms
from aaah_core.testing.conversation import Conversation, Refused
from aaah_core.testing.faults import dropped_layer
from aaah_core.testing.live import LiveClient, LiveServer, live_server
from aaah_core.testing.registries import registered, registry

__all__ = [
    "Client",
    "Conversation",
    "LiveClient",
    "LiveServer",
    "Refused",
    "assert_codec_conforms",
    "assert_plugin_conforms",
    "connect",
    "dropped_layer",
    "live_server",
    "registered",
    "registry",
]
