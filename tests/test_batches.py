"""Batches, for wires that have them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aaah_core import MISSING, Call, ValidationError
from aaah_core.testing import connect, registry
from tests.calls import SHORT, forever, hello, raising, returning
from tests.conftest import action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


def batching():
    """Return the plugin of a wire that knows lists of requests."""

    def parse(payload):
        if isinstance(payload, list):
            return [one(each) for each in payload]
        return one(payload)

    def one(each):
        if not isinstance(each, dict):
            return ValidationError("No request.", call=Call(None, None, request_id=0))
        call = Call(each["action"], params=each, request_id=each.get("id", MISSING))
        call.wants_reply = "id" in each
        return call

    def shape(call, reply):
        return {"id": call.request_id or None, "status": reply.status, "data": reply.data}

    def mine(answer):
        return lambda consumer_class: answer if consumer_class.wire == "batch" else None

    return plugin(aaah_request_parser=mine(parse), aaah_response_shaper=mine(shape))


async def replies(chat, *requests):
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send(list(requests))
            return await ws.receive()


async def test_each_call_of_a_batch_is_answered_in_one_frame():
    chat = consumer(hello, returning(object()), raising(ValueError()), wire="batch")
    chat.bad = action(name="bad")(returning(object()))
    answers = await replies(
        chat,
        {"action": "hello", "id": 1},
        {"action": "hello"},
        {"action": "act", "id": 2},
        7,
        {"action": "nothing", "id": 3},
        {"action": "bad", "id": 4},
    )
    assert [(each["id"], each["status"]) for each in answers] == [
        (1, 200),
        (2, 500),
        (None, 400),
        (3, 405),
        (4, 500),
    ]


async def test_a_batch_that_the_inbox_does_not_hold_is_refused_call_by_call(quick):
    begun, go_on = asyncio.Event(), asyncio.Event()

    @action
    async def act(self):
        begun.set()
        await go_on.wait()

    chat = consumer(hello, act, wire="batch", limits={"inbox": 1})
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send({"action": "act", "id": 1})
            await begun.wait()
            await ws.send({"action": "hello", "id": 2})
            await ws.send([{"action": "hello", "id": 3}, 7, {"action": "hello"}])
            refusals = await ws.receive()
            go_on.set()
            statuses = [(await ws.receive())["status"] for _ in range(2)]
    assert [(each["id"], each["status"]) for each in refusals] == [(3, 503), (None, 400)]
    assert statuses == [204, 200]


async def test_a_batch_that_wants_no_reply_gets_none():
    with registry(collector(), batching()):
        async with connect(consumer(hello, wire="batch").as_asgi()) as ws:
            await ws.send([{"action": "hello"}, {"action": "nothing"}])
            await ws.send({"action": "hello", "id": 1})
            assert (await ws.receive())["id"] == 1


async def test_each_call_of_a_batch_has_its_own_deadline(quick):
    chat = consumer(hello, forever(), wire="batch", **SHORT)
    answers = await replies(
        chat,
        {"action": "act", "id": 1},
        {"action": "nothing", "id": 2},
        {"action": "hello", "id": 3},
    )
    assert [each["status"] for each in answers] == [504, 405, 200]


async def test_a_batch_of_too_many_calls_is_one_413_and_none_of_them_runs():
    ran = []

    @action
    async def act(self):
        ran.append(True)

    chat = consumer(act, wire="batch", limits={"batch": 3})
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send([{"action": "act", "id": number} for number in range(1, 5)])
            assert (await ws.receive())["status"] == 413
            assert ran == []
            await ws.send([{"action": "act", "id": number} for number in range(1, 4)])
            assert [each["status"] for each in await ws.receive()] == [204] * 3
    assert len(ran) == 3


async def test_calls_of_a_batch_whose_replies_are_too_large_together_do_not_run():
    ran = []

    @action
    async def act(self):
        ran.append(True)
        return "x" * 400

    chat = consumer(act, wire="batch", limits={"outbox_bytes": 500})
    answers = await replies(chat, *({"action": "act", "id": number} for number in range(1, 5)), 7)
    assert [each["status"] for each in answers] == [200, 200, 413, 413, 400]
    assert len(ran) == 2


async def test_a_thread_that_outlives_a_call_of_a_batch_runs_beside_no_other(quick):
    go_on, log = threading.Event(), []

    @action(sync=True)
    def wait(self):
        go_on.wait(10)
        log.append("ended")

    @action
    async def after(self):
        log.append("after")

    chat = consumer(wait, after, wire="batch", limits={"deadline": 0.05})
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send([{"action": "wait", "id": 1}, {"action": "after", "id": 2}])
            await quick(10)  # by then it is over its deadline
            go_on.set()
            assert [each["status"] for each in await ws.receive()] == [504, 204]
    assert log == ["ended", "after"]


async def test_a_reply_that_is_too_deep_only_within_its_batch_costs_the_others_nothing():
    @action
    async def act(self):
        nested = []
        for _ in range(98):
            nested = [nested]
        return nested

    answers = await replies(
        consumer(hello, act, wire="batch"),
        {"action": "act", "id": 1},
        {"action": "hello", "id": 2},
    )
    assert [(each["id"], each["status"]) for each in answers] == [(1, 500), (2, 200)]
