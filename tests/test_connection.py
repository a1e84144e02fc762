"""One connection: its handshake, its calls, its end, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager, suppress

import pytest
from asgiref.compatibility import guarantee_single_callable
from channels.exceptions import AcceptConnection, DenyConnection, StopConsumer
from channels.layers import get_channel_layer

from aaah_core import (
    AsyncAPIActionHandler,
    BasePermission,
    CloseCode,
    IsAuthenticatedStrictly,
    Match,
    apublish,
    cleanup,
    run_sync,
    watchdog,
)
from aaah_core.defaults.json import JSONCodec
from aaah_core.testing import Refused, connect, registry
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture(autouse=True)
async def nothing_stays_behind():
    """After each test the loop has no task but the test's, and the watchdog nobody to watch."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not watchdog._watched.get(asyncio.get_running_loop())
    assert get_channel_layer().groups == {}


@action
async def hello(self):
    return "hello"


def request(name, request_id, **more):
    return json.dumps({"action": name, "request_id": request_id, **more})


def of(message):
    """Return the payload of what was sent."""
    return json.loads(message["text"])


class Gate:
    """An action that waits until the test lets it go on."""

    def __init__(self, *, sync=False):
        self.begun = 0
        self.cancelled = 0
        self.ended = 0
        event = threading.Event if sync else asyncio.Event
        self.open = event()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def action(self):
        gate = self

        @action
        async def wait(self):
            gate.begun += 1
            gate._news.set()
            try:
                await gate.open.wait()
            except asyncio.CancelledError:
                gate.cancelled += 1
                raise
            finally:
                gate.ended += 1
            return "waited"

        return wait

    @property
    def sync_action(self):
        gate = self

        @action
        def wait(self):
            gate.begun += 1
            gate._loop.call_soon_threadsafe(gate._news.set)
            gate.open.wait(5)
            gate.ended += 1
            gate._loop.call_soon_threadsafe(gate._news.set)
            return "waited"

        return wait

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self._news.clear()
                await self._news.wait()


# The handshake.


class Nobody(BasePermission):
    async def can_connect(self, scope, handler, message=None):
        return False


class Raises(BasePermission):
    async def can_connect(self, scope, handler, message=None):
        raise LookupError("secret")


class RaisesInThread(BasePermission):
    def can_connect(self, scope, handler, message=None):
        raise LookupError("secret")


class NobodyInThread(BasePermission):
    def can_connect(self, scope, handler, message=None):
        return False


@pytest.mark.parametrize("permission", [Nobody, NobodyInThread, Raises, RaisesInThread])
async def test_who_is_refused_is_closed_before_accept_and_nothing_ever_runs(permission):
    ran = []

    @action
    async def act(self):
        ran.append("action")

    async def connect(self):
        ran.append("connect")

    async def disconnect(self, code):
        ran.append("disconnect")

    @asynccontextmanager
    async def context(consumer):
        ran.append("context")
        yield

    chat = consumer(
        act,
        connect=connect,
        disconnect=disconnect,
        groups=["everyone"],
        permission_classes=[permission],
    )
    with registry(collector(), plugin(aaah_connection=lambda: context)):
        async with Socket(chat.as_asgi()) as socket:
            socket.put(request("act", 1))  # written right behind the handshake
            socket.put(request("act", 2))
            assert await socket.get(0) == {"type": "websocket.close", "code": 4403}
            assert get_channel_layer().groups == {}
            await asyncio.wait([socket.task])
    assert ran == []
    assert len(socket.sent) == 1


async def test_who_may_connect_is_asked_before_accept_in_the_loop_or_in_a_thread():
    asked = []

    class Everyone(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            asked.append((scope["path"], type(handler).__name__, threading.current_thread()))
            return True

    class EveryoneInThread(BasePermission):
        def can_connect(self, scope, handler, message=None):
            asked.append((scope["path"], type(handler).__name__, threading.current_thread()))
            return True

    chat = consumer(hello, permission_classes=[Everyone, EveryoneInThread])
    async with connect(chat.as_asgi(), "/ws/") as ws:
        assert (await ws.call("hello"))["status"] == 200
    assert [each[:2] for each in asked] == [("/ws/", "Chat")] * 2
    assert asked[0][2] is threading.current_thread() is not asked[1][2]


async def test_a_strict_permission_refuses_and_a_lax_one_answers():
    chat = consumer(hello, permission_classes=[IsAuthenticatedStrictly])
    with pytest.raises(Refused) as caught:
        async with connect(chat.as_asgi()):
            pass
    assert caught.value.code == 4403


async def test_a_client_that_leaves_during_the_handshake_is_let_go():
    async with Socket(consumer(hello).as_asgi()) as socket:
        pass
    scope = {"type": "websocket", "path": "/"}

    async def receive():
        return {"type": "websocket.disconnect", "code": 1006}

    await consumer(hello).as_asgi()(scope, receive, None)
    assert socket.sent[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("make", [lambda chat: chat.as_asgi(), lambda chat: chat()])
async def test_servers_know_an_application_as_async_and_may_call_it_before_its_task_begins(make):
    application, sent = make(consumer(hello)), []
    assert guarantee_single_callable(application) is application

    async def receive():
        return {"type": "websocket.disconnect" if sent else "websocket.connect", "code": 1000}

    async def send(message):
        sent.append(message["type"])

    running = application({"type": "websocket", "path": "/"}, receive, send)
    await asyncio.get_running_loop().create_task(running)
    assert sent == ["websocket.accept"]


class Tick(JSONCodec):
    name = "tick"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (None, None),
        (["aaah.json"], "aaah.json"),
        (["aaah.tick", "aaah.json"], "aaah.tick"),
        (["aaah.json", "aaah.tick"], "aaah.json"),
        (["chat", "aaah.tick"], "aaah.tick"),
    ],
)
async def test_the_client_picks_among_the_consumers_codecs_in_its_own_order(offered, chosen):
    chat = consumer(hello, codecs=["json", Tick()])
    async with Socket(chat.as_asgi(), subprotocols=offered) as socket:
        accepted = await socket.get(0)
        assert (accepted["type"], accepted["subprotocol"]) == ("websocket.accept", chosen)
        socket.put(request("hello", 1))
        assert of(await socket.get(1))["data"] == "hello"


@pytest.mark.parametrize("offered", [["chat"], ["aaah.msgpack"], ["json"]])
async def test_a_client_that_offers_only_what_the_consumer_lacks_is_refused(offered):
    with pytest.raises(Refused) as caught:
        async with connect(consumer(hello).as_asgi(), subprotocols=offered):
            pass
    assert caught.value.code == 4403


async def test_a_plugin_may_choose_the_codec_but_only_among_the_consumers():
    def choosing(name):
        return plugin(aaah_select_codec=lambda: name)

    chat = consumer(hello, codecs=["json", Tick()])
    with registry(collector(), choosing("tick"), choosing("json")):
        async with connect(chat.as_asgi(), subprotocols=["aaah.json", "aaah.tick"]) as ws:
            assert ws.subprotocol == "aaah.tick"
        async with connect(chat.as_asgi()) as ws:
            assert ws.subprotocol is None  # the client offered none
    for wrong in ["msgpack", [], 7]:
        with registry(collector(), choosing(wrong)), pytest.raises(Refused):
            async with connect(chat.as_asgi()):
                pass


async def test_a_plugin_that_raises_while_it_chooses_refuses_the_connection(caplog):
    def raises():
        raise LookupError("the moon is full")

    with registry(collector(), plugin(aaah_select_codec=raises)), pytest.raises(Refused) as caught:
        async with connect(consumer(hello).as_asgi()):
            pass
    assert caught.value.code == 4403
    assert "the moon is full" in caplog.text


async def test_accept_may_be_given_a_subprotocol_and_headers():
    async def connect(self):
        await self.accept("chat", headers=[(b"x-a", b"1")])

    async with Socket(consumer(hello, connect=connect).as_asgi()) as socket:
        accepted = await socket.get(0)
    assert accepted["subprotocol"] == "chat"
    assert accepted["headers"] == [(b"x-a", b"1")]


async def test_connect_may_accept_or_deny_by_exception_as_in_channels():
    async def accepts(self):
        raise AcceptConnection

    async def denies(self):
        raise DenyConnection

    async with connect(consumer(hello, connect=accepts).as_asgi()) as ws:
        assert (await ws.call("hello"))["status"] == 200
    with pytest.raises(Refused):
        async with connect(consumer(hello, connect=denies).as_asgi()):
            pass


async def test_connect_that_raises_closes_and_is_logged(caplog):
    async def raises(self):
        raise LookupError("the moon is full")

    async def raises_late(self):
        await self.accept()
        raise LookupError("the moon is full")

    for method in (raises, raises_late):
        gone = []

        async def disconnect(self, code, gone=gone):
            gone.append(code)

        chat = consumer(hello, connect=method, disconnect=disconnect)
        async with Socket(chat.as_asgi()) as socket:
            socket.put(request("hello", 1))
            await asyncio.wait([socket.task])
        assert socket.sent[-1] == {"type": "websocket.close", "code": 4503}
        assert gone == [4503]
    assert caplog.text.count("LookupError: the moon is full") == 2


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_frames_before_accept_run_nothing(concurrency):
    ran = []
    accept = asyncio.Event()

    async def connect(self):
        self.later = asyncio.create_task(self.accept_later())

    async def accept_later(self):
        await accept.wait()
        await self.accept()

    @action
    async def act(self):
        ran.append(self.call.request_id)

    chat = consumer(act, connect=connect, accept_later=accept_later, concurrency=concurrency)
    async with Socket(chat.as_asgi()) as socket:
        socket.put(request("act", 1))
        await socket.taken()
        accept.set()
        await socket.get(0)
        socket.put(request("act", 2))
        await socket.get(1)
    assert ran == [2]


async def test_an_event_waits_until_connect_is_through_and_is_not_lost(caplog):
    told = asyncio.Event()

    async def connect(self):
        await self.channel_layer.group_add("room", self.channel_name)
        await self.channel_layer.group_send("room", {"type": "somebody.came"})
        await self.accept()
        await self.channel_layer.group_discard("room", self.channel_name)

    async def somebody_came(self, event):
        told.set()

    chat = consumer(hello, connect=connect, somebody_came=somebody_came)
    async with Socket(chat.as_asgi()):
        await asyncio.wait_for(told.wait(), 5)


# As Channels documents it.


async def joined(consumer):
    await consumer.channel_layer.group_add("by-hand", consumer.channel_name)
    return list(get_channel_layer().groups) == ["by-hand"]


async def test_what_consumers_of_channels_do_in_connect_works_here():
    seen = []

    class Chat(consumer(hello)):
        def __init__(self, room=None, **kwargs):
            super().__init__(**kwargs)
            self.room = room

        async def connect(self):
            self.user = self.scope["user"]
            seen.append((self.room, self.user, await joined(self)))
            await super().connect()

        async def disconnect(self, code):
            seen.append(code)

        @action
        async def say(self):
            await self.send_json({"direct": 1})
            await self.send(text_data='"text"')
            await self.send(bytes_data=b"bytes")
            await self.send_json({"last": 1}, close=True)

    application = Chat.as_asgi(room="lobby")
    assert application.consumer_class is Chat
    assert application.consumer_initkwargs == {"room": "lobby"}
    assert application.__name__ == "Chat"
    async with connect(application, user="ann") as ws:
        await ws.send({"action": "say"})
        assert await ws.receive() == {"direct": 1}
        assert await ws.receive_frame() == '"text"'
        assert await ws.receive_frame() == b"bytes"
        assert await ws.receive() == {"last": 1}
        with pytest.raises(Refused):
            await ws.receive()
    assert seen == [("lobby", "ann", True), 1000]


async def test_a_consumer_that_closes_in_an_action_sends_no_reply_after_it():
    @action
    async def leave(self):
        await self.close(code=4001, reason="bye")
        return "unheard"

    async with Socket(consumer(leave).as_asgi()) as socket:
        socket.put(request("leave", 1))
        await asyncio.wait([socket.task])
    assert socket.sent[1:] == [{"type": "websocket.close", "code": 4001, "reason": "bye"}]


async def test_disconnect_is_given_the_code_of_the_client_or_1005():
    gone = []

    async def disconnect(self, code):
        gone.append(code)

    async with connect(consumer(hello, disconnect=disconnect).as_asgi()) as ws:
        await ws.close(4321)
    async with Socket(consumer(hello, disconnect=disconnect).as_asgi()) as socket:
        socket.put({"type": "websocket.disconnect"})
    assert gone == [4321, 1005]


# Contexts.


def contexts(log, *, enter=None, leave=None):
    def made(name):
        @asynccontextmanager
        async def context(consumer):
            log.append(("enter", name, consumer.accepted_yet()))
            if name == enter:
                raise LookupError("cannot enter")
            try:
                yield
            finally:
                log.append(("leave", name, consumer.accepted_yet()))
            if name == leave:
                raise LookupError("cannot leave")

        return plugin(aaah_connection=lambda: context)

    return made("a"), made("b")


def accepted_yet(self):
    return self._connection.transport.accepted


def watched(log):
    async def connect(self):
        log.append("connect")
        await self.accept()

    async def disconnect(self, code):
        log.append("disconnect")

    return consumer(hello, connect=connect, disconnect=disconnect, accepted_yet=accepted_yet)


async def test_contexts_stand_around_an_accepted_connection_the_first_outermost():
    log = []
    with registry(collector(), *contexts(log)):
        async with connect(watched(log).as_asgi()) as ws:
            await ws.call("hello")
            log.append("call")
    assert log == [
        "connect",
        ("enter", "a", True),
        ("enter", "b", True),
        "call",
        ("leave", "b", True),
        ("leave", "a", True),
        "disconnect",
    ]


async def test_a_context_that_cannot_be_entered_closes_and_those_before_it_are_left(caplog):
    log = []
    with registry(collector(), *contexts(log, enter="b")):
        async with connect(watched(log).as_asgi()) as ws:
            with pytest.raises(Refused) as caught:
                await ws.receive()
    assert caught.value.code == CloseCode.GOING_AWAY
    assert log[1:] == [
        ("enter", "a", True),
        ("enter", "b", True),
        ("leave", "a", True),
        "disconnect",
    ]
    assert "cannot enter" in caplog.text


async def test_a_context_that_cannot_be_left_is_logged_and_the_rest_is_done(caplog):
    log = []
    with registry(collector(), *contexts(log, leave="b")):
        async with connect(watched(log).as_asgi()):
            pass
    assert log[-3:] == [("leave", "b", True), ("leave", "a", True), "disconnect"]
    assert "cannot leave" in caplog.text


async def test_a_consumer_that_denies_enters_no_context():
    log = []

    async def denies(self):
        raise DenyConnection

    chat = consumer(hello, connect=denies, groups=["everyone"])
    with registry(collector(), *contexts(log)), pytest.raises(Refused):
        async with connect(chat.as_asgi()):
            pass
    assert log == []


async def test_what_is_wrong_with_a_context_itself_closes(caplog):
    with registry(collector(), plugin(aaah_connection=lambda: lambda consumer: 7)):
        async with connect(consumer(hello).as_asgi()) as ws:
            with pytest.raises(Refused):
                await ws.receive()
    assert "Chat could not connect" in caplog.text


# The end.


async def test_a_disconnect_that_raises_or_is_cancelled_leaves_nothing_behind(caplog):
    async def raises(self, code):
        raise LookupError("the moon is full")

    async with connect(consumer(hello, disconnect=raises, groups=["everyone"]).as_asgi()) as ws:
        await ws.call("hello")
    assert "Chat could not disconnect" in caplog.text
    assert "the moon is full" in caplog.text


async def test_a_plain_disconnect_that_raises_leaves_nothing_behind_either(caplog):
    def raises(self, code):
        raise LookupError("the moon is full")

    async with connect(consumer(hello, disconnect=raises, groups=["everyone"]).as_asgi()) as ws:
        await ws.call("hello")
    assert get_channel_layer().groups == {}
    assert "Chat could not disconnect" in caplog.text


async def test_the_async_orms_old_connections_are_let_go_of_at_the_end(monkeypatch):
    closed = []

    async def close():
        closed.append(True)

    monkeypatch.setattr(cleanup, "close_old_async_connections", close)
    async with connect(consumer(hello).as_asgi()) as ws:
        await ws.call("hello")
        assert closed == []
    assert closed == [True]


async def test_a_step_of_the_clean_up_that_hangs_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr(cleanup, "CLEANUP", 0.01)

    async def hangs(self, code):
        await asyncio.Event().wait()

    async with connect(consumer(hello, disconnect=hangs).as_asgi()):
        pass
    assert "Chat could not disconnect" in caplog.text


async def test_a_client_that_leaves_during_an_action_ends_it_and_sees_nothing_more(quick):
    gate, gone = Gate(), []

    async def disconnect(self, code):
        gone.append((code, gate.ended))

    async with Socket(consumer(gate.action, hello, disconnect=disconnect).as_asgi()) as socket:
        socket.put(request("wait", 1))
        await gate.until(lambda: gate.begun)
        socket.put(request("hello", 2))
        socket.put({"type": "websocket.disconnect", "code": 4321})
        await socket.task
    assert (gate.cancelled, gate.ended) == (1, 1)
    assert gone == [(4321, 1)]
    assert len(socket.sent) == 1  # the accept: neither a 504 nor the queued call


async def test_a_client_that_leaves_during_a_sync_action_is_let_go_while_the_thread_runs_on(quick):
    gate = Gate(sync=True)
    async with Socket(consumer(gate.sync_action).as_asgi()) as socket:
        socket.put(request("wait", 1))
        await gate.until(lambda: gate.begun)
        socket.put({"type": "websocket.disconnect", "code": 1001})
        await socket.task
        assert gate.ended == 0
        gate.open.set()
        await gate.until(lambda: gate.ended)
    assert len(socket.sent) == 1


async def test_a_send_to_a_client_that_left_ends_the_connection_and_not_the_server():
    gone = []

    async def disconnect(self, code):
        gone.append(code)

    def raises(message):
        if message["type"] == "websocket.send":
            raise RuntimeError("each server has its own")

    async with Socket(consumer(hello, disconnect=disconnect).as_asgi()) as socket:
        await socket.get(0)
        socket.on_send = raises
        socket.put(request("hello", 1))
        socket.put(request("hello", 2))
        await socket.task
    assert gone == [1006]
    assert len(socket.sent) == 1


@pytest.mark.parametrize("waits", [False, True])
async def test_an_action_that_finds_its_client_gone_is_ended_at_its_next_wait(waits):
    steps, gone = [], []

    @action
    async def act(self):
        await self.send_json({"n": 1})
        steps.append("sent")
        if waits:
            try:
                await asyncio.Event().wait()
            finally:
                steps.append("ended")

    async def disconnect(self, code):
        gone.append(code)

    def raises(message):
        if message["type"] == "websocket.send":
            raise OSError

    async with Socket(consumer(act, disconnect=disconnect).as_asgi()) as socket:
        await socket.get(0)
        socket.on_send = raises
        socket.put(request("act", 1))
        await socket.task  # and it ended well: no cancel is left over
    assert steps == (["sent", "ended"] if waits else ["sent"])
    assert gone == [1006]


async def test_a_receive_that_raises_is_a_client_that_left():
    gone = []
    incoming = [{"type": "websocket.connect"}]

    async def receive():
        if incoming:
            return incoming.pop()
        raise OSError

    async def send(message):
        pass

    async def disconnect(self, code):
        gone.append(code)

    await consumer(disconnect=disconnect).as_asgi()({"type": "websocket"}, receive, send)
    assert gone == [1006]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_server_that_cancels_while_contexts_are_left_cannot_keep_groups(concurrency):
    gate, gone, leaving = Gate(), [], asyncio.Event()

    @asynccontextmanager
    async def context(consumer):
        try:
            yield
        finally:
            leaving.set()
            await asyncio.Event().wait()

    async def disconnect(self, code):
        gone.append(code)

    chat = consumer(
        gate.action, disconnect=disconnect, groups=["everyone"], concurrency=concurrency
    )
    with registry(collector(), plugin(aaah_connection=lambda: context)):
        async with Socket(chat.as_asgi()) as socket:
            await socket.get(0)
            socket.put(request("wait", 1))
            await gate.until(lambda: gate.begun)
            socket.task.cancel()
            await leaving.wait()
            socket.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await socket.task
    assert gate.cancelled == 1
    assert gone == [1006]


async def test_a_server_that_cancels_during_the_clean_up_waits_for_it():
    gone, leaving = [], asyncio.Event()

    async def disconnect(self, code):
        leaving.set()
        for _ in range(5):
            await asyncio.sleep(0)
        gone.append(code)

    async with Socket(consumer(hello, disconnect=disconnect).as_asgi()) as socket:
        await socket.get(0)
        socket.put({"type": "websocket.disconnect", "code": 1000})
        await leaving.wait()
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
    assert gone == [1000]


async def test_an_exception_in_connect_itself_is_cleaned_up_like_a_call(monkeypatch):
    """A server that cancels in the middle of `connect()`."""
    begun, gone = asyncio.Event(), []

    async def connect(self):
        begun.set()
        await asyncio.Event().wait()

    async def disconnect(self, code):
        gone.append(code)

    async with Socket(consumer(connect=connect, disconnect=disconnect).as_asgi()) as socket:
        await begun.wait()
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
    assert gone == [1006]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_call_that_waits_too_long_for_an_event_method_never_began(quick, concurrency):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow_event(self, event):
        begun.set()
        while not go_on.is_set():
            with suppress(asyncio.CancelledError):  # it does not heed its deadline
                await go_on.wait()

    chat = consumer(
        hello,
        slow_event=slow_event,
        groups=["room"],
        concurrency=concurrency,
        limits={"deadline": 0.01},
    )
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("hello", 1))
        await socket.get(1)  # it has joined by now
        await get_channel_layer().group_send("room", {"type": "slow.event"})
        await begun.wait()
        socket.put(request("hello", 2))
        reply = of(await socket.get(2))
        assert (reply["request_id"], reply["status"]) == (2, 503)
        go_on.set()
        socket.put(request("hello", 3))
        assert of(await socket.get(3))["status"] == 200


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_a_call_that_waits_for_an_event_method_ends_with_its_connection(
    quick, concurrency, how
):
    begun, ran = asyncio.Event(), []

    async def slow_event(self, event):
        begun.set()
        await asyncio.Event().wait()

    @action
    async def act(self):
        ran.append(self.call.request_id)

    chat = consumer(act, slow_event=slow_event, groups=["room"], concurrency=concurrency)
    async with Socket(chat.as_asgi()) as socket:
        socket.put(request("act", 1))
        await socket.get(1)
        await get_channel_layer().group_send("room", {"type": "slow.event"})
        await begun.wait()
        socket.put(request("act", 2))
        await socket.taken()
        if how == "leave":
            socket.put({"type": "websocket.disconnect", "code": 1000})
            await socket.task
        else:
            socket.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await socket.task
    assert ran == [1]
    assert len(socket.sent) == 2


# The inbox.


async def test_hundreds_of_calls_at_once_during_a_slow_one_are_all_answered_in_order(quick):
    gate = Gate()
    async with Socket(consumer(gate.action, hello).as_asgi()) as socket:
        socket.put(request("wait", 0))
        await gate.until(lambda: gate.begun)
        for number in range(1, 401):
            socket.put(request("hello", number))
        await socket.taken()
        gate.open.set()
        await socket.get(401)
        answers = [of(message) for message in socket.sent[1:]]
    assert [each["request_id"] for each in answers] == list(range(401))
    assert {each["status"] for each in answers} == {200}


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_beyond_the_inbox_a_call_is_503_and_who_goes_on_is_closed(quick, concurrency):
    gate = Gate()
    chat = consumer(gate.action, hello, limits={"inbox": 3}, concurrency=concurrency)
    async with Socket(chat.as_asgi()) as socket:
        for number in range(concurrency):
            socket.put(request("wait", f"wait {number}"))
        await gate.until(lambda: gate.begun == concurrency)
        for number in range(10):
            socket.put(request("hello", number))
        await socket.get(4)
        refusals = [of(message) for message in socket.sent[1:4]]
        assert [(each["request_id"], each["status"]) for each in refusals] == [
            (3, 503),
            (4, 503),
            (5, 503),
        ]
        assert refusals[0]["errors"][0]["code"] == "busy"
        assert socket.sent[4] == {"type": "websocket.close", "code": 4429}
        await asyncio.sleep(0)
        gate.open.set()
    assert len(socket.sent) == 5


async def test_a_client_that_heeds_a_503_goes_on(quick):
    gate = Gate()
    async with Socket(consumer(gate.action, hello, limits={"inbox": 2}).as_asgi()) as socket:
        socket.put(request("wait", 0))
        await gate.until(lambda: gate.begun)
        for number in range(1, 5):
            socket.put(request("hello", number))
        await socket.get(2)
        gate.open.set()
        await socket.get(5)
        socket.put(request("hello", 5))
        answers = [of(message) for message in [*socket.sent[1:6], await socket.get(6)]]
    assert [(each["request_id"], each["status"]) for each in answers] == [
        (3, 503),
        (4, 503),
        (0, 200),
        (1, 200),
        (2, 200),
        (5, 200),
    ]


async def test_a_call_that_is_taken_forgives_what_was_refused_before_it(quick):
    first, second = Gate(), Gate()
    second_action = action(name="wait_again")(second.action)
    chat = consumer(first.action, hello, again=second_action, limits={"inbox": 2})
    async with Socket(chat.as_asgi()) as socket:
        for gate, name in [(first, "wait"), (second, "wait_again")]:
            before = len(socket.sent)
            socket.put(request(name, name))
            await gate.until(lambda gate=gate: gate.begun)
            for number in range(4):
                socket.put(request("hello", number))
            await socket.get(before + 1)
            gate.open.set()
            await socket.get(before + 4)
    statuses = [of(message)["status"] for message in socket.sent[1:]]
    assert statuses == [503, 503, 200, 200, 200] * 2


async def test_the_inbox_is_bounded_in_bytes_too(quick):
    gate = Gate()
    async with Socket(
        consumer(gate.action, hello, limits={"inbox_bytes": 150}).as_asgi()
    ) as socket:
        socket.put(request("wait", 0))
        await gate.until(lambda: gate.begun)
        for number in range(1, 4):
            socket.put(request("hello", number, data="x" * 60))
        assert (of(await socket.get(1))["request_id"], of(await socket.get(2))["status"]) == (
            2,
            503,
        )
        gate.open.set()
        await socket.get(4)


async def test_the_bytes_of_the_inbox_are_bytes_and_no_characters(quick):
    gate = Gate()
    chat = consumer(gate.action, hello, limits={"inbox_bytes": 300})
    async with Socket(chat.as_asgi()) as socket:
        socket.put(request("wait", 0))
        await gate.until(lambda: gate.begun)
        text = json.dumps({"action": "hello", "data": "\N{GRINNING FACE}" * 80}, ensure_ascii=False)
        assert len(text) < 150
        socket.put(text)
        assert of(await socket.get(1))["status"] == 503
        gate.open.set()
        await socket.get(2)


async def test_what_was_taken_out_of_the_inbox_makes_room_in_it(quick):
    @action
    async def look(self):
        await quick(2)  # until the inbox reads ahead

    chat = consumer(look, hello, limits={"inbox_bytes": 150})
    async with Socket(chat.as_asgi()) as socket:
        for _ in range(3):
            before = len(socket.sent)
            socket.put(request("look", 1))
            socket.put(request("hello", 2, data="x" * 60))
            await socket.get(before + 1)
    assert [of(message)["status"] for message in socket.sent[1:]] == [204, 200] * 3


async def test_what_cannot_be_read_is_answered_as_such_beyond_the_inbox_too(quick):
    gate = Gate()
    async with Socket(consumer(gate.action, limits={"inbox": 1}).as_asgi()) as socket:
        socket.put(request("wait", 0))
        await gate.until(lambda: gate.begun)
        socket.put(request("wait", 1))
        socket.put("{")
        assert of(await socket.get(1))["status"] == 400


async def test_a_call_beyond_the_inbox_that_wants_no_reply_gets_none(quick):
    gate = Gate()

    def parse(payload):
        from aaah_core.defaults.wire import parse

        call = parse(payload)
        call.wants_reply = call.request_id != "silent"
        return call

    def mine(answer):
        return lambda consumer_class: answer if consumer_class.wire == "own" else None

    from aaah_core.defaults.wire import shape

    own = plugin(aaah_request_parser=mine(parse), aaah_response_shaper=mine(shape))
    with registry(collector(), own):
        chat = consumer(gate.action, hello, wire="own", limits={"inbox": 2})
        async with Socket(chat.as_asgi()) as socket:
            socket.put(request("wait", 0))
            await gate.until(lambda: gate.begun)
            for mark in ["a", "b", "silent", "c"]:
                socket.put(request("hello", mark))
            assert (of(await socket.get(1))["request_id"], len(socket.sent)) == ("c", 2)


async def test_a_close_is_seen_while_calls_wait(quick):
    gate = Gate()
    async with Socket(consumer(gate.action, hello).as_asgi()) as socket:
        socket.put(request("wait", 0))
        await gate.until(lambda: gate.begun)
        for number in range(50):
            socket.put(request("hello", number))
        socket.put({"type": "websocket.disconnect", "code": 1001})
        await socket.task
    assert len(socket.sent) == 1


# What closes.


async def test_bad_messages_in_a_row_are_answered_and_then_closed_with_4400():
    chat = consumer(hello, limits={"bad_messages": 3})
    async with connect(chat.as_asgi()) as ws:
        for _ in range(2):  # a good one begins the count anew
            for frame in ["{", "[]", b"x"]:
                await ws.send_frame(frame)
                assert (await ws.receive())["status"] in (400, 415)
            assert (await ws.call("nothing"))["status"] == 405
        for _ in range(4):
            await ws.send_frame("{")
            assert (await ws.receive())["status"] == 400
        with pytest.raises(Refused) as caught:
            await ws.receive()
    assert caught.value.code == 4400


@pytest.mark.parametrize(
    "frame",
    ["x" * 101, "é" * 51, "€" * 34, "\ud800" * 34, "😀" * 26, b"x" * 101],
    ids=["ascii", "two bytes", "three bytes", "surrogates", "four bytes", "binary"],
)
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_too_large_a_frame_closes_with_4413(frame, concurrency):
    chat = consumer(hello, limits={"frame_bytes": 100}, concurrency=concurrency)
    async with connect(chat.as_asgi()) as ws:
        await ws.send_frame(frame[:-1])
        assert (await ws.receive())["status"] in (400, 415)
        await ws.send_frame(frame)
        with pytest.raises(Refused) as caught:
            await ws.receive()
    assert caught.value.code == 4413


# Several at once.


async def test_with_concurrency_calls_run_beside_one_another_and_replies_tell_whose_they_are():
    gates = {}

    @action
    async def wait(self, name):
        await gates[name].wait()
        return [name, self.call.request_id, self.action, self.call.params["name"]]

    chat = consumer(wait, hello, concurrency=3)
    async with connect(chat.as_asgi()) as ws:
        for name in "abcd":
            gates[name] = asyncio.Event()
            await ws.send({"action": "wait", "name": name, "request_id": name})
        await ws.send({"action": "hello", "request_id": "e"})
        order = []
        for name in "cab":
            gates[name].set()
            reply = await ws.receive()
            order.append(reply["request_id"])
            if name == "c":
                # d took its place; e goes on as soon as there is another.
                assert reply["data"] == ["c", "c", "wait", "c"]
        order.append((await ws.receive())["request_id"])
        gates["d"].set()
        order.append((await ws.receive())["request_id"])
    assert sorted(order) == list("abcde")
    assert order[0] == "c"
    assert order[-1] == "d"


async def test_no_more_than_so_many_calls_run_at_once():
    gate, most = Gate(), 0

    @action
    async def act(self):
        nonlocal most
        await gate.action(self)
        most = max(most, gate.begun - gate.ended + 1)

    async with Socket(consumer(act, concurrency=3).as_asgi()) as socket:
        for number in range(10):
            socket.put(request("act", number))
        await socket.taken()
        await gate.until(lambda: gate.begun == 3)
        gate.open.set()
        await socket.get(10)
        answers = [of(message)["request_id"] for message in socket.sent[1:]]
    assert most == 3
    assert sorted(answers) == list(range(10))


async def test_the_call_is_the_right_one_on_consumer_and_handler_when_several_run():
    gate = asyncio.Event()

    class Child(AsyncAPIActionHandler):
        @action
        async def who(self, name):
            await gate.wait()
            return [self.kwargs, self.call.request_id, self.consumer.call.request_id, self.action]

    @action
    async def who(self, name):
        await gate.wait()
        return [self.call.request_id, self.action, self.call.params["name"]]

    def resolver(route, call):
        return Match(Child, kwargs={"route": route})

    found = plugin(aaah_route_resolver=lambda handler_class: resolver)
    with registry(collector(), found):
        async with connect(consumer(who, concurrency=4).as_asgi()) as ws:
            await ws.send({"action": "who", "name": "a", "request_id": 1})
            await ws.send({"action": "who", "name": "b", "request_id": 2, "route": "x"})
            await ws.send({"action": "who", "name": "c", "request_id": 3})
            await ws.send({"action": "who", "name": "d", "request_id": 4, "route": "y"})
            gate.set()
            answers = [await ws.receive() for _ in range(4)]
    assert {each["request_id"]: each["data"] for each in answers} == {
        1: [1, "who", "a"],
        2: [{"route": "x"}, 2, 2, "who"],
        3: [3, "who", "c"],
        4: [{"route": "y"}, 4, 4, "who"],
    }


async def test_a_client_that_leaves_ends_all_calls_that_run():
    gate = Gate()
    async with Socket(consumer(gate.action, concurrency=3).as_asgi()) as socket:
        for number in range(5):
            socket.put(request("wait", number))
        await gate.until(lambda: gate.begun == 3)
        socket.put({"type": "websocket.disconnect", "code": 1000})
        await socket.task
    assert (gate.begun, gate.cancelled, gate.ended) == (3, 3, 3)


async def test_a_call_that_swallows_a_cancel_is_cancelled_once_more_when_time_is_up(
    caplog, monkeypatch
):
    monkeypatch.setattr(cleanup, "CLEANUP", 0.05)
    begun, ended = asyncio.Event(), asyncio.Event()

    @action
    async def act(self):
        begun.set()
        try:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Socket(consumer(act, concurrency=2).as_asgi()) as socket:
        socket.put(request("act", 1))
        await begun.wait()
        socket.put({"type": "websocket.disconnect", "code": 1000})
        await socket.task
        async with asyncio.timeout(5):
            await ended.wait()
    assert "could not end its calls" in caplog.text


async def test_the_calls_have_cleaned_up_before_anything_else_is_left():
    log, begun = [], asyncio.Event()

    @asynccontextmanager
    async def context(consumer):
        yield
        log.append("context")

    @action
    async def act(self):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            log.append("action")

    async def disconnect(self, code):
        log.append("disconnect")

    chat = consumer(act, disconnect=disconnect, concurrency=2)
    with registry(collector(), plugin(aaah_connection=lambda: context)):
        async with Socket(chat.as_asgi()) as socket:
            socket.put(request("act", 1))
            await begun.wait()
    assert log == ["action", "context", "disconnect"]


async def test_each_of_several_calls_has_its_deadline(quick):
    gate = Gate()
    chat = consumer(gate.action, hello, concurrency=2, limits={"deadline": 0.01})
    async with connect(chat.as_asgi()) as ws:
        await ws.send({"action": "wait", "request_id": 1})
        await ws.send({"action": "wait", "request_id": 2})
        answers = [await ws.receive() for _ in range(2)]
        assert {each["status"] for each in answers} == {504}
        assert (await ws.call("hello"))["status"] == 200
    assert gate.cancelled == 2


async def test_a_sent_frame_that_fails_with_several_calls_ends_the_connection():
    def raises(message):
        if message["type"] == "websocket.send":
            raise OSError

    async with Socket(consumer(hello, concurrency=2).as_asgi()) as socket:
        await socket.get(0)
        socket.on_send = raises
        socket.put(request("hello", 1))
        socket.put(request("hello", 2))
    assert len(socket.sent) == 1


# Threads.


async def test_a_thread_that_outlives_its_deadline_counts_until_it_ends(quick):
    gate = Gate(sync=True)
    chat = consumer(gate.sync_action, hello, limits={"deadline": 0.2})
    async with Socket(chat.as_asgi()) as socket:
        socket.put(request("wait", 1))
        assert of(await socket.get(1))["status"] == 504
        socket.put(request("hello", 2))
        await socket.taken()
        await quick(2)
        assert (gate.ended, len(socket.sent)) == (0, 2)
        gate.open.set()
        assert of(await socket.get(2))["request_id"] == 2
        assert gate.ended == 1


async def test_it_counts_against_concurrency_and_the_others_go_on(quick):
    gate = Gate(sync=True)
    chat = consumer(gate.sync_action, hello, concurrency=2, limits={"deadline": 0.2})
    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("wait", request_id=1))["status"] == 504
        for number in range(2, 5):  # one at a time now
            assert (await ws.call("hello", request_id=number))["request_id"] == number
        assert gate.ended == 0
        gate.open.set()


async def test_a_client_may_leave_while_such_a_thread_runs(quick):
    gate = Gate(sync=True)
    chat = consumer(gate.sync_action, limits={"deadline": 0.2})
    async with Socket(chat.as_asgi()) as socket:
        socket.put(request("wait", 1))
        assert of(await socket.get(1))["status"] == 504
        socket.put({"type": "websocket.disconnect", "code": 1000})
        await socket.task
        assert gate.ended == 0
        gate.open.set()
        await gate.until(lambda: gate.ended)


async def test_a_server_may_stop_while_such_a_thread_runs(quick):
    gate = Gate(sync=True)
    chat = consumer(gate.sync_action, limits={"deadline": 0.2})
    async with Socket(chat.as_asgi()) as socket:
        socket.put(request("wait", 1))
        assert of(await socket.get(1))["status"] == 504
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
        gate.open.set()
        await gate.until(lambda: gate.ended)


async def test_a_thread_that_an_action_gave_up_counts_too(quick):
    gate = Gate(sync=True)
    wait = gate.sync_action

    @action
    async def act(self):
        waiting = asyncio.create_task(run_sync(wait, self))
        await gate.until(lambda: gate.begun)  # or it never would, and nothing counted
        waiting.cancel()
        await asyncio.wait([waiting])
        return "gave up"

    async with Socket(consumer(act, hello).as_asgi()) as socket:
        socket.put(request("act", 1))
        assert of(await socket.get(1))["data"] == "gave up"
        socket.put(request("hello", 2))
        await socket.taken()
        await quick(2)
        assert len(socket.sent) == 2
        gate.open.set()
        assert of(await socket.get(2))["request_id"] == 2


# What it costs.


async def test_an_idle_connection_in_no_group_has_one_task_and_a_call_makes_none(monkeypatch):
    made = []
    loop = asyncio.get_running_loop()
    create_task, call_later = loop.create_task, loop.call_later

    async with Socket(consumer(hello).as_asgi()) as socket:
        await socket.get(0)
        before = asyncio.all_tasks()
        assert socket.task in before

        def spy(coroutine, **options):
            made.append(coroutine)
            return create_task(coroutine, **options)

        def spy_later(delay, callback, *args, **options):
            if callback is not watchdog._look:
                made.append(callback)
            return call_later(delay, callback, *args, **options)

        monkeypatch.setattr(loop, "create_task", spy)
        monkeypatch.setattr(loop, "call_later", spy_later)
        socket._news.clear()
        socket.put(request("hello", 1))
        await socket._news.wait()
        monkeypatch.undo()
        assert asyncio.all_tasks() == before
    assert made == []
    assert len(before) == 2  # the connection's, and this test's


async def test_a_connection_is_as_idle_after_a_call_as_before_it(quick):
    async with Socket(consumer(hello).as_asgi()) as socket:
        await socket.get(0)
        before = asyncio.all_tasks()
        socket.put(request("hello", 1))
        await socket.get(1)
        await quick(4)
        assert asyncio.all_tasks() == before


async def test_many_connections_have_one_timer(monkeypatch):
    loop = asyncio.get_running_loop()
    timers = []
    call_later = loop.call_later

    def spy(delay, callback, *args, **options):
        if callback is watchdog._look:
            timers.append(delay)
        return call_later(delay, callback, *args, **options)

    monkeypatch.setattr(loop, "call_later", spy)
    application = consumer(hello).as_asgi()
    async with connect(application), connect(application), connect(application):
        assert timers == [watchdog.INTERVAL]
        assert len(watchdog._watched[loop]) == 3


async def test_the_watchdog_stops_when_nobody_is_left_and_begins_again(quick):
    loop = asyncio.get_running_loop()
    application = consumer(hello).as_asgi()
    async with connect(application):
        pass
    await quick(1)
    assert loop not in watchdog._watched
    async with connect(application) as ws:
        assert loop in watchdog._watched
        assert (await ws.call("hello"))["status"] == 200


async def test_one_that_cannot_be_looked_at_ends_nobodys_deadline(quick, caplog):
    class Wrong:
        def look(self, now):
            raise LookupError

    watchdog.watch(wrong := Wrong())
    gate = Gate()
    async with connect(consumer(gate.action, limits={"deadline": 0.01}).as_asgi()) as ws:
        assert (await ws.call("wait"))["status"] == 504
    watchdog.forget(wrong)
    assert "a connection cannot be looked at" in caplog.text


async def test_old_connections_of_the_async_orm_are_let_go_now_and_then_while_calls_run(
    quick, monkeypatch
):
    class Watched:
        worked = False

        def look(self, now):
            worked, self.worked = self.worked, False
            return worked

    closed = []

    async def close():
        closed.append(True)

    monkeypatch.setattr(watchdog, "LOOKS", 3)
    monkeypatch.setattr(watchdog, "close_old_async_connections", close)
    watchdog.watch(watched := Watched())
    await quick(5)
    assert closed == []
    watched.worked = True
    await quick(5)
    assert closed == [True]
    await quick(5)
    assert closed == [True]
    watchdog.forget(watched)


async def test_a_connection_tells_the_watchdog_whether_calls_ran():
    consumers = []

    @action
    async def act(self):
        consumers.append(self)

    async with connect(consumer(act).as_asgi()) as ws:
        await ws.call("act")
        [found] = consumers
        assert found._connection.look(0) is True
        assert found._connection.look(0) is False


# What a client, a server or an author does at a bad moment.


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("error", [SystemExit(3), BaseExceptionGroup("", [SystemExit(3)])])
async def test_an_action_that_exits_is_a_bug_and_ends_nothing(concurrency, sync, error):
    def leave(self):
        raise error

    async def aleave(self):
        raise error

    act = action(leave if sync else aleave, name="leave")
    chat = consumer(hello, leave=act, concurrency=concurrency)
    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("leave"))["status"] == 500
        assert (await ws.call("hello"))["status"] == 200


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_frame_that_was_on_its_way_when_we_closed_runs_nothing(concurrency):
    ran, closed = [], asyncio.Event()

    @action
    async def act(self):
        ran.append(1)

    async def kick(self, event):
        await self.close(4401)
        closed.set()

    chat = consumer(act, kick=kick, groups=["room"], concurrency=concurrency)
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        await get_channel_layer().group_send("room", {"type": "kick"})
        await closed.wait()
        socket.put(request("act", 1))
        await asyncio.wait([socket.task], timeout=5)
    assert ran == []


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_frame_over_the_bound_closes_during_a_call_too_and_is_not_decoded(
    quick, concurrency
):
    gate = Gate()
    chat = consumer(gate.action, limits={"frame_bytes": 100}, concurrency=concurrency)
    async with Socket(chat.as_asgi()) as socket:
        for number in range(concurrency):
            socket.put(request("wait", number))
        await gate.until(lambda: gate.begun == concurrency)
        socket.put("[" * 101)
        closing = await socket.get(1)
        assert closing == {"type": "websocket.close", "code": 4413}
        assert type(closing["code"]) is int  # daphne refuses a child of int


class Stuck(Socket):
    """A server whose client reads nothing after the accept."""

    async def _send(self, message):
        await super()._send(message)
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()


class Slow(Socket):
    """A server whose client begins to read when it is let."""

    async def __aenter__(self):
        self.reads = asyncio.Event()
        return await super().__aenter__()

    async def _send(self, message):
        await super()._send(message)
        if message["type"] == "websocket.send":
            await self.reads.wait()


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_reply_that_takes_longer_to_send_than_the_deadline_is_sent(quick, concurrency):
    chat = consumer(hello, concurrency=concurrency, limits={"deadline": 0.01})
    async with Slow(chat.as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("hello", 1))
        await socket.get(1)
        await quick(3)
        socket.reads.set()
        socket.put(request("hello", 2))
        assert of(await socket.get(2))["request_id"] == 2


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("event", [False, True])
async def test_a_client_that_does_not_read_is_given_up(quick, concurrency, event):
    gone = []

    async def disconnect(self, code):
        gone.append(code)

    limits = {"send_timeout": 0.01}
    chat = consumer(
        hello, limits=limits, concurrency=concurrency, disconnect=disconnect, groups=["room"]
    )
    async with Stuck(chat.as_asgi()) as socket:
        await socket.get(0)
        if event:
            await apublish("room", "news")
        else:
            socket.put(request("hello", 1))
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
    assert gone == [4429]


async def test_a_client_that_reads_is_not_given_up_however_long_it_says_nothing(quick):
    async with Socket(consumer(hello, limits={"send_timeout": 0.01}).as_asgi()) as socket:
        for number in range(1, 3):
            socket.put(request("hello", number))
            assert of(await socket.get(number))["status"] == 200
            await quick(3)


async def test_the_server_is_given_one_message_at_a_time(quick):
    gone = []

    class HalfStuck(Socket):
        async def _send(self, message):
            await super()._send(message)
            if len(self.sent) == 2:
                await asyncio.Event().wait()

    async def disconnect(self, code):
        gone.append(code)

    chat = consumer(hello, concurrency=3, disconnect=disconnect, limits={"send_timeout": 0.01})
    async with HalfStuck(chat.as_asgi()) as socket:
        socket.put(request("hello", 1))
        await socket.get(1)
        socket.put(request("hello", 2))
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
    assert len(socket.sent) == 2  # the second reply never overtook the first
    assert gone == [4429]


async def test_a_handshake_has_a_deadline():
    class Slow(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            await asyncio.Event().wait()

    async def never(self):
        await asyncio.Event().wait()

    for chat, code in (
        (consumer(hello, permission_classes=(Slow,)), 4403),
        (consumer(hello, connect=never), 4503),
    ):
        chat.limits = {"deadline": 0.01}
        with pytest.raises(Refused) as caught:
            async with connect(chat.as_asgi()):
                pass
        assert caught.value.code == code


async def test_a_group_joined_by_hand_is_left_when_disconnect_raises():
    async def by_hand(self):
        await self.channel_layer.group_add("by-hand", self.channel_name)
        await self.channel_layer.group_add("another", "somebody.elses")
        await self.channel_layer.group_discard("another", "somebody.elses")
        await self.accept()

    async def raises(self, code):
        raise LookupError

    async with connect(consumer(hello, connect=by_hand, disconnect=raises).as_asgi()):
        assert list(get_channel_layer().groups) == ["by-hand"]
    assert get_channel_layer().groups == {}


async def test_a_connection_is_in_its_groups_before_its_client_knows_of_it():
    members = []
    async with Socket(consumer(hello, groups=["room"]).as_asgi()) as socket:
        socket.on_send = lambda message: members.append(len(get_channel_layer().groups["room"]))
        await socket.get(0)
    assert members == [1]


async def test_what_cannot_be_sent_raises_into_the_action_that_sends_it():
    seen = []

    @action
    async def misuse(self):
        for attempt in (
            lambda: self.send(text_data=5),
            lambda: self.close(99999),
            lambda: self.close("4401"),
            self.accept,
        ):
            try:
                await attempt()
            except (TypeError, ValueError, RuntimeError) as error:
                seen.append(type(error))

    async with connect(consumer(misuse).as_asgi()) as ws:
        assert (await ws.call("misuse"))["status"] == 204
    assert seen == [TypeError, ValueError, ValueError, RuntimeError]


async def test_nothing_is_sent_before_accept(caplog):
    async def early(self):
        await self.send_json("hello")

    with pytest.raises(Refused):
        async with connect(consumer(hello, connect=early).as_asgi()):
            pass
    assert "before accept()" in caplog.text


async def test_an_event_without_a_method_waits_for_no_call():
    gate = Gate()
    chat = consumer(hello, gate.action, groups=["room"], concurrency=2)
    async with connect(chat.as_asgi()) as ws:
        await ws.send({"action": "wait"})
        await gate.until(lambda: gate.begun)
        await apublish("room", "news")
        assert (await ws.receive())["event"] == "news"
        assert (await ws.call("hello"))["status"] == 200
        gate.open.set()
        assert (await ws.receive())["data"] == "waited"


async def test_an_event_method_has_the_deadline_of_a_call(caplog):
    begun = asyncio.Event()

    async def hangs(self, event):
        begun.set()
        await asyncio.Event().wait()

    chat = consumer(hello, hangs=hangs, groups=["room"], limits={"deadline": 0.05})
    async with connect(chat.as_asgi()) as ws:
        await get_channel_layer().group_send("room", {"type": "hangs"})
        await begun.wait()
        assert (await ws.call("hello"))["status"] in (200, 503)
        assert (await ws.call("hello"))["status"] == 200
    assert "'hangs' failed" in caplog.text


async def test_stop_consumer_in_disconnect_is_no_error(caplog):
    async def disconnect(self, code):
        raise StopConsumer

    async with connect(consumer(hello, disconnect=disconnect).as_asgi()):
        pass
    assert caplog.text == ""
