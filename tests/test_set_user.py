"""`set_user`: what a connection keeps when its user becomes another."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.urls import path

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Check,
    IsAuthenticated,
    IsAuthenticatedStrictly,
    apublish,
)
from aaah_core.defaults.wire import parse
from aaah_core.testing import Refused, connect, registry
from tests.conftest import action, collector, consumer, plugin
from tests.person import layer

__all__ = ["layer"]  # a fixture

pytestmark = pytest.mark.usefixtures("core")


def person(pk, **attributes):
    return SimpleNamespace(pk=pk, is_authenticated=True, is_active=True, **attributes)


ANNA, BERT = person(1), person(2)
NOBODY = SimpleNamespace(pk=None, is_authenticated=False)
USERS = {"anna": ANNA, "bert": BERT, "nobody": NOBODY}


async def become(self, who):
    await self.consumer.set_user(USERS[who])


become = action(become)


async def join(self, group):
    consumer = self.consumer
    await consumer.channel_layer.group_add(group, consumer.channel_name)


join = action(join)


class Inner(AsyncAPIActionHandler):
    permission_classes = (IsAuthenticated,)
    join = join


class Open(AsyncAPIActionHandler):
    join = join


class Chat(AsyncAPIConsumer):
    become = become
    routepatterns = (path("inner/<int:pk>/", Inner.as_aaah()), path("open/", Open.as_aaah()))

    async def tick(self, event):
        await self.send_json({"tick": event["number"]})


def ended(route, request_id=None, name="join"):
    data = {"action": name, "route": route, "request_id": request_id}
    return {"event": "aaah.unsubscribed", "data": data, "status": 403}


async def test_who_may_not_run_the_call_that_joined_leaves_and_is_told_while_others_stay(layer):
    async with connect(Chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "inner/5/", group="secret", request_id="s")
        await client.call("join", "inner/6/", group="more")
        await client.call("join", "open/", group="open")
        assert (await client.call("become", who="nobody"))["status"] == 204
        for group in ("secret", "more", "open"):
            await apublish(group, group, 1)
            await layer.group_send(group, {"type": "tick", "number": 1})
        assert await client.receive() == ended("inner/5/", "s")
        assert await client.receive() == ended("inner/6/")
        assert (await client.receive())["event"] == "open"
        assert await client.receive() == {"tick": 1}
        await client.call("become", who="nobody")
        assert not client._events
    assert not layer.groups


async def test_who_may_run_it_as_another_stays(layer):
    async with connect(Chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "inner/5/", group="secret")
        await client.call("become", who="bert")
        await apublish("secret", "news", 1)
        assert (await client.receive())["event"] == "news"


class Gate(BasePermission):
    """Lets pass who is asked for, and holds up the answers while it is shut."""

    def __init__(self):
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.users = []

    async def has_permission(self, scope, handler, action, **kwargs):
        user = scope["user"]
        self.users.append(user)
        self.asked.set()
        await self.open.wait()
        return user is not NOBODY


async def test_what_is_sent_while_it_is_asked_again_waits_and_comes_in_order(layer):
    gate = Gate()
    room = type("Room", (Open,), {"permission_classes": (gate,)})
    ticks = {"tick": Chat.tick, "become": become}
    chat = consumer(**ticks, routepatterns=[path("room/", room.as_aaah())], concurrency=2)
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "room/", group="room")
        gate.open.clear()
        gate.asked.clear()
        await client.send({"action": "become", "who": "bert"})
        await gate.asked.wait()
        for number in range(3):
            await apublish("room", "news", number)
            await layer.group_send("room", {"type": "tick", "number": number})
        for _ in range(20):
            await asyncio.sleep(0)
        assert client._communicator.output_queue.empty()
        gate.open.set()
        got = [await client.receive() for _ in range(7)]
        events = [each for each in got if "action" not in each]
        assert [each.get("tick", each.get("data")) for each in events] == [0, 0, 1, 1, 2, 2]


async def test_what_is_sent_while_it_is_asked_again_reaches_nobody_who_is_refused(layer):
    gate = Gate()
    room = type("Room", (Open,), {"permission_classes": (gate,)})
    ticks = {"tick": Chat.tick, "become": become}
    chat = consumer(**ticks, routepatterns=[path("room/", room.as_aaah())], concurrency=2)
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "room/", group="room")
        gate.open.clear()
        gate.asked.clear()
        await client.send({"action": "become", "who": "nobody"})
        await gate.asked.wait()
        await apublish("room", "news", 1)
        await layer.group_send("room", {"type": "tick", "number": 1})
        for _ in range(20):
            await asyncio.sleep(0)
        gate.open.set()
        assert await client.receive() == ended("room/")
        assert (await client.receive())["action"] == "become"
        await client.call("become", who="nobody")
        assert not client._events
        assert client._communicator.output_queue.empty()


class Receiving(BasePermission):
    """Lets whoever is somebody have events, and takes its time to say so."""

    def __init__(self):
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.users = []

    async def can_receive(self, scope, handler, event):
        user = scope["user"]
        self.users.append(user)
        self.asked.set()
        await self.open.wait()
        return user is not NOBODY


async def test_an_event_whose_checks_are_under_way_is_asked_about_again():
    receiving = Receiving()
    chat = consumer(become, groups=["room"], permission_classes=(receiving,))
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await apublish("room", "news", 1)
        await receiving.asked.wait()
        await client.call("become", who="nobody")
        receiving.open.set()
        await client.call("become", who="bert")
        await apublish("room", "news", 2)
        assert (await client.receive())["data"] == 2
    assert receiving.users == [ANNA, NOBODY, BERT]


class Owner(BasePermission):
    async def has_object_permission(self, scope, handler, action, obj, **kwargs):
        return obj.owner is scope["user"]


class PlainOwner(BasePermission):
    def has_object_permission(self, scope, handler, action, obj, **kwargs):
        return obj.owner is scope["user"]


async def watch(self):
    await self.acheck_object_permissions(SimpleNamespace(owner=ANNA))
    await self.consumer.channel_layer.group_add("anna", self.consumer.channel_name)


def watch_plainly(self):
    self.check_object_permissions(SimpleNamespace(owner=ANNA))
    async_to_sync(self.consumer.channel_layer.group_add)("anna", self.consumer.channel_name)


@pytest.mark.parametrize("permission", [Owner, PlainOwner])
@pytest.mark.parametrize("name", ["watch", "watch_plainly"])
async def test_an_object_that_the_call_was_allowed_is_asked_about_again(permission, name):
    attributes = {"watch": action(watch), "watch_plainly": action(watch_plainly)}
    room = type("Room", (Open,), {"permission_classes": (permission,), **attributes})
    chat = consumer(become, routepatterns=[path("room/", room.as_aaah())])
    async with connect(chat.as_asgi(), user=ANNA) as client:
        assert (await client.call(name, "room/"))["status"] == 204
        await client.call("become", who="anna")
        await apublish("anna", "news", 1)
        assert (await client.receive())["data"] == 1
        await client.call("become", who="bert")
        assert await client.receive() == ended("room/", name=name)


async def test_who_would_be_refused_at_connect_is_closed():
    chat = consumer(become, groups=["room"], permission_classes=(IsAuthenticatedStrictly,))
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("become", who="bert")
        with pytest.raises(Refused) as refused:
            await client.call("become", who="nobody")
        assert refused.value.code == 4403


async def test_connect_itself_may_say_who_it_is():
    async def begin(self):
        await self.set_user(NOBODY if self.scope["path"] == "/nobody" else ANNA)
        await self.accept()

    async def who(self):
        return self.user.pk

    strict = (IsAuthenticatedStrictly,)
    chat = consumer(action(who), connect=begin, permission_classes=strict).as_asgi()
    async with connect(chat, user=BERT) as client:
        assert (await client.call("who"))["data"] == ANNA.pk
    with pytest.raises(Refused) as refused:
        async with connect(chat, "/nobody", user=BERT):
            pass
    assert refused.value.code == 4403


class Once(Check):
    """Refuses every call but the first, as a throttle might."""

    def __init__(self):
        self.calls = 0

    async def call(self, call):
        self.calls += 1
        return self.calls == 1


async def test_a_throttle_has_counted_the_call_and_is_not_asked_again():
    once = Once()
    room = type("Room", (Open,), {"throttle_classes": (once,)})
    chat = consumer(become, routepatterns=[path("room/", room.as_aaah())])
    own = plugin(aaah_permission_check=lambda permission: once if permission is once else None)
    with registry(collector(), own):
        async with connect(chat.as_asgi(), user=ANNA) as client:
            await client.call("join", "room/", group="room")
            await client.call("become", who="bert")
            await apublish("room", "news", 1)
            assert (await client.receive())["event"] == "news"
    assert once.calls == 1


async def test_the_connection_counts_as_the_new_users_and_closes_where_there_is_no_room():
    chat = consumer(become, limits={"connections_per_user": 1}).as_asgi()
    async with connect(chat, user=ANNA) as one:
        await one.call("become", who="bert")
        async with connect(chat, user=ANNA) as other:
            with pytest.raises(Refused) as refused:
                await other.call("become", who="bert")
            assert refused.value.code == 4429
        async with connect(chat, user=ANNA):
            pass


async def test_a_call_that_began_as_another_user_joins_nothing_that_the_new_one_may_not_have(layer):
    go_on = asyncio.Event()

    async def linger(self):
        await go_on.wait()
        await self.consumer.channel_layer.group_add("room", self.consumer.channel_name)

    room = type("Room", (Inner,), {"linger": action(linger)})
    routes = [path("room/", room.as_aaah())]
    chat = consumer(become, routepatterns=routes, concurrency=2)
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.send({"action": "linger", "route": "room/"})
        await client.send({"action": "become", "who": "nobody"})
        assert (await client.receive())["action"] == "become"
        go_on.set()
        assert (await client.receive())["status"] == 403
        assert not layer.groups


async def test_a_membership_that_the_layer_is_still_making_ends_too(layer, monkeypatch):
    joining, go_on = asyncio.Event(), asyncio.Event()
    add = layer.group_add

    async def slow(group, channel):
        joining.set()
        await go_on.wait()
        await add(group, channel)

    monkeypatch.setattr(layer, "group_add", slow)
    chat = consumer(**{**vars_of(Chat), "concurrency": 2})
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.send({"action": "join", "route": "inner/5/", "group": "room"})
        await joining.wait()
        await client.send({"action": "become", "who": "nobody"})
        assert await client.receive() == ended("inner/5/")
        go_on.set()
        assert {(await client.receive())["action"] for _ in range(2)} == {"join", "become"}
        await apublish("room", "news", 1)
        await client.call("become", who="nobody")
        assert not client._events
        assert not layer.groups


def vars_of(consumer_class):
    return {"become": become, "routepatterns": consumer_class.routepatterns}


@pytest.mark.parametrize("error", [LookupError("a bug"), TimeoutError()])
async def test_a_check_that_fails_is_no_yes(error, caplog):
    class Failing(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            if scope["user"] is BERT:
                raise error
            return True

    room = type("Room", (Open,), {"permission_classes": (Failing,)})
    chat = consumer(become, routepatterns=[path("room/", room.as_aaah())])
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "room/", group="room")
        await client.call("become", who="bert")
        assert await client.receive() == ended("room/")
    assert "a check of 'join' failed" in caplog.text


async def test_a_check_that_takes_longer_than_a_call_may_is_no_yes():
    gate = Gate()
    room = type("Room", (Open,), {"permission_classes": (gate,)})
    routes = [path("room/", room.as_aaah())]
    chat = consumer(become, routepatterns=routes, limits={"deadline": 0.1}, concurrency=2)
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "room/", group="room")
        gate.open.clear()
        await client.send({"action": "become", "who": "bert"})
        got = [await client.receive(), await client.receive()]
        assert ended("room/") in got


async def test_what_cannot_be_settled_closes_the_connection(caplog):
    def shape(call, message):
        if getattr(message, "name", "").startswith("aaah."):
            raise LookupError("a bug")
        return {"reply": message.status}

    odd = plugin(
        aaah_response_shaper=lambda consumer_class: shape if consumer_class.wire == "odd" else None,
        aaah_request_parser=lambda consumer_class: parse if consumer_class.wire == "odd" else None,
    )
    with registry(collector(), odd):
        chat = consumer(**vars_of(Chat), wire="odd")
        async with connect(chat.as_asgi(), user=ANNA) as client:
            await client.send({"action": "join", "route": "inner/5/", "group": "room"})
            await client.receive()
            await client.send({"action": "become", "who": "nobody"})
            with pytest.raises(Refused) as refused:
                await client.receive()
            assert refused.value.code == 4503
    assert "could not settle" in caplog.text


async def test_a_sync_action_sets_the_user_and_one_worker_is_enough(monkeypatch):
    from aaah_core import workers
    from aaah_core.pool import Pool

    pool = Pool(1, 10, lambda: None)
    monkeypatch.setattr(workers, "_pool", lambda: pool)

    class Plain(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            return scope["user"] is ANNA

    def become_plainly(self):
        async_to_sync(self.consumer.set_user)(BERT)
        return self.user.pk

    room = type("Room", (Open,), {"permission_classes": (Plain,)})
    chat = consumer(action(become_plainly), routepatterns=[path("room/", room.as_aaah())])
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "room/", group="room")
        assert (await client.call("become_plainly"))["data"] == BERT.pk
        assert await client.receive() == ended("room/")
    pool.shutdown()


async def test_a_connection_that_ends_while_it_is_asked_again_leaves_nothing_behind(layer):
    gate = Gate()
    room = type("Room", (Open,), {"permission_classes": (gate,)})
    routes = [path("room/", room.as_aaah())]
    chat = consumer(become, routepatterns=routes, concurrency=2)
    before = asyncio.all_tasks()
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "room/", group="room")
        gate.open.clear()
        gate.asked.clear()
        await client.send({"action": "become", "who": "bert"})
        await gate.asked.wait()
    assert asyncio.all_tasks() == before
    assert not layer.groups


async def test_the_call_is_asked_about_without_what_checks_left_in_it():
    class Remembers(Check):
        async def call(self, call):
            return call.state.setdefault("user", call.user) is call.user

    remembers = Remembers()

    class Handler(Open):
        permission_classes = (remembers,)

    def answer(permission):
        return remembers if permission is remembers else None

    own = plugin(aaah_permission_check=answer)
    with registry(collector(), own):
        chat = consumer(become, routepatterns=[path("room/", Handler.as_aaah())])
        async with connect(chat.as_asgi(), user=ANNA) as client:
            await client.call("join", "room/", group="room")
            await client.call("become", who="bert")
            await apublish("room", "news", 1)
            assert (await client.receive())["event"] == "news"


async def test_what_waits_of_a_group_that_was_lost_is_dropped(layer):
    begun, go_on = asyncio.Event(), asyncio.Event()
    consumers = []

    async def tock(self, event):
        consumers.append(self)
        begun.set()
        await go_on.wait()

    chat = consumer(**vars_of(Chat), tock=tock, groups=["all"])
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "inner/5/", group="secret")
        await layer.group_send("all", {"type": "tock"})
        await begun.wait()
        await apublish("secret", "news", 1)  # which waits behind the method
        await apublish("all", "news", 2)
        await consumers[0].set_user(NOBODY)
        go_on.set()
        assert await client.receive() == ended("inner/5/")
        assert (await client.receive())["data"] == 2


async def test_an_event_method_may_set_the_user(layer):
    async def tock(self, event):
        await self.set_user(NOBODY)
        await self.send_json("done")

    chat = consumer(**vars_of(Chat), tock=tock, groups=["all"])
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "inner/5/", group="secret")
        await layer.group_send("all", {"type": "tock"})
        await apublish("secret", "news", 1)
        assert await client.receive() == ended("inner/5/")
        assert await client.receive() == "done"
        await client.call("become", who="nobody")
        assert not client._events


async def test_another_event_loop_may_set_the_user():
    async def become_elsewhere(self):
        await asyncio.to_thread(asyncio.run, self.consumer.set_user(NOBODY))

    chat = consumer(action(become_elsewhere), **vars_of(Chat))
    async with connect(chat.as_asgi(), user=ANNA) as client:
        await client.call("join", "inner/5/", group="secret")
        assert (await client.call("become_elsewhere"))["status"] == 204
        assert await client.receive() == ended("inner/5/")
