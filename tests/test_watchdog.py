"""What a connection costs where nothing happens, and who looks at it."""

from __future__ import annotations

import asyncio

import pytest

from aaah_core import watchdog
from aaah_core.testing import connect
from tests.calls import Gate, hello, request
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")


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
