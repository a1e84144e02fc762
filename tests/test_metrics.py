"""What the core says of a process: it looks when it is asked, and counts what happens seldom."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aaah_core import CloseCode, apublish, measure
from aaah_core.counters import count, counted
from aaah_core.testing import connect
from tests.calls import hello, request
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture
def grown():
    """Return how often something was counted since the test began."""
    kinds = ("accepted", "refused", "closed", "overloads", "events")
    before = {kind: counted(kind) for kind in kinds}
    return lambda kind, label: counted(kind).get(label, 0) - before[kind].get(label, 0)


NAME = "tests.conftest.Chat"


async def test_open_connections_are_seen_and_those_that_came_are_counted(grown):
    chat = consumer(hello, groups=["room", "hall"]).as_asgi()
    async with connect(chat), connect(chat) as client:
        await client.call("hello")
        found = measure()
        assert found.connections[NAME] == 2
        assert found.memberships == 4
        assert not found.leaving
    assert measure().connections[NAME] == 0
    assert grown("accepted", NAME) == 2


@pytest.mark.parametrize(
    ("code", "label"), [(1000, "1000"), (1006, "1006"), (4999, "other"), (3123, "other")]
)
async def test_an_end_is_counted_by_code_and_a_client_adds_none(code, label, grown):
    async with Socket(consumer().as_asgi()) as socket:
        await socket.get(0)
        socket.put({"type": "websocket.disconnect", "code": code})
        await asyncio.wait([socket.task], timeout=5)
    assert grown("closed", label) == 1


async def test_each_code_of_ours_is_counted_on_its_own(grown):
    for code in CloseCode:

        async def connects(self, code=code):
            await self.accept()
            await self.close(int(code))

        async with Socket(consumer(connect=connects).as_asgi()) as socket:
            await asyncio.wait([socket.task], timeout=5)
        assert grown("closed", str(int(code))) == 1


async def denies(self):
    await self.close()


@pytest.mark.parametrize(
    ("attributes", "scope", "reason"),
    [
        ({"limits": {"connections": 1}}, {}, "connections"),
        ({}, {"subprotocols": ["aaah.none"]}, "codec"),
        ({"connect": denies}, {}, "consumer"),
    ],
)
async def test_a_refusal_is_counted_by_reason(attributes, scope, reason, grown):
    async with connect(consumer().as_asgi()):
        async with Socket(consumer(**attributes).as_asgi(), **scope) as socket:
            assert (await socket.get(0))["type"] == "websocket.close"
        assert grown("refused", reason) == 1
    assert grown("accepted", NAME) == 1


async def test_what_waits_is_seen_in_all_and_at_most(quick):
    go_on = asyncio.Event()

    @action
    async def wait(self):
        await go_on.wait()

    chat = consumer(wait, hello).as_asgi()
    async with Socket(chat) as one, Socket(chat) as other:
        for socket, more in ((one, 2), (other, 5)):
            await socket.get(0)
            socket.put(request("wait", 0))
            for number in range(more):
                socket.put(request("hello", number))
        await one.taken()
        await other.taken()
        await quick(3)
        assert (measure().inboxes.messages, measure().inboxes.longest) == (7, 5)
        go_on.set()
        await one.get(3)
        await other.get(6)
        assert (measure().inboxes.messages, measure().inboxes.longest) == (0, 0)


async def test_calls_beyond_a_bound_are_counted_by_it(quick, grown):
    go_on = asyncio.Event()

    @action
    async def wait(self):
        await go_on.wait()

    async with Socket(consumer(wait, limits={"inbox": 1}).as_asgi()) as socket:
        await socket.get(0)
        for number in range(3):
            socket.put(request("wait", number))
        await socket.get(1)
        assert grown("overloads", "inbox") == 1
        go_on.set()
    async with connect(consumer(hello, limits={"rate": 0.1, "burst": 1}).as_asgi()) as client:
        for _ in range(2):
            await client.call("hello")
    assert grown("overloads", "rate") == 1


async def test_events_are_counted_where_they_begin_and_for_each_who_gets_them(grown):
    chat = consumer(groups=["room"]).as_asgi()
    async with connect(chat) as one, connect(chat) as other:
        await apublish("room", "news", 1)
        await one.receive()
        await other.receive()
        assert grown("events", "published") == 1
        assert grown("events", "delivered") == 2


class Slow(Socket):
    """A socket whose server takes nothing but the accept for a while."""

    async def _send(self, message):
        if message["type"] == "websocket.send":
            await self.reads.wait()
        await super()._send(message)


async def test_what_waits_to_be_sent_is_seen_and_who_lags_behind_is_counted(grown):
    async with Slow(consumer(groups=["room"], limits={"outbox": 3}).as_asgi()) as socket:
        socket.reads = asyncio.Event()
        await socket.get(0)
        async with connect(consumer(groups=["room"]).as_asgi()) as other:
            for number in range(4):
                await apublish("room", "news", number)
                await other.receive()
            assert (measure().outboxes.messages, measure().outboxes.longest) == (3, 3)
            assert grown("overloads", "outbox") == 0
            await apublish("room", "news", 4)
            await other.receive()
        assert grown("overloads", "outbox") == 1
        socket.reads.set()
        assert await socket.get(2) == {"type": "websocket.close", "code": 4429}


async def test_the_threads_for_sync_code_are_seen(grown):
    go_on, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    @action
    def work(self):
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(5)

    async with connect(consumer(work).as_asgi()) as client:
        await client.send({"action": "work"})
        await begun.wait()
        assert (measure().workers.size, measure().workers.busy) == (16, 1)
        go_on.set()
        await client.receive()
    assert measure().workers.waiting == 0


async def test_any_thread_may_ask_while_connections_come_and_go():
    stop, wrong = threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                measure()
            except Exception as error:  # noqa: BLE001 - that is the question
                wrong.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    chat = consumer(hello, groups=["room"]).as_asgi()
    try:
        for _ in range(50):
            async with connect(chat), connect(chat) as client:
                await client.call("hello")
    finally:
        stop.set()
        thread.join()
    assert wrong == []


def test_counting_loses_nothing_between_threads(grown):
    threads = [
        threading.Thread(target=lambda: [count("events", "published") for _ in range(2_000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grown("events", "published") == 8_000
