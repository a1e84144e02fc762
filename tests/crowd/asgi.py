"""What rude clients, the load and the churn are sent to: `Crowd`, beside a raw consumer."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.crowd.settings")
    django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, apublish, conf
from tests.hostile.process import state

call_command("migrate", verbosity=0)
Group.objects.get_or_create(name="first")
connection.close()

#: What became of the actions that take long.
outcomes = {"ended": 0, "cancelled": 0, "disconnected": 0}

everybody = threading.Barrier(conf.current().SYNC_WORKERS)


class Crowd(AsyncAPIConsumer):
    """Its members are all in one group; a slow reader is closed soon."""

    groups = ("crowd",)
    limits = {"send_timeout": 2}

    @async_action
    async def echo(self, value=None):
        return value

    @async_action
    async def wait(self, seconds: float):
        try:
            await asyncio.sleep(seconds)
            outcomes["ended"] += 1
        except asyncio.CancelledError:
            outcomes["cancelled"] += 1
            raise

    @async_action
    def sleep(self, seconds: float):
        time.sleep(seconds)  # a worker that is taken is what the tests look at
        outcomes["ended"] += 1

    @async_action
    def row(self):
        return Group.objects.get(name="first").pk

    @async_action
    def meet(self):
        """Wait until as many threads do so as there may be: each has its database connection."""
        everybody.wait(20)
        return Group.objects.get(name="first").pk

    @async_action
    async def shout(self):
        await apublish("crowd", "news", "x" * 1_000)

    @async_action
    async def blast(self, megabytes: int):
        for _ in range(megabytes * 16):
            await self.send_json("x" * 65_536)

    @async_action
    async def state(self):
        return {**state(), **outcomes}

    async def disconnect(self, code):
        outcomes["disconnected"] += 1


class Raw(AsyncWebsocketConsumer):
    """Channels alone: what it receives, it sends."""

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data)


application = URLRouter([path("", Crowd.as_asgi()), path("raw/", Raw.as_asgi())])
