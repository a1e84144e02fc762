"""Several calls of one connection at once, and the threads that outlive theirs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from aaah_core import AsyncAPIActionHandler, Match, cleanup, run_sync
from aaah_core.testing import connect, registry
from tests.calls import Gate, hello, of, request
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")

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
