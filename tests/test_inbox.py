"""What a client sends while a call runs."""

from __future__ import annotations

import asyncio
import json

import pytest

from aaah_core.testing import registry
from tests.calls import Gate, hello, of, request
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")


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


@pytest.mark.parametrize("frame", [request("hello", 1), request("nothing", 1), "rubbish"])
async def test_a_client_whose_messages_are_all_there_lets_others_have_their_turn(frame):
    frames, sent, turns = [{"type": "websocket.receive", "text": frame}] * 1_000, [], []
    incoming = [{"type": "websocket.disconnect", "code": 1000}, *frames]
    incoming.append({"type": "websocket.connect"})

    async def receive():  # as a server's queue: it waits for nothing while there is something
        return incoming.pop()

    async def send(message):
        sent.append(message["type"])

    async def another():
        while incoming:
            turns.append(len(sent))
            await asyncio.sleep(0)

    running = asyncio.create_task(another())
    limits = {"bad_messages": 1_000}
    await consumer(hello, limits=limits).as_asgi()({"type": "websocket"}, receive, send)
    await running
    assert len(sent) == 1_001
    assert len(turns) >= 10


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_quick_calls_that_are_all_there_are_answered_however_small_the_inbox(concurrency):
    incoming = [{"type": "websocket.receive", "text": request("hello", n)} for n in range(100)]
    incoming.append({"type": "websocket.connect"})
    statuses, answered = [], asyncio.Event()

    async def receive():  # as above
        if incoming:
            return incoming.pop()
        await answered.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message):
        if message["type"] == "websocket.send":
            statuses.append(of(message)["status"])
            if len(statuses) == 100:
                answered.set()

    chat = consumer(hello, concurrency=concurrency, limits={"inbox": 10})
    await chat.as_asgi()({"type": "websocket"}, receive, send)
    assert statuses == [200] * 100
