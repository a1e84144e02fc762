"""A channel layer that gives no answer: what was asked, and for how long, is said."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import channel_layers
from django.test import override_settings

from aaah_core import AsyncAPIConsumer, canary, hub
from aaah_core.canary import Canary
from aaah_core.hub import Hub
from aaah_core.layers import within
from aaah_core.testing import connect
from tests.conftest import action
from tests.remote_layer import Remote

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture
def frozen():
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer := Remote())
    layer.become("frozen")
    yield layer
    channel_layers.set("default", before)


class Member:
    plan = codec = None


class Room(AsyncAPIConsumer):
    @action
    async def say(self):
        await self.channel_layer.group_send("room", {"type": "said"})


async def test_a_call_that_waits_for_a_layer_fails_with_what_it_asked(frozen, caplog):
    with override_settings(AAAH={"LAYER_TIMEOUT": 0.01}):
        async with connect(Room.as_asgi()) as client:
            assert (await client.call("say"))["status"] == 500
    assert "TimeoutError: no answer of the channel layer to group_send within 0.01 s" in caplog.text


async def test_a_layer_that_is_lost_as_it_does_not_answer_is_told_with_the_seconds(
    frozen, caplog, monkeypatch
):
    monkeypatch.setattr(hub, "JOIN", 0.01)
    joining, member = Hub(frozen), Member()
    await joining.join("room", member)
    frozen.become("up")
    await joining.leave("room", member)
    assert (
        "is lost: TimeoutError: no answer of the channel layer to group_add within 0.01 s. R"
        in (caplog.text)
    )


@pytest.mark.parametrize(("state", "what"), [("frozen", "taken"), ("up", "back")])
async def test_a_canary_that_is_late_says_how_late_it_is(frozen, state, what, monkeypatch):
    monkeypatch.setattr(canary, "LATE", 0.01)
    frozen.become(state)
    frozen.stalled = True
    flying = Canary(Hub(frozen))
    with pytest.raises(TimeoutError, match=rf"to itself was not {what} within 0\.01 s"):
        await flying.fly()
    await flying.rest()


async def test_a_timeout_of_the_layers_own_keeps_its_words():
    async def reads():
        raise TimeoutError("Timeout reading from redis")

    with pytest.raises(TimeoutError, match=r"^Timeout reading from redis$"):
        await within(reads())


async def test_a_loss_without_words_ends_with_its_name(frozen, caplog):
    Hub(frozen).trouble(ConnectionError())
    assert "The channel layer is lost: ConnectionError. Requests" in caplog.text
    await asyncio.sleep(0)
