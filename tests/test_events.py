"""What becomes of an event: whom it calls, whom it waits for, and who may have it."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from django.test import override_settings
from django.urls import path

from aaah_core import (
    AllowAny,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Call,
    IsAuthenticated,
    apublish,
)
from aaah_core.defaults.wire import parse
from aaah_core.testing import connect, registry
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture(autouse=True)
def layer():
    layer = InMemoryChannelLayer()
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)


async def hello(self):
    return "hello"


hello = action(hello)


async def tick(self, event):
    await self.send_json("tick")


class Room(AsyncAPIConsumer):
    groups = ("room",)
    label = str
    hello = hello
    tick = tick

    async def fail(self, event):
        raise LookupError("in an event")

    async def cancelled(self, event):
        raise asyncio.CancelledError

    def plain(self, event):
        pass

    async def _hidden(self, event):
        raise AssertionError

    @property
    def seen(self):
        raise AssertionError


async def joined(client):
    await client.call("hello")
    return client


@pytest.mark.parametrize("kind", ["nobody", "no.body", "_hidden", ".hidden", "seen", ""])
async def test_an_event_of_an_unknown_type_is_logged_and_ends_nothing(layer, caplog, kind):
    async with connect(Room.as_asgi()) as client:
        await joined(client)
        await layer.group_send("room", {"type": kind})
        await layer.group_send("room", {"type": "tick"})
        assert await client.receive() == "tick"
    assert f"Room has no method for events of type {kind!r}" in caplog.text


@pytest.mark.parametrize("kind", ["fail", "cancelled", "plain"])
async def test_an_event_method_that_fails_is_logged_and_ends_nothing(layer, caplog, kind):
    async with connect(Room.as_asgi()) as client:
        await joined(client)
        await layer.group_send("room", {"type": kind})
        await layer.group_send("room", {"type": "tick"})
        assert await client.receive() == "tick"
        assert (await client.call("hello"))["data"] == "hello"
    assert f"an event of type {kind!r} failed in Room" in caplog.text


@pytest.mark.parametrize(
    "message",
    [{}, {"type": None}, {"type": "aaah.event"}],
)
async def test_a_message_that_is_no_event_is_logged_and_ends_nothing(layer, caplog, message):
    async with connect(Room.as_asgi()) as client:
        await joined(client)
        await layer.group_send("room", message)
        await layer.group_send("room", {"type": "tick"})
        assert await client.receive() == "tick"
    assert f"an event of type {message.get('type')!r} failed in Room" in caplog.text


OURS = [
    "hello",
    "close",
    "send",
    "base_send",
    "base.send",
    "disconnect",
    "websocket.connect",
    "call",
]


@pytest.mark.parametrize("name", [*OURS, "send_json", "event_method", "as_asgi", "__init__"])
async def test_no_event_calls_an_action_or_a_method_of_the_framework(layer, caplog, name):
    async with connect(Room.as_asgi()) as client:
        await joined(client)
        await layer.group_send("room", {"type": name})
        await apublish("room", name, "as a frame")
        event = {"event": name, "data": "as a frame", "status": 200, "seq": 1}
        assert await client.receive() == event
        assert (await client.call("hello"))["data"] == "hello"
    assert f"Room has no method for events of type {name!r}" in caplog.text


async def test_an_event_waits_for_the_action_that_runs(layer):
    seen = []

    @action
    async def work(self):
        await layer.send(self.channel_name, {"type": "noting"})
        for _ in range(20):
            await asyncio.sleep(0)  # everybody else has a turn
        seen.append("action")

    async def noting(self, event):
        seen.append("event")
        await self.send_json("noted")

    async with connect(consumer(work, noting).as_asgi()) as client:
        assert (await client.call("work"))["status"] == 204
        assert await client.receive() == "noted"
    assert seen == ["action", "event"]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_actions_wait_for_the_event_that_runs(layer, concurrency):
    seen = []
    began, go_on = asyncio.Event(), asyncio.Event()

    @action
    async def work(self):
        seen.append("action")

    async def slow(self, event):
        began.set()
        await go_on.wait()
        seen.append("event")

    chat = consumer(hello, work, slow, groups=["room"], concurrency=concurrency)
    async with connect(chat.as_asgi()) as client:
        await joined(client)
        await layer.group_send("room", {"type": "slow"})
        await began.wait()
        for _ in range(2):
            await client.send({"action": "work"})
        for _ in range(20):
            await asyncio.sleep(0)
        go_on.set()
        for _ in range(2):
            await client.receive()
    assert seen == ["event", "action", "action"]


async def test_events_come_in_the_order_they_were_sent(layer):
    async with connect(Room.as_asgi()) as client:
        await joined(client)
        for number in range(20):
            await apublish("room", "number", number)
        assert [(await client.receive())["data"] for _ in range(20)] == list(range(20))


async def test_an_event_method_that_runs_ends_with_its_connection(layer):
    began, ended = asyncio.Event(), asyncio.Event()

    async def forever(self, event):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with connect(consumer(hello, forever, groups=["room"]).as_asgi()) as client:
        await joined(client)
        await layer.group_send("room", {"type": "forever"})
        await began.wait()
    assert ended.is_set()
    assert not layer.groups


async def test_an_event_before_accept_is_not_delivered(layer):
    called, receive, receives = [], layer.receive, []
    delivered = asyncio.Event()

    async def noting_receive(channel):
        receives.append(channel)
        if len(receives) == 2:  # it asks for the next, so it is done with the first
            delivered.set()
        return await receive(channel)

    layer.receive = noting_receive

    async def connect_(self):
        await layer.send(self.channel_name, {"type": "noting"})

    async def noting(self, event):
        called.append(event)

    # It neither accepts nor refuses, so nothing may be sent on it.
    async with Socket(consumer(noting, connect=connect_).as_asgi()) as socket:
        await delivered.wait()
    assert socket.sent == called == []


async def test_an_event_that_a_shaper_answers_with_none_for_is_not_sent(layer):
    def shape(call, message):
        return None if getattr(message, "name", None) == "secret" else {"data": message.data}

    wire = plugin(
        aaah_request_parser=lambda consumer_class: parse,
        aaah_response_shaper=lambda consumer_class: shape,
    )
    without = override_settings(AAAH={"DISABLED_PLUGINS": ["wire"]})
    with without, registry(collector(), wire):
        async with connect(type("Quiet", (Room,), {}).as_asgi()) as client:
            await joined(client)
            await apublish("room", "secret", 1)
            await apublish("room", "open", 2)
            assert await client.receive() == {"data": 2}


# Who may have it.


def may(answer, sync):
    """Return a permission whose `can_receive` asks `answer`."""
    if sync:

        def can_receive(self, scope, handler, event):
            return answer(scope, handler, event)
    else:

        async def can_receive(self, scope, handler, event):
            return answer(scope, handler, event)

    return type("May", (BasePermission,), {"can_receive": can_receive})


@pytest.mark.parametrize("sync", [False, True])
async def test_an_event_that_a_permission_refuses_is_neither_sent_nor_does_it_call_a_method(sync):
    asked = []

    def answer(scope, handler, event):
        asked.append((scope is handler.scope, handler.groups, event.name, event.data))
        return event.data == "open"

    async def told(self, event):
        await self.send_json(event.data)

    permissions = [IsAuthenticated | may(answer, sync)]
    chat = consumer(told, groups=["room"], permission_classes=permissions)
    async with connect(chat.as_asgi()) as client:
        assert (await client.call("hello"))["status"] == 405  # it has joined by now
        for data in ("secret", "open"):
            await apublish("room", "told", data)
        assert await client.receive() == "open"
    assert asked == [(True, ["room"], "told", data) for data in ("secret", "open")]


class User:
    is_authenticated = False


async def test_who_may_not_run_an_action_does_not_receive_what_it_broadcasts():
    user = User()
    chat = consumer(hello, groups=["room"], permission_classes=[IsAuthenticated])
    async with connect(chat.as_asgi(), user=user) as client:
        assert (await client.call("hello"))["status"] == 403
        await apublish("room", "hello", 1)
        # Answered after the event, which came first: so the event was dropped by then.
        assert (await client.call("hello"))["status"] == 403
        user.is_authenticated = True
        await apublish("room", "hello", 2)
        assert (await client.receive())["data"] == 2


async def test_a_permission_of_actions_is_asked_about_an_event_as_about_its_action():
    asked = []

    class Members(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            asked.append((type(handler).__name__, action, kwargs))
            return True

    chat = consumer(groups=["room"], permission_classes=[AllowAny, Members])
    async with connect(chat.as_asgi()) as client:
        await client.call("hello")
        await apublish("room", "news")
        await client.receive()
    assert asked == [("Chat", "news", {})]


async def test_a_permission_that_raises_keeps_the_event_back(caplog):
    def answer(scope, handler, event):
        return event.data == 1 or event.missing

    chat = consumer(hello, groups=["room"], permission_classes=[may(answer, sync=False)])
    async with connect(chat.as_asgi()) as client:
        await joined(client)
        await apublish("room", "news", None)
        await apublish("room", "news", 1)
        assert (await client.receive())["data"] == 1
    assert "an event of type 'news' failed in Chat" in caplog.text


async def test_the_default_of_can_receive_asks_has_permission():
    class Only(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            return action == "hello"

    permission = Only()

    class Event:
        name = "hello"

    assert permission.can_receive({}, None, Event) is True
    Event.name = "other"
    assert permission.can_receive({}, None, Event) is False


async def test_who_may_not_run_the_action_of_a_child_does_not_receive_what_it_broadcasts():
    asked = []

    class Members(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            asked.append((type(handler).__name__, type(handler.parent).__name__, action))
            return action == "hello" or scope["user"] == "ann"

    class Child(AsyncAPIActionHandler):
        permission_classes = (Members,)
        hello = hello

        @action
        async def tell(self):
            await apublish("room", "told", "secret", call=self.call)

    chat = consumer(hello, groups=["room"], routepatterns=[path("child/", Child.as_aaah())])
    application = chat.as_asgi()
    async with connect(application, user="ann") as ann, connect(application, user="bob") as bob:
        await bob.call("hello")
        assert (await ann.call("tell", route="child/"))["status"] == 204
        assert (await ann.receive())["data"] == "secret"
        await apublish("room", "open")
        assert (await bob.receive())["event"] == "open"  # and nothing before it
    assert asked.count(("Child", "Chat", "tell")) == 3


@pytest.mark.parametrize("reverse", [False, True])
async def test_of_a_handler_below_two_parents_the_checks_of_the_calls_own_way_are_asked(reverse):
    class Ann(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            return scope["user"] == "ann"

    class Child(AsyncAPIActionHandler):
        @action
        async def tell(self):
            await apublish("room", "told", self.call.route, call=self.call)

    class Open(AsyncAPIActionHandler):
        routepatterns = (path("child/", Child.as_aaah()),)

    class Closed(AsyncAPIActionHandler):
        permission_classes = (Ann,)
        routepatterns = (path("child/", Child.as_aaah()),)

    routes = [path("open/", Open.as_aaah()), path("closed/", Closed.as_aaah())]
    chat = consumer(hello, groups=["room"], routepatterns=routes[:: -1 if reverse else 1])
    other = consumer(hello, groups=["room"], routepatterns=[path("", Closed.as_aaah())])
    application = chat.as_asgi()
    async with (
        connect(application, user="ann") as ann,
        connect(application, user="bob") as bob,
        connect(other.as_asgi(), user="bob") as elsewhere,
    ):
        await bob.call("hello")
        await elsewhere.call("hello")
        assert (await ann.call("tell", route="closed/child/"))["status"] == 204
        assert (await ann.call("tell", route="open/child/"))["status"] == 204
        assert [(await ann.receive())["data"] for _ in range(2)] == ["closed/child/", "open/child/"]
        assert (await bob.receive())["data"] == "open/child/"
        await apublish("room", "open")
        assert (await bob.receive())["event"] == "open"
        assert (await elsewhere.receive())["event"] == "open"  # it has the closed way alone


async def test_an_event_from_a_handler_that_a_consumer_does_not_have_asks_the_consumer():
    chat = consumer(hello, groups=["room"])
    call = Call("tell", handler=AsyncAPIActionHandler())
    async with connect(chat.as_asgi()) as client:
        await client.call("hello")
        await apublish("room", "told", call=call)
        assert (await client.receive())["event"] == "told"


async def test_who_may_run_nothing_receives_nothing():
    chat = consumer(hello, groups=["room"], permission_classes=[~AllowAny])
    async with connect(chat.as_asgi()) as client:
        assert (await client.call("hello"))["status"] == 403
        await apublish("room", "news")
        assert (await client.call("hello"))["status"] == 403
        assert not client._events
