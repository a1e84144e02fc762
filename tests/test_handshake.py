"""Before accept: who is let in, in which codec, and what may come meanwhile."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
from asgiref.compatibility import guarantee_single_callable
from channels.exceptions import AcceptConnection, DenyConnection
from channels.layers import get_channel_layer

from aaah_core import BasePermission, IsAuthenticatedStrictly
from aaah_core.defaults.json import JSONCodec
from aaah_core.testing import Refused, connect, registry
from tests.calls import hello, of, request
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")


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
