"""How many messages a second a client may send, and what becomes of more."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_core import RequestError
from aaah_core.defaults.wire import parse, shape
from aaah_core.rate import Bucket
from aaah_core.testing import Refused, connect, registry
from tests.calls import hello, of, request
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


# The bucket.


waits = st.lists(st.floats(0, 100), max_size=50)
rates = st.floats(0.01, 1_000)
sizes = st.integers(1, 50)


@settings(deadline=None)
@given(rates, sizes, waits)
def test_no_more_are_served_than_the_bucket_held_and_what_came_back(rate, size, pauses):
    bucket, now, served = Bucket(rate, size, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        served += bucket.take(now) == 0
    assert served <= size + rate * now + 1e-6


@settings(deadline=None)
@given(rates, sizes, st.integers(0, 100))
def test_a_client_that_waits_as_it_was_told_is_served(rate, size, refused):
    bucket = Bucket(rate, size, 0.0)
    for _ in range(size + refused):
        bucket.take(0.0)
    wait = bucket.take(0.0)
    assert wait > 0
    assert bucket.take(wait * (1 + 1e-9)) == 0


@settings(deadline=None)
@given(rates, sizes)
def test_a_client_that_keeps_to_the_rate_is_never_refused(rate, size):
    bucket = Bucket(rate, size, 0.0)
    assert {bucket.take(number / rate * (1 + 1e-9)) for number in range(100)} == {0}


def test_what_is_refused_is_owed_and_at_a_whole_bucket_too_much_is():
    bucket = Bucket(1, 2, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0, 0, 2, 3]
    assert not bucket.overdrawn
    bucket.take(0.0)
    assert bucket.overdrawn


# A connection.


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_message_beyond_the_rate_is_429_and_who_goes_on_is_closed_with_4429(concurrency):
    ran = []

    @action
    async def act(self):
        ran.append(True)

    limits = {"rate": 0.001, "burst": 2}
    async with connect(consumer(act, limits=limits, concurrency=concurrency).as_asgi()) as ws:
        assert [(await ws.call("act"))["status"] for _ in range(2)] == [204, 204]
        reply = await ws.call("act", request_id=3)
        assert (reply["status"], reply["request_id"], reply["data"]) == (429, 3, None)
        (error,) = reply["errors"]
        assert error["code"] == "throttled"
        assert 1_900 < error["retry_after"] <= 2_000
        assert (await ws.call("act"))["status"] == 429
        with pytest.raises(Refused) as caught:
            await ws.call("act")
    assert caught.value.code == 4429
    assert len(ran) == 2


async def test_a_rate_holds_during_a_slow_call_too_and_the_call_goes_on(quick):
    go_on = asyncio.Event()

    @action
    async def wait(self):
        await go_on.wait()
        return "waited"

    async with Socket(
        consumer(wait, hello, limits={"rate": 0.001, "burst": 2}).as_asgi()
    ) as socket:
        for name in ("wait", "hello", "hello"):
            socket.put(request(name, name))
        assert of(await socket.get(1))["status"] == 429
        go_on.set()
        await socket.get(3)
    assert [of(message)["data"] for message in socket.sent[2:4]] == ["waited", "hello"]


async def test_what_cannot_be_read_takes_a_token_too_and_is_answered_as_such():
    async with connect(consumer(hello, limits={"rate": 0.001, "burst": 2}).as_asgi()) as ws:
        for status in (400, 400, 400, 400):
            await ws.send_frame("{")
            assert (await ws.receive())["status"] == status
        await ws.send_frame("{")
        with pytest.raises(Refused) as caught:
            await ws.receive()
    assert caught.value.code == 4429


async def test_too_large_a_frame_is_not_read_for_an_answer():
    limits = {"rate": 0.001, "burst": 1, "frame_bytes": 100}
    async with connect(consumer(hello, limits=limits).as_asgi()) as ws:
        await ws.call("hello")
        await ws.send_frame("[" * 101)
        with pytest.raises(Refused) as caught:
            await ws.receive()
    assert caught.value.code == 4413


async def test_a_message_before_accept_takes_no_token():
    accept = asyncio.Event()

    async def connect(self):
        await accept.wait()
        await self.accept()

    chat = consumer(hello, connect=connect, limits={"rate": 0.001, "burst": 1})
    async with Socket(chat.as_asgi()) as socket:
        accept.set()
        await socket.get(0)
        socket.put(request("hello", 1))
        assert of(await socket.get(1))["status"] == 200


async def test_a_refusal_passes_the_consumers_middleware_once_and_may_fail_there(caplog):
    seen = []

    async def middleware(call, call_next):
        reply = await call_next(call)
        seen.append((call.action, reply.status))
        if reply.status == 429:
            raise LookupError("secret")
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda action: middleware)):
        async with connect(consumer(hello, limits={"rate": 0.001, "burst": 1}).as_asgi()) as ws:
            assert (await ws.call("hello"))["status"] == 200
            assert (await ws.call("hello"))["status"] == 500
    assert seen == [("hello", 200), ("hello", 429)]
    assert "LookupError" in caplog.text


async def test_without_a_rate_nothing_stands_between_a_connection_and_its_server():
    found = []

    @action
    async def look(self):
        found.append(self._connection.transport.next)

    for limits in ({}, {"rate": 1_000}):
        async with Socket(consumer(look, limits=limits).as_asgi()) as socket:
            socket.put(request("look", 1))
            await socket.get(1)
            found.append(socket._receive)
    assert found[0] == found[1]
    assert found[2] != found[3]


# A refusal that cannot be said.


@pytest.mark.parametrize("limits", [{"rate": 0.001, "burst": 1}, {"inbox": 1}])
async def test_a_refusal_that_nobody_can_shape_closes_with_4503(quick, limits, caplog):
    go_on = asyncio.Event()

    @action
    async def wait(self):
        await go_on.wait()

    def fails(call, reply):
        if reply.status in (429, 503, 500):
            raise RequestError
        return shape(call, reply)

    def mine(answer):
        return lambda consumer_class: answer if consumer_class.wire == "own" else None

    own = plugin(aaah_request_parser=mine(parse), aaah_response_shaper=mine(fails))
    with registry(collector(), own):
        async with Socket(consumer(wait, wire="own", limits=limits).as_asgi()) as socket:
            for number in range(3):
                socket.put(request("wait", number))
            assert await socket.get(1) == {"type": "websocket.close", "code": 4503}
            go_on.set()
    assert "Chat cannot refuse a message" in caplog.text


async def test_a_refusal_that_takes_longer_than_a_call_may_closes_with_4503(caplog):
    async def middleware(call, call_next):
        reply = await call_next(call)
        if reply.status == 429:
            await asyncio.Event().wait()
        return reply

    limits = {"rate": 0.001, "burst": 1, "deadline": 0.02}
    with registry(collector(), plugin(aaah_middleware=lambda action: middleware)):
        async with connect(consumer(hello, limits=limits).as_asgi()) as ws:
            assert (await ws.call("hello"))["status"] == 200
            with pytest.raises(Refused) as caught:
                await ws.call("hello")
    assert caught.value.code == 4503
