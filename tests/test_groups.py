"""The groups of a connection, and what reaches it through the channel layer."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from channels.routing import URLRouter
from django.urls import path
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aaah_core import (
    AsyncAPIConsumer,
    Call,
    ConfigurationError,
    EncodeError,
    apublish,
    group_name,
    publish,
    run_sync,
)
from aaah_core.testing import Refused, connect
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core")


class Layer(InMemoryChannelLayer):
    """A layer that notes what it was asked, and fails where it is told to."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.failures = {}

    def note(self, *what):
        self.asked.append(what)
        if failures := self.failures.get(what[0]):
            raise failures.pop(0)

    async def group_add(self, group, channel):
        self.note("add", group)
        await super().group_add(group, channel)

    async def group_discard(self, group, channel):
        self.note("discard", group)
        await super().group_discard(group, channel)

    async def receive(self, channel):
        self.note("receive")
        return await super().receive(channel)


def installed(layer):
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)


@pytest.fixture
def layer():
    yield from installed(Layer())


@pytest.fixture
def no_layer():
    yield from installed(None)


RESYNC = {"event": "aaah.resync", "data": None, "status": 200}


async def chat_message(self, event):
    await self.send_json({"said": event["text"]})


async def hello(self):
    return "hello"


hello = action(hello)


class Room(AsyncAPIConsumer):
    groups = ("room", "all")
    hello = hello
    chat_message = chat_message


# Joining and leaving.


async def test_the_groups_of_a_consumer_are_joined_before_accept_and_left_at_the_end(layer):
    sent = []
    add = layer.group_add

    async def noting(group, channel):
        sent.append([message["type"] for message in socket.sent])
        await add(group, channel)

    layer.group_add = noting
    async with Socket(Room.as_asgi()) as socket:
        socket.put('{"action": "hello"}')
        await socket.get(1)
        assert set(layer.groups) == {"room", "all"}
    assert sent == [[]] * 2
    assert not layer.groups
    assert not layer.channels


async def test_a_connection_that_is_refused_joins_nothing(layer):
    async def connect_(self):
        await self.close()

    chat = consumer(groups=["room"], connect=connect_)
    with pytest.raises(Refused):
        async with connect(chat.as_asgi()):
            pass
    assert layer.asked == []


async def test_groups_are_left_when_the_server_stops_and_when_disconnect_raises(layer, caplog):
    async def disconnect(self, code):
        raise LookupError

    chat = consumer(hello, groups=["room"], disconnect=disconnect)
    async with Socket(chat.as_asgi()) as socket:
        socket.put('{"action": "hello"}')
        await socket.get(1)
        socket.task.cancel()
    assert socket.task.cancelled()
    assert not layer.groups
    assert "could not disconnect" in caplog.text


async def test_a_group_that_cannot_be_left_keeps_no_other_from_being_left(layer, caplog):
    layer.failures["discard"] = [OSError("the layer is gone")]
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
    assert sorted(layer.asked[-2:]) == [("discard", "all"), ("discard", "room")]
    assert "The channel layer is lost: OSError: the layer is gone" in caplog.text
    assert not layer.channels


async def test_a_group_that_cannot_be_joined_is_joined_when_the_layer_is_back(layer, caplog):
    layer.failures["add"] = [OSError("the layer is gone")]
    async with connect(Room.as_asgi()) as client:
        assert (await client.call("hello"))["data"] == "hello"
        assert await client.receive() == RESYNC  # of each of its groups
        assert await client.receive() == RESYNC
        await apublish("room", "news")
        assert (await client.receive())["event"] == "news"
    assert "The channel layer is lost: OSError: the layer is gone" in caplog.text
    assert "The channel layer is back" in caplog.text
    assert not layer.groups


async def test_a_group_of_an_impossible_name_is_refused(layer, caplog):
    with pytest.raises(Refused) as refused:
        async with connect(consumer(groups=["a room"]).as_asgi()):
            pass
    assert refused.value.code == 4503
    assert "only ASCII alphanumerics" in caplog.text
    assert layer.asked == []


@pytest.mark.parametrize("lookups", ["room", ["room"], ("absent", "room")])
async def test_values_of_the_url_name_groups(layer, lookups):
    chat = consumer(hello, group_send_lookup_kwargs=lookups)
    application = URLRouter([path("rooms/<room>/", chat.as_asgi())])
    async with connect(application, "/rooms/lobby/") as client:
        await client.call("hello")
        assert set(layer.groups) == {group_name("room", "lobby")}
    assert not layer.groups


async def test_a_connection_that_joins_no_group_asks_the_layer_nothing(layer):
    async with connect(consumer(hello).as_asgi()) as client:
        await client.call("hello")
    assert layer.asked == []


async def test_a_name_that_is_first_read_in_disconnect_starts_nothing(layer):
    async def disconnect(self, code):
        await self.channel_layer.group_discard("room", self.channel_name)

    before = asyncio.all_tasks()
    async with connect(consumer(hello, disconnect=disconnect).as_asgi()) as client:
        await client.call("hello")
    assert layer.asked == [("discard", "room")]
    assert asyncio.all_tasks() == before


# What the layer brings.


async def test_a_plain_group_send_calls_the_event_method_of_every_member(layer):
    async with connect(Room.as_asgi()) as one, connect(Room.as_asgi()) as other:
        for client in (one, other):
            await client.call("hello")
        await layer.group_send("room", {"type": "chat.message", "text": "hi"})
        assert await one.receive() == await other.receive() == {"said": "hi"}


async def test_an_action_may_join_and_leave_a_group_by_its_channel_name(layer):
    @action
    async def join(self, group):
        await self.channel_layer.group_add(group, self.channel_name)

    @action
    async def leave(self, group):
        await self.channel_layer.group_discard(group, self.channel_name)

    async with connect(consumer(join, leave, chat_message).as_asgi()) as client:
        for group in ("a", "b"):
            await client.call("join", group=group)
        await client.call("leave", group="a")
        await layer.group_send("a", {"type": "chat.message", "text": "to a"})
        await layer.group_send("b", {"type": "chat.message", "text": "to b"})
        assert await client.receive() == {"said": "to b"}


async def test_a_call_joins_no_more_groups_than_a_connection_may_have(layer):
    async def connects(self):
        for group in ("first", "second"):
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()

    @action
    async def join(self, group):
        await self.channel_layer.group_add(group, self.channel_name)

    @action
    async def leave(self, group):
        await self.channel_layer.group_discard(group, self.channel_name)

    chat = consumer(join, leave, connect=connects, limits={"groups": 3})
    async with connect(chat.as_asgi()) as client:
        statuses = [(await client.call("join", group=group))["status"] for group in "aabcb"]
        assert statuses == [204, 204, 413, 413, 413]
        await client.call("leave", group="a")
        assert (await client.call("join", group="b"))["status"] == 204
        assert {*layer.groups} == {"first", "second", "b"}
    async with connect(consumer(join, connect=connects, limits={"groups": 1}).as_asgi()) as client:
        reply = await client.call("join", group="a")
    assert reply["errors"] == [
        {"code": "too_large", "detail": "This connection is in as many groups as it may join: 1."}
    ]


@pytest.mark.parametrize("sync", [False, True])
async def test_a_channel_name_is_an_address_also_from_a_sync_action(layer, sync):
    def name_plainly(self):
        return self.channel_name

    async def name(self):
        return self.channel_name

    chosen = action(name_plainly if sync else name, name="name")
    async with connect(consumer(chosen, chat_message).as_asgi()) as client:
        names = [(await client.call("name"))["data"] for _ in range(2)]
        assert names[0] == names[1]
        await layer.send(names[0], {"type": "chat.message", "text": "you"})
        assert await client.receive() == {"said": "you"}
    assert layer.asked.count(("receive",)) == 2  # that message, and the one that never came


async def test_a_layer_that_fails_is_logged_and_asked_again(layer, caplog):
    layer.failures["receive"] = [OSError("the layer is gone")]
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        assert [await client.receive() for _ in Room.groups] == [RESYNC] * 2
        await layer.group_send("room", {"type": "chat.message", "text": "hi"})
        assert await client.receive() == {"said": "hi"}
    assert "The channel layer is lost: OSError: the layer is gone" in caplog.text


# Publishing.


async def test_what_is_published_is_an_event_for_every_member(layer):
    async with connect(Room.as_asgi()) as one, connect(Room.as_asgi()) as other:
        for client in (one, other):
            await client.call("hello")
        await apublish("all", "news", {"n": 1}, status=201)
        event = {"event": "news", "data": {"n": 1}, "status": 201, "seq": 1}
        for client in (one, other):
            assert await client.receive() == event


async def test_sync_code_publishes_too(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        await run_sync(publish, "all", "news")
        event = {"event": "news", "data": None, "status": 200, "seq": 1}
        assert await client.receive() == event


async def test_an_event_method_gets_the_event_that_was_published(layer):
    async def news(self, event):
        fields = (event.name, event.data, event.status, event.group, event.request_id, event.seq)
        await self.send_json(fields)

    async with connect(consumer(hello, news, groups=["all"]).as_asgi()) as client:
        await client.call("hello")
        call = Call("hello", request_id=7, handler=Room())
        await apublish("all", "news", {"n": 1}, status=201, call=call)
        assert await client.receive() == ["news", {"n": 1}, 201, "all", 7, 1]


async def test_what_cannot_be_carried_is_refused_before_it_is_published(layer):
    with pytest.raises(EncodeError):
        await apublish("all", "news", object())


async def test_publishing_without_a_layer_says_what_to_set(no_layer):
    with pytest.raises(ConfigurationError, match="CHANNEL_LAYERS"):
        await apublish("all", "news")


async def test_a_consumer_without_groups_needs_no_layer(no_layer):
    async with connect(consumer(hello).as_asgi()) as client:
        assert (await client.call("hello"))["data"] == "hello"


# Names.

PARTS = st.lists(
    st.text(max_size=4) | st.sampled_from(["1:", "1:a", "-", ".", "a", ""]), max_size=4
)


@settings(deadline=None)
@given(PARTS, PARTS)
@example(["a", "b"], ["a-b"])
@example(["a", "b"], ["ab"])
@example(["a", ""], ["a"])
@example(["a", "1:b"], ["a1:", "b"])
@example(["1:a"], ["a", "a"])
def test_two_lists_of_parts_give_one_name_only_where_they_are_the_same(one, other):
    assert (group_name(*one) == group_name(*other)) is (one == other)


@settings(deadline=None)
@given(st.lists(st.text() | st.integers() | st.none()))
@example(["\ud800"])
def test_a_name_is_one_that_every_layer_accepts(parts):
    name = group_name(*parts)
    assert name.startswith("aaah.")
    assert InMemoryChannelLayer().require_valid_group_name(name)
