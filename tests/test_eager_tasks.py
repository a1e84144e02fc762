"""Loops whose tasks begin before `create_task` returns: those of `asyncio.eager_task_factory`."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import get_channel_layer

from aaah_core import AsyncAPIConsumer
from aaah_core.testing import connect, registry
from tests.conftest import action, collector


@pytest.fixture
async def eager():
    loop = asyncio.get_running_loop()
    # Python 3.11 has none, and the same holds for its tasks.
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
    yield
    loop.set_task_factory(None)


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def at_once(self, n: int):
        return n

    @action
    async def later(self, n: int):
        await asyncio.sleep(0)
        return n

    async def tick(self, event):
        await self.send_json(event["n"])


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("name", ["at_once", "later"])
async def test_every_call_is_answered(eager, concurrency, name):
    room = type("Room", (Room,), {"concurrency": concurrency})
    with registry(collector()):
        async with connect(room.as_asgi()) as ws:
            for n in range(6):
                await ws.send({"action": name, "n": n, "request_id": n})
            replies = [await ws.receive() for _ in range(6)]
    assert sorted(reply["request_id"] for reply in replies) == list(range(6))


async def test_every_event_runs(eager):
    with registry(collector()):
        async with connect(Room.as_asgi()) as ws:
            for n in range(3):
                await get_channel_layer().group_send("room", {"type": "tick", "n": n})
                assert await ws.receive() == n
