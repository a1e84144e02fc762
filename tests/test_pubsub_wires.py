"""Redis closes the one connection by which the layer for pub/sub hears: members are told."""

from __future__ import annotations

import pytest
import redis.asyncio
from channels.layers import channel_layers
from channels_redis.pubsub import RedisPubSubChannelLayer

from aaah_core import AsyncAPIConsumer, apublish, layers
from aaah_core.testing import connect
from tests.conftest import action

pytestmark = pytest.mark.usefixtures("core")


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def hello(self):
        return "hello"


@pytest.fixture
async def layer(own_redis):
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    layer = RedisPubSubChannelLayer(hosts=[f"redis://127.0.0.1:{own_redis.port}"])
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)
    await layer.flush()


async def test_who_may_have_missed_the_last_event_while_the_layer_was_deaf_is_told(
    layer, own_redis, settings
):
    settings.AAAH = {"LAYER_CANARY": 0.02}
    async with (
        connect(Room.as_asgi()) as client,
        redis.asyncio.Redis(port=own_redis.port) as other,
    ):
        await client.call("hello")
        await apublish("room", "first")
        assert (await client.receive())["event"] == "first"
        (wire,) = layers.wires(layer)
        assert wire is not None
        await other.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert (await client.receive())["event"] == "aaah.resync"
        assert layers.wires(layer) != [wire]
        await apublish("room", "last")
        assert (await client.receive())["event"] == "last"


async def test_a_layer_that_is_not_for_pubsub_has_no_wires():
    assert layers.wires(channel_layers["default"]) == []
