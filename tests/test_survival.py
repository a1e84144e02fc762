"""Whatever becomes of the channel layer, connections live and miss nothing in silence."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from channels.layers import channel_layers

from aaah_core import AsyncAPIConsumer, Unpublished, apublish, canary, care, hub, hubs
from aaah_core.listening import listen
from aaah_core.testing import connect
from tests.calls import until
from tests.conftest import Socket, action
from tests.remote_layer import Remote

pytestmark = pytest.mark.usefixtures("core")

RESYNC = {"event": "aaah.resync", "data": None, "status": 200}


@pytest.fixture(autouse=True)
def quick(monkeypatch, settings):
    settings.AAAH = {"LAYER_TIMEOUT": 0.05, "LAYER_CANARY": 0.02}
    monkeypatch.setattr(care, "SHORTEST", 0.01)
    monkeypatch.setattr(canary, "LATE", 0.1)
    monkeypatch.setattr(hub, "RESYNC", 0.01)


@pytest.fixture
async def layer():
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer := Remote())
    yield layer
    channel_layers.set("default", before)
    async with asyncio.timeout(5):
        while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
    assert not layer.groups


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def hello(self):
        return "hello"

    @action
    async def join(self, group):
        await self.channel_layer.group_add(group, self.channel_name)

    @action
    async def leave(self, group):
        await self.channel_layer.group_discard(group, self.channel_name)

    async def tick(self, event):
        await self.send_json("tick")


async def lost(layer):
    """Wait until the process knows that the layer is away."""
    await until(lambda: hubs.hub(layer).lost)


async def next_event(client, name):
    """Return the next event of a name; only resyncs may come before it."""
    while (event := await client.receive())["event"] != name:
        assert event == RESYNC
    return event


@pytest.mark.parametrize("state", ["dead", "frozen"])
async def test_after_the_layer_was_away_groups_are_joined_again_and_members_told(
    layer, caplog, state
):
    application = Room.as_asgi()
    async with connect(application) as one, connect(application) as other:
        for client in (one, other):
            await client.call("join", group="club")
        layer.become(state)
        await lost(layer)
        layer.groups.clear()
        layer.become("up")
        for client in (one, other):
            assert [await client.receive() for _ in range(2)] == [RESYNC] * 2  # one of each group
        for group in ("room", "club"):
            await apublish(group, "news", group)
        for client in (one, other):
            assert {(await next_event(client, "news"))["data"] for _ in range(2)} == {
                "room",
                "club",
            }
    assert caplog.text.count("The channel layer is lost") == 1
    assert caplog.text.count("The channel layer is back") == 1


@pytest.mark.parametrize("state", ["dead", "frozen"])
async def test_a_layer_that_hangs_or_fails_ends_no_connection_and_keeps_none_from_coming(
    layer, state
):
    application = Room.as_asgi()
    async with connect(application) as old:
        assert (await old.call("hello"))["data"] == "hello"
        layer.become(state)
        async with connect(application) as new, connect(application) as brief:
            for client in (old, new, brief):
                assert (await client.call("join", group="club"))["status"] == 204
                assert (await client.call("hello"))["data"] == "hello"
            assert (await brief.call("leave", group="club"))["status"] == 204
            with pytest.raises(Unpublished):
                await apublish("club", "secret")
            await lost(layer)
            layer.become("up")
            for client in (old, new, brief):
                assert await client.receive() == RESYNC
            await until(lambda: set(layer.groups) == {"room", "club"})
            await until(lambda: not hubs.hub(layer).lost)
            await apublish("club", "news", 1)
            for client in (old, new):
                assert (await next_event(client, "news"))["data"] == 1
            await apublish("room", "all", 2)
            assert (await next_event(brief, "all"))["data"] == 2


async def test_a_group_that_could_not_be_left_is_left_when_the_layer_is_back(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("join", group="club")
        layer.state = "dead"  # and remembers what it held
        layer.tell()
        await lost(layer)
        await client.call("leave", group="club")
        assert "club" in layer.groups
        layer.become("up")
        await until(lambda: "club" not in layer.groups)


async def test_a_channel_that_somebody_else_added_is_taken_out_when_the_layer_is_back(layer):
    @action
    async def name(self):
        return self.channel_name

    async with connect(type("Named", (Room,), {"name": name}).as_asgi()) as client:
        await layer.group_add("club", (await client.call("name"))["data"])
        layer.state = "dead"  # and remembers what it held
        layer.tell()
        assert (await client.call("leave", group="club"))["status"] == 204
        assert "club" in layer.groups
        layer.become("up")
        await until(lambda: "club" not in layer.groups)


async def test_a_group_of_an_impossible_name_is_no_loss_of_the_layer(layer):
    async with connect(Room.as_asgi()) as client:
        for name in ("join", "leave"):
            assert (await client.call(name, group="a room"))["status"] == 500
        assert not hubs.hub(layer).lost


async def test_a_queue_that_was_full_is_told_to_all_members(layer, settings, monkeypatch, caplog):
    settings.AAAH = {"LAYER_CANARY": 0.02}
    monkeypatch.setattr(canary, "LATE", 5)  # nobody takes it for lost
    application = Room.as_asgi()
    async with connect(application) as one, connect(application) as other:
        for client in (one, other):
            await client.call("hello")
        layer.stalled = True
        for _ in range(150):
            await layer.group_send("room", {"type": "tick"})
        layer.stalled = False
        layer.tell()
        for client in (one, other):
            got = []
            while got.count("tick") < layer.capacity or RESYNC not in got:
                got.append(await client.receive())
            assert [each for each in got if each not in ("tick", RESYNC)] == []
    assert "is lost" not in caplog.text


async def test_a_queue_that_never_filled_is_told_to_nobody(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        for _ in range(5):
            for _ in range(20):
                await layer.group_send("room", {"type": "tick"})
            assert [await client.receive() for _ in range(20)] == ["tick"] * 20
        flown = layer.asked["send"]
        await until(lambda: layer.asked["send"] > flown + 1)
        assert not client._events


async def test_a_layer_that_takes_messages_and_brings_none_is_asked_anew(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        await until(lambda: layer.asked["send"] > 1)  # so the first is back
        layer.deafen()
        layer.tell()
        assert await client.receive() == RESYNC
        await apublish("room", "news", 1)
        assert (await next_event(client, "news"))["data"] == 1


async def test_who_comes_while_the_layer_hangs_is_let_in_before_the_server_refuses(
    layer, settings, monkeypatch
):
    settings.AAAH = {"LAYER_TIMEOUT": 60, "LAYER_CANARY": None}
    monkeypatch.setattr(hub, "JOIN", 0.05)
    layer.become("frozen")
    async with connect(Room.as_asgi()) as client:
        assert (await client.call("hello"))["data"] == "hello"
        settings.AAAH = {"LAYER_TIMEOUT": 0.05, "LAYER_CANARY": None}
        layer.become("up")
        assert await client.receive() == RESYNC
        await apublish("room", "news", 1)
        assert (await next_event(client, "news"))["data"] == 1


async def test_without_a_canary_a_layer_that_fails_is_found_all_the_same(layer, settings):
    settings.AAAH = {"LAYER_TIMEOUT": 0.05, "LAYER_CANARY": None}
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        layer.become("dead")
        await lost(layer)
        layer.become("up")
        assert await client.receive() == RESYNC
        await apublish("room", "news", 1)
        assert (await next_event(client, "news"))["data"] == 1
        assert layer.asked["send"] == 0


async def test_memberships_are_renewed_before_they_expire(layer, settings):
    settings.AAAH = {"LAYER_CANARY": None}
    layer.group_expiry = 0.6
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        (joined,) = layer.groups["room"].values()
        await until(lambda: min(layer.groups["room"].values()) > joined + layer.group_expiry)
        await apublish("room", "news", 1)
        assert (await client.receive())["data"] == 1
        assert not client._events


async def test_a_wait_that_redis_py_gives_up_is_no_loss(layer, settings, monkeypatch, caplog):
    settings.AAAH = {"LAYER_CANARY": 0.02}
    monkeypatch.setattr(canary, "LATE", 5)  # nobody takes it for lost
    receive, given_up = layer.receive, []

    async def impatient(channel):
        try:
            return await asyncio.wait_for(receive(channel), 0.01)
        except TimeoutError:
            given_up.append(channel)
            raise type("TimeoutError", (Exception,), {}) from None  # as redis-py's own

    monkeypatch.setattr(layer, "receive", impatient)
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        await until(lambda: len(given_up) > 10)
        await apublish("room", "news", 1)
        assert (await client.receive())["data"] == 1
        assert not client._events
    assert "is lost" not in caplog.text


async def test_another_event_loop_joins_and_leaves_for_the_connection_in_its_own(layer):
    @action
    def join_plainly(self, group):
        asyncio.run(self.channel_layer.group_add(group, self.channel_name))

    @action
    def leave_plainly(self, group):
        asyncio.run(self.channel_layer.group_discard(group, self.channel_name))

    methods = {"join_plainly": join_plainly, "leave_plainly": leave_plainly}
    async with connect(type("Plain", (Room,), methods).as_asgi()) as client:
        await client.call("join_plainly", group="club")
        await apublish("club", "news", 1)
        assert (await client.receive())["data"] == 1
        await client.call("leave_plainly", group="club")
        assert set(layer.groups) == {"room"}


async def test_a_frozen_layer_does_not_hold_up_those_who_leave(layer):
    async with Socket(Room.as_asgi()) as socket:
        await socket.get(0)
        layer.become("frozen")
        await lost(layer)
        socket.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([socket.task], timeout=1)
        assert socket.task.done()
    layer.become("up")
    await until(lambda: not layer.groups)


async def test_a_group_that_is_new_while_others_are_joined_again_is_joined_too(
    layer, monkeypatch, settings
):
    settings.AAAH = {"LAYER_CANARY": 0.02}
    application, amid, go_on = Room.as_asgi(), asyncio.Event(), asyncio.Event()
    async with connect(application) as old, connect(application) as new:
        layer.become("dead")
        await lost(layer)
        layer.become("up")
        group_add = layer.group_add

        async def slowly(group, channel):
            await group_add(group, channel)
            if not go_on.is_set():
                amid.set()
                await go_on.wait()

        monkeypatch.setattr(layer, "group_add", slowly)
        await amid.wait()
        assert (await new.call("join", group="club"))["status"] == 204
        go_on.set()
        await until(lambda: not hubs.hub(layer).lost)
        await apublish("club", "news", 1)
        assert (await next_event(new, "news"))["data"] == 1
        assert await old.receive() == RESYNC


async def test_groups_left_or_joined_while_the_layer_is_asked_anew_are_listened_to_never_or_once(
    layer, monkeypatch, settings
):
    settings.AAAH = {"LAYER_CANARY": 60}
    async with connect(Room.as_asgi()) as client, connect(Room.as_asgi()) as other:
        for group in ("club", "pub"):
            await client.call("join", group=group)
        stop, meanwhile = hub.stop, []

        async def leave_and_join(task):
            if not meanwhile:
                meanwhile.append(asyncio.create_task(other.call("join", group="room")))
                for group in ("club", "pub"):
                    await client.call("leave", group=group)
            await stop(task)

        monkeypatch.setattr(hub, "stop", leave_and_join)
        hubs.hub(layer)._groups["room"].joined = False  # as where the layer did not take it
        await hubs.hub(layer).listen_again()
        await meanwhile[0]
        listening = [each for each in asyncio.all_tasks() if each.get_coro().__name__ == "listen"]
        assert len(listening) == 3  # to the one group that is left, and to each one's own channel


async def never():
    await asyncio.Queue().get()


def test_a_listener_whose_loop_was_closed_lets_the_collector_end_it():
    hub = SimpleNamespace(layer=SimpleNamespace(receive=lambda channel: never()))
    loop = asyncio.new_event_loop()
    listener = listen(hub, "channel", None)
    task = loop.create_task(listener)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    listener.close()  # raises where the listener goes on
    assert not task.done()
