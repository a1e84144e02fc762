"""The end of a connection: whoever ends it, and whatever runs, nothing stays behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from channels.layers import get_channel_layer

from aaah_core import cleanup
from aaah_core.testing import connect, registry
from tests.calls import Gate, hello, of, request
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")


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
