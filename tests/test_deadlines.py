"""What takes longer than it may is ended and answered 504, and nobody else is hurt."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from aaah_core import BasePermission, DeadlineExceeded, Reply, workers
from aaah_core.running import current_running
from aaah_core.testing import connect, registry
from tests.calls import SHORT, asked, forever, hello, raising, status_of
from tests.conftest import Socket, action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


async def test_an_action_over_its_deadline_is_cancelled_and_answered_504(quick):
    calls = []
    reply = await asked(consumer(hello, forever(calls), **SHORT), request_id=1)
    assert (reply["status"], reply["request_id"]) == (504, 1)
    assert reply["errors"][0]["code"] == "deadline_exceeded"
    assert "outcome is unknown" in reply["errors"][0]["detail"]
    assert calls == ["ended"]


async def test_a_sync_action_over_its_deadline_is_answered_504_while_its_thread_runs_on(quick):
    go_on, ended = threading.Event(), threading.Event()

    @action
    def act(self):
        go_on.wait(5)
        ended.set()

    async with connect(consumer(hello, act, **SHORT).as_asgi()) as ws:
        assert (await ws.call("act"))["status"] == 504
        assert not ended.is_set()
        go_on.set()
        assert (await ws.call("hello"))["status"] == 200
        assert ended.is_set()


async def test_an_action_that_turns_the_cancel_into_an_error_is_answered_504(quick):
    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError from None

    assert await status_of(consumer(hello, act, **SHORT)) == 504


async def test_an_action_that_swallows_the_cancel_is_answered_with_what_it_returned(quick):
    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"

    reply = await asked(consumer(hello, act, **SHORT))
    assert (reply["data"], reply["status"]) == ("late", 200)


async def test_an_action_may_await_while_it_cleans_up_after_its_deadline(quick):
    cleaned = []

    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        finally:
            await quick(3)
            cleaned.append(True)

    assert await status_of(consumer(hello, act, **SHORT)) == 504
    assert cleaned == [True]


async def test_after_its_deadline_a_task_is_as_if_nobody_had_cancelled_it(quick):
    """Or what a middleware does next, with a `TaskGroup` say, would be cancelled too."""
    counts = []

    async def middleware(call, call_next):
        reply = await call_next(call)
        counts.append((reply.status, asyncio.current_task().cancelling()))
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        assert await status_of(consumer(hello, forever(), **SHORT)) == 504
    assert counts == [(504, 0), (200, 0)]


async def test_an_action_with_a_timeout_of_its_own_is_its_own_matter(quick):
    @action
    async def act(self):
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "in time"

    chat = consumer(hello, act, limits={"deadline": 5})
    assert (await asked(chat))["data"] == "in time"


async def test_the_tasks_of_a_group_are_cancelled_with_their_action(quick):
    ended = []

    async def child():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    @action
    async def act(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            group.create_task(child())

    assert await status_of(consumer(hello, act, **SHORT)) == 504
    assert ended == [True, True]


async def waits_for_ever(call, call_next):
    if call.params.get("wait"):
        await asyncio.Event().wait()
    return await call_next(call)


@pytest.mark.parametrize("name", ["hello", "nothing"])
async def test_a_middleware_over_the_deadline_is_answered_504_on_every_way(quick, name):
    with registry(collector(), plugin(aaah_middleware=lambda: waits_for_ever)):
        assert await status_of(consumer(hello, **SHORT), name, wait=True) == 504


async def test_a_middleware_around_a_malformed_message_has_the_deadline_too(quick):
    async def middleware(call, call_next):
        if call.action is None:
            await asyncio.Event().wait()
        return await call_next(call)

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        async with connect(consumer(hello, **SHORT).as_asgi()) as ws:
            await ws.send_frame("{")
            assert (await ws.receive())["status"] == 504
            assert (await ws.call("hello"))["status"] == 200


async def test_a_resolver_over_the_deadline_is_answered_504(quick):
    async def resolver(route, call):
        await asyncio.Event().wait()

    with registry(collector(), plugin(aaah_route_resolver=lambda: resolver)):
        assert await status_of(consumer(hello, **SHORT), "hello", route="x") == 504


async def test_a_check_over_the_deadline_is_answered_504_and_the_action_does_not_run(quick):
    ran = []

    class Slow(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            if action == "act":
                await asyncio.Event().wait()
            return True

    @action
    async def act(self):
        ran.append(True)

    assert await status_of(consumer(hello, act, permission_classes=[Slow], **SHORT)) == 504
    assert ran == []


async def test_an_exception_handler_over_the_deadline_is_answered_504(quick):
    async def handler(call, error):
        await asyncio.Event().wait()

    chat = consumer(hello, raising(LookupError()), **SHORT)
    with registry(collector(), plugin(aaah_exception_handlers=lambda: {LookupError: handler})):
        assert await status_of(chat) == 504


async def test_a_deadline_may_be_handled_like_any_other_error(quick):
    def handler(call, error):
        return Reply("too slow", 408)

    late = plugin(aaah_exception_handlers=lambda: {DeadlineExceeded: handler})
    with registry(collector(), late):
        assert await status_of(consumer(hello, forever(), **SHORT)) == 408


async def test_an_action_that_awaits_a_cancelled_future_has_a_bug_and_no_more():
    @action
    async def act(self):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    assert await status_of(consumer(hello, act)) == 500


@pytest.mark.parametrize("beside_ours", [False, True])
async def test_a_cancel_of_the_servers_ends_the_connection_even_beside_ours(beside_ours):
    begun, gone, running = asyncio.Event(), [], []

    @action
    async def act(self):
        running.append(current_running.get())
        begun.set()
        await asyncio.Event().wait()

    async def disconnect(self, code):
        gone.append(code)

    chat = consumer(hello, act, disconnect=disconnect)
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        socket.put('{"action": "act"}')
        await begun.wait()
        if beside_ours:
            running[0].cancel("deadline")
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
    assert gone == [1006]
    assert len(socket.sent) == 1  # the accept


@pytest.mark.parametrize("raises", [False, True])
async def test_a_cancel_of_the_servers_that_an_action_swallows_ends_the_connection_after_it(raises):
    begun, gone = asyncio.Event(), []

    @action
    async def act(self):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if raises:
                raise ValueError from None
            return "stays"

    async def disconnect(self, code):
        gone.append(code)

    async with Socket(consumer(act, disconnect=disconnect).as_asgi()) as socket:
        await socket.get(0)
        socket.put('{"action": "act"}')
        await begun.wait()
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
    assert ('"status":500' if raises else "stays") in socket.sent[1]["text"]
    assert gone == [1006]


async def test_a_call_that_got_no_worker_in_time_never_began_and_says_so(quick, monkeypatch):
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(workers, "_pool", lambda: pool)
    free = threading.Event()
    pool.submit(free.wait, 5)
    ran = []

    @action
    def act(self):
        ran.append(True)

    try:
        async with connect(consumer(act, limits={"deadline": 0.01}).as_asgi()) as ws:
            reply = await ws.call("act")
            assert (reply["status"], reply["errors"][0]["code"]) == (503, "busy")
    finally:
        free.set()
        pool.shutdown()
    assert ran == []


async def test_an_action_does_not_begin_once_its_check_has_passed_the_deadline(quick):
    go_on, ran = threading.Event(), []

    class Slow(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            return go_on.wait(5)

    @action
    def act(self):
        ran.append(True)

    chat = consumer(act, permission_classes=(Slow,), limits={"deadline": 0.3})
    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("act"))["status"] == 504
        go_on.set()
    assert ran == []
