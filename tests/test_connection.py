"""One connection: its handshake, its calls, its end, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio

import pytest
from channels.exceptions import StopConsumer
from channels.layers import get_channel_layer

from aaah_core import BasePermission, apublish
from aaah_core.testing import Refused, connect
from tests.calls import Gate, hello, of, request
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")


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
