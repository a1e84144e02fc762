"""What a layer lost without a trace: members are told that they may have missed something."""

from __future__ import annotations

import time

import pytest
import redis.asyncio
from channels.layers import channel_layers
from channels_redis.pubsub import RedisPubSubChannelLayer

from aaah_core import AsyncAPIConsumer, apublish, canary, layers
from aaah_core.testing import connect
from tests.conftest import action
from tests.remote_layer import Remote

pytestmark = pytest.mark.usefixtures("core")


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def hello(self):
        return "hello"


@pytest.fixture
async def use():
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    yield lambda layer: channel_layers.set("default", layer)
    channel_layers.set("default", before)


@pytest.fixture
async def layer(own_redis, use):
    layer = RedisPubSubChannelLayer(hosts=[f"redis://127.0.0.1:{own_redis.port}"])
    use(layer)
    yield layer
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


async def test_who_may_have_missed_what_expired_while_the_process_stalled_is_told(
    use, settings, monkeypatch
):
    settings.AAAH = {"LAYER_CANARY": 0.02}
    monkeypatch.setattr(canary, "LATE", 0.1)  # where one was under way, it is late
    use(layer := Remote())
    layer.expiry = 0.2
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        time.sleep(0.2)  # noqa: ASYNC251 - a stall
        assert (await client.receive())["event"] == "aaah.resync"
