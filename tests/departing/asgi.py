"""What servers are told to end with: it writes down who left which group."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.departing.settings")
    django.setup()

from channels.layers import InMemoryChannelLayer
from channels.routing import ProtocolTypeRouter

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer

#: It is there when what is held may end.
GO_ON = Path(tempfile.gettempdir()) / "go-on"


class Layer(InMemoryChannelLayer):
    async def group_discard(self, group, channel):
        await super().group_discard(group, channel)
        print("left groups:", len(self.groups), "to go", flush=True)


class Departing(AsyncAPIConsumer):
    groups = ("all",)
    concurrency = 2

    @async_action
    async def process(self):
        return os.getpid()

    @async_action
    async def wait(self, seconds: float):
        await asyncio.sleep(seconds)
        return "done"

    @async_action
    def work(self, seconds: float):
        time.sleep(seconds)
        return "done"

    @async_action
    async def hold(self):
        """Run until the test lets it end."""
        while not GO_ON.exists():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
        return "done"

    @async_action
    def hold_thread(self):
        while not GO_ON.exists():
            time.sleep(0.02)
        return "done"

    async def disconnect(self, code):
        print("disconnected:", code, flush=True)


application = ProtocolTypeRouter({"websocket": Departing.as_asgi()})
