"""One membership for all of a process's connections in a group, and what it hands on to them."""

from __future__ import annotations

import asyncio
import gc
import json
import random
from contextlib import suppress
from types import SimpleNamespace

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aaah_core import AsyncAPIConsumer, BasePermission, apublish, care, hubs
from aaah_core.defaults.json import JSONCodec
from aaah_core.hub import Hub
from aaah_core.testing import connect
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture(autouse=True)
async def layer():
    layer = InMemoryChannelLayer()
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not layer.groups
    assert not layer.channels


@action
async def hello(self):
    return "hello"


@action
async def join(self, group):
    await self.channel_layer.group_add(group, self.channel_name)


@action
async def leave(self, group):
    await self.channel_layer.group_discard(group, self.channel_name)


class Counting(JSONCodec):
    name = "counting"

    def __init__(self):
        self.encoded = 0

    def encode(self, payload):
        self.encoded += "event" in payload
        return super().encode(payload)


class Room(AsyncAPIConsumer):
    groups = ("room",)
    hello = hello
    join = join
    leave = leave


# One membership, one encoding, one task.


async def test_a_group_is_joined_once_and_an_event_encoded_once(layer):
    codec = Counting()
    application = type("Coded", (Room,), {"codecs": [codec]}).as_asgi()
    before = len(asyncio.all_tasks())
    async with (
        connect(application) as one,
        connect(application) as two,
        connect(application) as three,
    ):
        clients = (one, two, three)
        for client in clients:
            await client.call("hello")
        assert len(layer.groups["room"]) == 1
        assert len(asyncio.all_tasks()) == before + len(clients) + 1  # the group's own
        await apublish("room", "news", 1)
        assert [(await client.receive())["data"] for client in clients] == [1, 1, 1]
    assert codec.encoded == 1


async def test_connections_of_several_classes_and_codecs_share_what_is_the_same():
    codec, other = Counting(), Counting()
    classes = [type("One", (Room,), {"codecs": [each]}) for each in (codec, codec, other)]
    async with (
        connect(classes[0].as_asgi()) as one,
        connect(classes[1].as_asgi()) as two,
        connect(classes[2].as_asgi()) as three,
    ):
        for client in (one, two, three):
            await client.call("hello")
        await apublish("room", "news", 1)
        for client in (one, two, three):
            assert (await client.receive())["data"] == 1
    assert (codec.encoded, other.encoded) == (1, 1)


async def test_who_reads_no_channel_name_and_joins_no_group_has_one_task(layer):
    before = len(asyncio.all_tasks())
    async with Socket(consumer(hello).as_asgi()) as socket:
        await socket.get(0)
        assert len(asyncio.all_tasks()) == before + 1


async def test_a_group_that_was_left_brings_nothing_and_the_others_stay(layer):
    application = Room.as_asgi()
    async with connect(application) as one, connect(application) as other:
        for client in (one, other):
            await client.call("join", group="club")
        await one.call("leave", group="club")
        await apublish("club", "news", 1)
        await apublish("room", "news", 2)
        assert (await one.receive())["data"] == 2
        assert [(await other.receive())["data"] for _ in range(2)] == [1, 2]


async def test_a_channel_that_somebody_else_adds_to_a_group_is_a_member_too(layer):
    @action
    async def name(self):
        return self.channel_name

    async def news(self, event):
        await self.send_json(event["text"])

    async with connect(consumer(name, news).as_asgi()) as client:
        channel = (await client.call("name"))["data"]
        await layer.group_add("club", channel)
        await layer.group_send("club", {"type": "news", "text": "hi"})
        assert await client.receive() == "hi"
        await layer.group_discard("club", channel)


async def test_names_of_others_go_to_the_layer_as_they_are(layer):
    @action
    async def invite(self, group, channel):
        await self.channel_layer.group_add(group, channel)

    async with connect(consumer(invite).as_asgi()) as client:
        await client.call("invite", group="club", channel="somebody")
        assert list(layer.groups["club"]) == ["somebody"]
    await layer.group_discard("club", "somebody")


# Nobody waits for somebody else.


async def test_a_member_that_does_not_read_delays_no_other_and_is_closed_alone():
    class Stuck(Socket):
        async def _send(self, message):
            await super()._send(message)
            if message["type"] == "websocket.send":
                await self.reads.wait()

    class Small(Room):
        limits = {"outbox": 3}

    application = Small.as_asgi()
    async with connect(application) as client, Stuck(application) as stuck:
        stuck.reads = asyncio.Event()
        await stuck.get(0)
        for number in range(10):
            await apublish("room", "number", number)
            assert (await client.receive())["data"] == number
        stuck.reads.set()
        assert (await stuck.get(2))["code"] == 4429
        assert json.loads(stuck.sent[1]["text"])["data"] == 0
        assert (await client.call("hello"))["data"] == "hello"


async def test_a_member_whose_send_fails_keeps_no_other_from_its_event():
    def raises(message):
        if message["type"] == "websocket.send":
            raise OSError("gone")

    application = Room.as_asgi()
    async with Socket(application) as socket, connect(application) as client:
        await socket.get(0)
        socket.on_send = raises
        await apublish("room", "news", 1)
        assert (await client.receive())["data"] == 1
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()


@pytest.mark.parametrize("sync", [False, True])
async def test_a_check_that_waits_delays_no_other_member_and_keeps_the_order_of_its_own(sync):
    import threading

    go_on = threading.Event() if sync else asyncio.Event()

    class Slow(BasePermission):
        if sync:

            def can_receive(self, scope, handler, event):
                return scope.get("user") != "slow" or go_on.wait(5)
        else:

            async def can_receive(self, scope, handler, event):
                return scope.get("user") != "slow" or await go_on.wait()

    application = type("Asking", (Room,), {"permission_classes": [Slow]}).as_asgi()
    async with connect(application, user="slow") as slow, connect(application) as client:
        for number in range(3):
            await apublish("room", "number", number)
        assert [(await client.receive())["data"] for _ in range(3)] == [0, 1, 2]
        assert not slow._events
        go_on.set()
        assert [(await slow.receive())["data"] for _ in range(3)] == [0, 1, 2]


async def test_frames_wait_for_the_event_methods_before_them():
    go_on = asyncio.Event()

    async def slow(self, event):
        await go_on.wait()
        await self.send_json({"event": "slow"})

    application = type("Mixed", (Room,), {"slow": slow}).as_asgi()
    async with connect(application) as client:
        await client.call("hello")
        await apublish("room", "slow")
        await apublish("room", "quick")
        go_on.set()
        assert [(await client.receive())["event"] for _ in range(2)] == ["slow", "quick"]


async def test_more_events_than_the_outbox_holds_behind_a_method_close_the_connection():
    began = asyncio.Event()

    async def slow(self, event):
        began.set()
        await asyncio.Event().wait()

    application = type("Busy", (Room,), {"slow": slow, "limits": {"outbox": 3}}).as_asgi()
    async with Socket(application) as socket:
        await socket.get(0)
        await apublish("room", "slow")
        await began.wait()
        for _ in range(4):
            await apublish("room", "news")
        assert await socket.get(1) == {"type": "websocket.close", "code": 4429}


@pytest.mark.parametrize(("name", "plainly"), [("news", False), ("slow", False), ("slow", True)])
async def test_more_bytes_of_events_behind_a_method_close_the_connection_too(layer, name, plainly):
    began = asyncio.Event()

    async def slow(self, event):
        began.set()
        await asyncio.Event().wait()

    limits = {"outbox_bytes": 1000}
    chat = type("Busy", (Room,), {"slow": slow, "limits": limits})
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        await apublish("room", "slow")
        await began.wait()
        for _ in range(3):
            text = "é" * 300
            if plainly:
                await layer.group_send("room", {"type": "slow", "text": [text]})
            else:
                await apublish("room", name, text)
        assert await socket.get(1) == {"type": "websocket.close", "code": 4429}


async def test_each_member_has_its_own_copy_of_a_message(layer):
    async def mark(self, event):
        event["seen"].append(1)
        await self.send_json(event["seen"])

    async def marked(self, event):
        event.data.append(1)
        await self.send_json(event.data)

    application = type("Marking", (Room,), {"mark": mark, "marked": marked}).as_asgi()
    async with connect(application) as one, connect(application) as other:
        for client in (one, other):
            await client.call("hello")
        await layer.group_send("room", {"type": "mark", "seen": []})
        await apublish("room", "marked", [])
        for client in (one, other):
            assert [await client.receive() for _ in range(2)] == [[1], [1]]


async def test_a_member_that_leaves_amid_a_delivery_costs_no_other_its_event(layer):
    async def kick(self, event):
        await self.channel_layer.group_discard("club", self.channel_name)
        await self.send_json("left")

    application = type("Club", (Room,), {"kick": kick}).as_asgi()
    async with connect(application) as one, connect(application) as other:
        for client in (one, other):
            await client.call("join", group="club")
        await layer.group_send("club", {"type": "kick"})
        assert await one.receive() == await other.receive() == "left"
        assert "club" not in layer.groups
        await one.call("join", group="club")
        await apublish("club", "news", 1)
        assert (await one.receive())["data"] == 1


async def test_a_task_for_events_lives_no_longer_than_they_do(layer):
    async def tick(self, event):
        await self.send_json("tick")

    async with connect(type("Ticking", (Room,), {"tick": tick}).as_asgi()) as client:
        await client.call("hello")
        before = asyncio.all_tasks()
        await layer.group_send("room", {"type": "tick"})
        assert await client.receive() == "tick"
        await client.call("hello")
        assert asyncio.all_tasks() == before


# Joining and leaving at once.


class Member:
    """As much of a connection as a hub looks at."""

    def __init__(self):
        self.plan = SimpleNamespace(shape=lambda call, event: None)
        self.codec = None


class Unsteady(InMemoryChannelLayer):
    """A layer that takes its time, and fails now and then."""

    def __init__(self, chance):
        super().__init__()
        self.chance = chance
        self.fails = True

    async def _wait(self, may_fail):
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(0)
        if may_fail and self.fails and self.chance.random() < 0.2:
            raise OSError("the layer is away")

    async def group_add(self, group, channel):
        await self._wait(may_fail=False)
        await super().group_add(group, channel)
        await self._wait(may_fail=True)

    async def group_discard(self, group, channel):
        await self._wait(may_fail=True)
        await super().group_discard(group, channel)
        await self._wait(may_fail=True)


async def settled(hub):
    """Wait until what goes on behind those who asked is over, and the layer is back."""
    while hub._tasks or hub.lost:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


async def live(hub, member, history, joined):
    """Join and leave; `joined` is what the member has joined by then."""
    for group, joins, cancelled in history:
        step = asyncio.create_task((hub.join if joins else hub.leave)(group, member))
        await asyncio.sleep(0)
        if cancelled:
            step.cancel()
        await asyncio.wait([step])
        if joins and not step.cancelled():
            joined.add(group)
        elif not joins:
            joined.discard(group)


def members_of(hub, name):
    group = hub._groups.get(name)
    return (
        {member for audience in group.audiences.values() for member in audience} if group else set()
    )


@pytest.fixture
def no_pauses():
    """Let no clock have a say in what comes before what."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(care, "SHORTEST", 0)
        yield


COMES_AND_GOES = [[("a", True, False), ("a", False, False)]]


@pytest.mark.usefixtures("no_pauses")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 1000).map(random.Random),
    st.lists(
        st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=6),
        max_size=5,
    ),
)
@example(random.Random(0), COMES_AND_GOES)  # leaves just before its group is joined again
@example(random.Random(22), COMES_AND_GOES)  # cannot leave while the layer is found to be back
def test_whoever_joined_last_is_a_member_and_whoever_left_is_not(chance, histories):
    """Each member's history: the group, whether it joins, whether it is cancelled meanwhile."""

    async def run():
        layer = Unsteady(chance)
        hub = Hub(layer)
        members = [(Member(), history, set()) for history in histories]
        await asyncio.gather(*(live(hub, *each) for each in members))
        layer.fails = False
        await settled(hub)
        for group in "ab":
            expected = {member for member, _, joined in members if group in joined}
            assert len(layer.groups.get(group, ())) == bool(expected)
            assert members_of(hub, group) == expected
        for member, _, joined in members:
            for group in joined:
                await hub.leave(group, member)
        await settled(hub)
        assert not hub._groups
        assert not layer.groups
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


async def test_a_join_during_a_leave_is_not_lost(layer, monkeypatch):
    leaving, go_on = asyncio.Event(), asyncio.Event()
    discard = layer.group_discard

    async def slow_discard(group, channel):
        leaving.set()
        await go_on.wait()
        await discard(group, channel)

    application = consumer(hello, join, leave).as_asgi()
    async with connect(application) as one, connect(application) as other:
        await one.call("join", group="club")
        monkeypatch.setattr(layer, "group_discard", slow_discard)
        left = asyncio.create_task(one.call("leave", group="club"))
        await leaving.wait()
        await other.call("join", group="club")
        go_on.set()
        await left
        await apublish("club", "news", 1)
        assert (await other.receive())["data"] == 1
        assert (await one.call("hello"))["data"] == "hello"
        assert not one._events


async def test_a_layer_that_cannot_take_a_group_back_is_logged(layer, monkeypatch, caplog):
    async def fails(group, channel):
        raise OSError("away")

    monkeypatch.setattr(layer, "group_add", fails)
    monkeypatch.setattr(layer, "group_discard", fails)
    hub, member = Hub(layer), Member()
    await hub.join("club", member)
    await hub.leave("club", member)
    assert hub.lost
    monkeypatch.undo()
    await settled(hub)
    assert not hub._groups
    assert caplog.text.count("The channel layer is lost: OSError: away") == 1
    assert caplog.text.count("The channel layer is back") == 1


async def test_a_layer_that_swallows_a_cancellation_keeps_nobody_from_leaving(layer, monkeypatch):
    receive = layer.receive

    async def swallows(channel):  # as redis-py does while it connects
        with suppress(asyncio.CancelledError):
            await receive(channel)
        return await receive(channel)

    monkeypatch.setattr(layer, "receive", swallows)
    async with asyncio.timeout(3):
        async with connect(Room.as_asgi()) as client:
            await client.call("join", group="club")


# Layers that wait to make a name, and loops that end.


@pytest.mark.parametrize("begun", [True, False])
async def test_a_group_that_a_detached_task_joins_after_the_end_is_left_again(
    layer, monkeypatch, begun
):
    adding, go_on, joins = asyncio.Event(), asyncio.Event(), []
    group_add = layer.group_add

    async def slow_add(group, channel):
        adding.set()
        await go_on.wait()
        await group_add(group, channel)

    async def join_later(self):
        if not begun:
            await go_on.wait()
        await self.channel_layer.group_add("club", self.channel_name)

    @action
    async def detach(self):
        joins.append(asyncio.create_task(join_later(self)))

    monkeypatch.setattr(layer, "group_add", slow_add)
    async with connect(consumer(detach).as_asgi()) as client:
        await client.call("detach")
        if begun:
            await adding.wait()
    go_on.set()
    await joins[0]
    assert adding.is_set() is begun
    assert not layer.groups


async def test_a_layer_that_waits_to_make_names_is_asked_for_one_at_most(layer, monkeypatch):
    made, new_channel = [], layer.new_channel

    async def slowly(prefix="specific."):
        await asyncio.sleep(0)
        made.append(await new_channel(prefix))
        return made[-1]

    monkeypatch.setattr(layer, "new_channel", slowly)

    @action
    async def name(self):
        return self.channel_name

    async def news(self, event):
        await self.send_json(event["text"])

    application = consumer(name, news).as_asgi()
    async with connect(application) as one, connect(application) as other:
        names = [(await each.call("name"))["data"] for each in (one, other)]
        for text, client in zip(names, (one, other), strict=True):
            await layer.send(text, {"type": "news", "text": text})
            assert await client.receive() == text
    assert len(set(names)) == 2
    assert len(made) == 1


@pytest.mark.parametrize("orderly", [True, False])
def test_one_event_loop_after_another_has_a_hub_of_its_own(core, orderly):
    async def run():
        layer = InMemoryChannelLayer()
        channel_layers.set("default", layer)
        async with connect(Room.as_asgi()) as client:
            await client.call("hello")
            await apublish("room", "news", 1)
            assert (await client.receive())["data"] == 1
        if not orderly:  # it ends amid a membership
            await hubs.hub(layer).join("room", Member())

    before = channel_layers["default"]
    for _ in range(3):
        asyncio.run(run())
        gc.collect()
    assert len([loop for loop in hubs._hubs if loop.is_closed()]) <= 1
    channel_layers.set("default", before)
