"""Who listens to a channel of the layer no more costs nobody else a message."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import channel_layers

from aaah_core import AsyncAPIConsumer, apublish, hubs, listening
from aaah_core.testing import connect
from tests.calls import until
from tests.conftest import action
from tests.remote_layer import Remote

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture
async def layer():
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer := Remote())
    layer.spills = True
    yield layer
    channel_layers.set("default", before)
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    assert not layer.groups


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def join(self, group):
        await self.channel_layer.group_add(group, self.channel_name)

    @action
    async def leave(self, group):
        await self.channel_layer.group_discard(group, self.channel_name)


async def test_a_group_that_is_left_costs_no_other_its_next_event(layer):
    async with connect(Room.as_asgi()) as client, connect(Room.as_asgi()) as other:
        for number in range(10):
            await other.call("join", group="club")
            await other.call("leave", group="club")
            await apublish("room", "news", number)
            assert (await client.receive())["data"] == number


async def test_a_connection_that_ends_costs_no_group_its_next_event(layer):
    async with connect(Room.as_asgi()) as client:
        for number in range(10):
            async with connect(Room.as_asgi()) as other:
                await other.call("join", group="room")
            await apublish("room", "news", number)
            assert (await client.receive())["data"] == number


async def test_what_a_layer_brings_to_a_group_that_was_left_is_no_ones_and_stays_nowhere(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("join", group="club")
        layer.stalled = True
        await apublish("club", "news")
        await client.call("leave", group="club")
        layer.stalled = False
        layer.tell()
        await until(lambda: not (any(layer.buffers.values()) or hubs.hub(layer).ending))
        await apublish("room", "later")
        assert (await client.receive())["event"] == "later"


async def test_no_room_for_a_last_message_and_too_many_that_wait_for_it_end_all_the_same(
    layer, monkeypatch
):
    monkeypatch.setattr(listening, "MOST", 1)
    async with connect(Room.as_asgi()) as client:
        layer.stalled, layer.capacity, layer.spills = True, 2, False
        for number in range(5):
            await client.call("join", group=f"club{number}")
        for number in range(5):
            await client.call("leave", group=f"club{number}")
        layer.stalled = False
        layer.tell()
        assert set(layer.groups) == {"room"}


async def test_of_many_that_end_at_once_no_more_wait_than_may(layer, monkeypatch):
    monkeypatch.setattr(listening, "MOST", 2)
    hub, never = hubs.hub(layer), asyncio.Event()
    listeners = [asyncio.create_task(never.wait()) for _ in range(4)]
    ends = (listening.end(hub, await layer.new_channel(), listener) for listener in listeners)
    await asyncio.gather(*[end async for end in ends])
    assert [listener.done() for listener in listeners] == [False, False, True, True]
    never.set()
    await until(lambda: not hub.ending)


async def test_nobody_else_can_end_a_listener(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("join", group="room")
        await layer.group_send("room", {"type": "aaah.end", "hub": "another"})
        await apublish("room", "news")
        assert (await client.receive())["event"] == "news"
