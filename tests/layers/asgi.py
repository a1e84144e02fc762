"""What is served over each channel layer: `Room`, and a consumer of Channels' own."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from functools import partial

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.layers.settings")
    django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import URLRouter
from django.db import transaction
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, apublish, publish


class Room(AsyncAPIConsumer):
    """Who is in it is told what others say; what they whisper, as Channels does it."""

    groups = ("room",)
    limits = {"deadline": 120}

    async def connect(self):
        await self.channel_layer.group_add("whispers", self.channel_name)
        await self.accept()

    async def chat_whisper(self, event):
        await self.send_json({"event": "whisper", "data": event["text"]})

    @async_action
    async def echo(self, value=None):
        return value

    @async_action
    async def name(self):
        return self.channel_name

    @async_action
    async def join(self, group: str):
        await self.channel_layer.group_add(group, self.channel_name)

    @async_action
    async def leave(self, group: str):
        await self.channel_layer.group_discard(group, self.channel_name)

    @async_action
    async def say(self, data: object, group: str = "room", count: int = 1):
        for number in range(count):
            await apublish(group, "said", number if count > 1 else data)

    @async_action
    async def tick(self, rate: float, seconds: float):
        return await tick(partial(apublish, "room", "ticked"), rate, seconds)

    @async_action
    def save(self, fails: str):
        """Say three things in a transaction, of which the whole or a part may fail."""
        with suppress(LookupError), transaction.atomic():
            publish("room", "said", "first")
            with suppress(LookupError), transaction.atomic():
                publish("room", "said", "second")
                if fails == "part":
                    raise LookupError
            publish("room", "said", "third")
            if fails == "whole":
                raise LookupError

    @async_action
    async def group_send(self, group: str, message: dict):
        await self.channel_layer.group_send(group, message)

    @async_action
    async def tell(self, channel: str, message: dict):
        await self.channel_layer.send(channel, message)


class Raw(AsyncJsonWebsocketConsumer):
    """Channels alone, in the same groups."""

    groups = ("room", "whispers")

    async def receive_json(self, content):
        reply = await tick(self._ticked, content["rate"], content["seconds"])
        await self.send_json({"data": reply, "status": 200})

    async def _ticked(self, data):
        await self.channel_layer.group_send("room", {"type": "ticked", "data": data})

    async def ticked(self, event):
        await self.send_json({"event": "ticked", "data": event["data"]})

    async def chat_whisper(self, event):
        await self.send_json({"event": "whisper", "data": event["text"]})


async def tick(tell, rate, seconds):
    """Tell a number and the time, at a rate, and return how often; what is late has waited."""
    begun = time.time()
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(due - time.time(), 0))
        await tell([number, due])
    return int(rate * seconds)


application = URLRouter([path("", Room.as_asgi()), path("raw/", Raw.as_asgi())])
