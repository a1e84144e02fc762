"""Connections that are old or idle: they end, and what runs is answered first."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aaah_core import outbox, watchdog
from aaah_core.limits import Limits
from aaah_core.testing import Refused, connect
from tests.calls import hello, of, request
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core")


def noting(found, **attributes):
    """Return attributes of a consumer whose connection `found` is to have."""

    async def connect(self):
        found.append(self._connection)
        await self.accept()

    return {"connect": connect, **attributes}


def time():
    return asyncio.get_running_loop().time()


CLOSED = {"type": "websocket.close", "code": 4503}


async def test_an_old_connection_is_closed_with_4503_and_cleaned_up(quick):
    gone = []

    async def disconnect(self, code):
        gone.append(code)

    async with Socket(consumer(limits={"age": 0.01}, disconnect=disconnect).as_asgi()) as socket:
        assert await socket.get(1) == CLOSED
        assert type(socket.sent[1]["code"]) is int  # daphne refuses a child of int
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
        assert socket.task.exception() is None
    assert gone == [4503]
    assert len(socket.sent) == 2


async def test_an_age_is_at_random_a_tenth_more_or_less(core):
    found = []
    chat = consumer(**noting(found)).as_asgi()
    before = time()
    for _ in range(20):
        async with connect(chat):
            pass
    ages = [each._until - before for each in found]
    assert len(set(ages)) > 10
    assert min(ages) >= 0.9 * Limits().age
    assert max(ages) - (time() - before) <= 1.1 * Limits().age


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_what_came_before_is_answered_and_what_comes_after_refused(quick, concurrency):
    go_on, found = asyncio.Event(), []

    @action
    async def wait(self):
        await go_on.wait()
        return "waited"

    chat = consumer(wait, hello, concurrency=concurrency, **noting(found))
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        [connection] = found
        for number in range(concurrency):
            socket.put(request("wait", number))
        socket.put(request("hello", "waits"))
        await socket.taken()
        await quick(2)
        connection._until = time()
        await quick(2)
        # Whoever read when the connection grew old reads this one too; it waits, and does not run.
        socket.put(request("hello", "read"))
        await socket.taken()
        socket.put(request("hello", "late"))
        late = of(await socket.get(1))
        assert (late["request_id"], late["status"]) == ("late", 503)
        await quick(3)
        assert len(socket.sent) == 2
        go_on.set()
        assert await socket.get(4 + concurrency) == CLOSED
    answered = [of(message) for message in socket.sent[2:-1]]
    assert [(each["request_id"], each["status"]) for each in answered] == [
        *((number, 200) for number in range(concurrency)),
        ("waits", 200),
        ("read", 503),
    ]


async def test_a_client_that_never_pauses_cannot_outlive_its_age(quick):
    async with Socket(consumer(hello, limits={"age": 0.05}).as_asgi()) as socket:
        soon = asyncio.get_running_loop().call_soon  # a socket lets others run between frames
        socket.on_send = lambda message: soon(socket.put, request("hello", 1))
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
    assert socket.sent[-1] == CLOSED
    assert {of(message)["status"] for message in socket.sent[1:-1]} <= {200, 503}


async def test_a_client_that_floods_at_its_end_is_closed_as_one_that_floods(quick):
    found, go_on = [], asyncio.Event()

    @action
    async def wait(self):
        await go_on.wait()

    chat = consumer(wait, limits={"inbox": 2}, **noting(found))
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("wait", 0))
        await quick(3)
        found[0]._until = time()
        await quick(2)
        for number in range(1, 5):
            socket.put(request("wait", number))
        assert await socket.get(3) == {"type": "websocket.close", "code": 4429}
        go_on.set()


async def test_a_thread_that_outlives_its_deadline_keeps_no_connection_open(quick, monkeypatch):
    monkeypatch.setattr("aaah_core.cleanup.CLEANUP", 0.05)
    found, go_on = [], threading.Event()

    @action
    def wait(self):
        go_on.wait(10)

    chat = consumer(wait, limits={"deadline": 0.05}, **noting(found))
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("wait", 0))
        assert of(await socket.get(1))["status"] == 504
        found[0]._until = time()
        assert await socket.get(2) == CLOSED
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
        go_on.set()


async def test_without_an_age_a_connection_lasts(core):
    found = []
    async with connect(consumer(hello, limits={"age": None}, **noting(found)).as_asgi()) as ws:
        found[0].look(time() + 1e9)
        assert (await ws.call("hello"))["status"] == 200


async def test_a_client_that_does_not_take_its_close_holds_nothing_up(quick, monkeypatch):
    monkeypatch.setattr(outbox, "GOODBYE", 0.01)

    class Stuck(Socket):
        async def _send(self, message):
            await super()._send(message)
            if message["type"] == "websocket.close":
                await asyncio.Event().wait()

    async with Stuck(consumer(limits={"age": 0.01}).as_asgi()) as socket:
        await socket.get(1)
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
        assert socket.task.exception() is None


async def test_a_client_that_leaves_first_is_sent_no_close(core):
    found = []
    async with Socket(consumer(**noting(found)).as_asgi()) as socket:
        await socket.get(0)
        socket.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait([socket.task], timeout=5)
        found[0]._retire(time())
    assert len(socket.sent) == 1


# Idle.


async def test_who_says_nothing_for_too_long_is_closed_with_4503(quick):
    async with Socket(consumer(limits={"idle": 0.01}).as_asgi()) as socket:
        assert await socket.get(1) == CLOSED


async def test_a_message_or_a_call_that_runs_is_no_silence(core):
    found, go_on, begun = [], asyncio.Event(), asyncio.Event()

    @action
    async def wait(self):
        begun.set()
        await go_on.wait()

    async with connect(
        consumer(hello, wait, limits={"idle": 60, "deadline": 1e6}, **noting(found)).as_asgi()
    ) as ws:
        [connection] = found
        watchdog.forget(connection)  # only this test looks
        now = time()
        connection.look(now + 50)
        await ws.call("hello")
        connection.look(now + 100)  # it has heard something since the last look
        connection.look(now + 150)
        assert (await ws.call("hello"))["status"] == 200
        connection.look(now + 151)
        await ws.send({"action": "wait"})
        await begun.wait()
        connection.look(now + 152)
        connection.look(now + 500)  # still running
        go_on.set()
        assert (await ws.receive())["status"] == 204
        connection.look(now + 559)
        assert connection.transport.ended is None
        connection.look(now + 560)
        with pytest.raises(Refused) as caught:
            await ws.receive()
    assert caught.value.code == 4503


async def test_by_default_nobody_has_to_say_anything(core):
    found = []
    async with connect(consumer(hello, **noting(found)).as_asgi()) as ws:
        found[0].look(time() + 0.8 * Limits().age)
        assert (await ws.call("hello"))["status"] == 200
