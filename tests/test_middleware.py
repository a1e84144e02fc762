"""Middleware: what it sees of each call, what it may do, and what is wrong of it."""

from __future__ import annotations

import asyncio
import copy

import pytest
from django.urls import path

from aaah_core import AsyncAPIActionHandler, BasePermission, PermissionDenied, Reply
from aaah_core.testing import connect, registry
from tests.calls import asked, hello, raising, returning, status_of
from tests.conftest import action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


class Recorder:
    """Middleware that notes what passes."""

    def __init__(self, name="m", log=None):
        self.name = name
        self.log = [] if log is None else log

    def plugin(self):
        return plugin(aaah_middleware=lambda handler_class, action: self.around(action))

    def around(self, action):
        async def middleware(call, call_next):
            self.log.append((self.name, "in", action and action.name))
            reply = await call_next(call)
            self.log.append((self.name, "out", reply.status))
            return reply

        return middleware


async def test_middleware_is_outermost_first_in_the_order_of_plugins():
    log = []
    first, second = Recorder("first", log), Recorder("second", log)
    with registry(collector(), first.plugin(), second.plugin()):
        async with connect(consumer(hello).as_asgi()) as ws:
            await ws.call("hello")
    assert log == [
        ("first", "in", "hello"),
        ("second", "in", "hello"),
        ("second", "out", 200),
        ("first", "out", 200),
    ]


class Deaf(AsyncAPIActionHandler):
    pass


class Refusing(BasePermission):
    async def has_permission(self, scope, handler, action, **kwargs):
        return action == "hello"


@pytest.mark.parametrize(
    ("frame", "name", "status"),
    [
        ('{"action": "act"}', "act", 403),
        ('{"action": "hello", "route": "x/"}', None, 404),
        ('{"action": "nothing"}', None, 405),
        ('{"action": "hello", "a": 1, "b": 2, "c": 3}', None, 413),
        (b"\x80", None, 415),
        ("{", None, 400),
        ("[]", None, 400),
        ("{}", None, 400),
        ('{"action": "hello", "request_id": []}', None, 400),
    ],
)
async def test_each_outcome_passes_middleware_as_a_reply_exactly_once(frame, name, status):
    recorder = Recorder()
    chat = consumer(
        hello,
        returning(1),
        permission_classes=[Refusing],
        routepatterns=[path("deaf/", Deaf.as_aaah())],
        limits={"parameters": 2},
    )
    with registry(collector(), recorder.plugin()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send_frame(frame)
            assert (await ws.receive())["status"] == status
    assert recorder.log == [("m", "in", name), ("m", "out", status)]


async def test_a_bug_and_its_exception_are_seen_by_middleware_and_not_by_the_client():
    seen = []

    async def middleware(call, call_next):
        reply = await call_next(call)
        seen.append((reply.status, type(reply.exception)))
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        chat = consumer(hello, raising(ValueError("secret")))
        async with connect(chat.as_asgi()) as ws:
            assert "secret" not in str(await ws.call("act"))
            await ws.call("nothing")
    assert seen[0] == (500, ValueError)
    assert seen[1][0] == 405


async def test_who_rejects_is_the_consumer_also_where_a_handler_lacks_the_action():
    seen = []

    async def middleware(call, call_next):
        seen.append(call.handler is call.consumer)
        return await call_next(call)

    chat = consumer(hello, routepatterns=[path("deaf/", Deaf.as_aaah())])
    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        assert await status_of(chat, "hello", route="deaf/") == 405
    assert seen == [True, True]


async def test_a_middleware_may_run_the_rest_in_a_task_of_its_own():
    async def middleware(call, call_next):
        return await asyncio.create_task(call_next(call))

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        assert await status_of(consumer(hello, raising(ValueError()))) == 500
        assert await status_of(consumer(hello, returning(1))) == 200


async def test_a_bug_of_a_resolver_passes_the_consumers_middleware_too():
    recorder = Recorder()

    def resolver(route, call):
        raise LookupError("secret")

    finds = plugin(aaah_route_resolver=lambda handler_class: resolver)
    with registry(collector(), recorder.plugin(), finds):
        reply = await asked(consumer(hello), "hello", route="x", request_id=3)
    assert (reply["status"], reply["request_id"]) == (500, 3)
    assert recorder.log[:2] == [("m", "in", None), ("m", "out", 500)]


async def test_a_middleware_may_answer_by_itself_and_change_what_goes_on():
    async def middleware(call, call_next):
        if call.params.get("stop"):
            return Reply("stopped", 202)
        call.state["mark"] = 1
        reply = await call_next(call)
        reply.data = [reply.data, call.state]
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        async with connect(consumer(hello).as_asgi()) as ws:
            assert (await ws.call("hello", stop=True))["data"] == "stopped"
            assert (await ws.call("hello"))["data"] == ["hello", {"mark": 1}]


async def returns_nonsense(call, call_next):
    return {"status": 200}


async def returns_nothing(call, call_next):
    await call_next(call)


async def raises(call, call_next):
    raise LookupError("secret")


async def cancels_itself(call, call_next):
    raise asyncio.CancelledError("secret")


def plain(call, call_next):
    return Reply("not awaited")


@pytest.mark.parametrize(
    "middleware", [returns_nonsense, returns_nothing, raises, cancels_itself, plain]
)
@pytest.mark.parametrize("frame", ['{"action": "hello"}', "{", '{"action": "nothing"}'])
async def test_a_middleware_that_is_wrong_is_a_500_on_every_way(middleware, frame):
    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        async with connect(consumer(hello).as_asgi()) as ws:
            for _ in range(2):
                await ws.send_frame(frame)
                reply = await ws.receive()
                assert (reply["status"], reply["errors"][0]["code"]) == (500, "server_error")
                assert "secret" not in str(reply)


# That does more than to look on.


async def test_a_middleware_may_pass_on_a_copy_of_the_call():
    async def copies(call, call_next):
        mine = copy.copy(call)
        mine.state = {"seen": True}
        return await call_next(mine)

    with registry(collector(), plugin(aaah_middleware=lambda: copies)):
        assert await status_of(consumer(hello, raising(PermissionDenied()))) == 403


async def test_an_outer_middleware_sees_what_an_inner_one_raised_as_a_reply():
    seen = []

    async def looks_on(call, call_next):
        seen.append((reply := await call_next(call)).status)
        return reply

    async def raises(call, call_next):
        raise LookupError

    plugins = [plugin(aaah_middleware=lambda each=each: each) for each in (looks_on, raises)]
    with registry(collector(), *plugins):
        async with connect(consumer(hello).as_asgi()) as ws:
            assert (await ws.call("hello"))["status"] == 500
    assert seen == [500]


async def test_a_middleware_may_run_the_rest_in_a_task_of_its_own_and_cancel_it():
    ended = []

    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def hurries(call, call_next):
        if call.action != "act":
            return await call_next(call)
        try:
            return await asyncio.wait_for(asyncio.create_task(call_next(call)), 0.01)
        except TimeoutError:
            return Reply(status=504, errors=[{"code": "hurried", "detail": "Too slow."}])

    with registry(collector(), plugin(aaah_middleware=lambda: hurries)):
        reply = await asked(consumer(hello, act))
    assert (reply["status"], reply["errors"][0]["code"], ended) == (504, "hurried", [True])
