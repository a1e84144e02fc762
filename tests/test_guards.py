"""The checks of a call: their order, their threads, and what keeps an action from running."""

from __future__ import annotations

import threading

import pytest
from django.urls import path

from aaah_core import AsyncAPIActionHandler, BasePermission, NotFound
from aaah_core.testing import connect
from tests.calls import asked, hello, returning
from tests.conftest import action, consumer

pytestmark = pytest.mark.usefixtures("core")


def noting(log, name, answer=True, *, sync=False):
    """Return a permission that notes when, about whom and in which thread it was asked."""

    def note(handler, action):
        log.append((name, type(handler).__name__, action, threading.current_thread()))
        if isinstance(answer, Exception):
            raise answer
        return answer if action == "act" else True

    if sync:

        class Noting(BasePermission):
            def has_permission(self, scope, handler, action, **kwargs):
                return note(handler, action)
    else:

        class Noting(BasePermission):
            async def has_permission(self, scope, handler, action, **kwargs):
                return note(handler, action)

    return Noting


def nested(log, *, sync=False, child=True):
    """Return a consumer with a handler below a handler, each with a check."""

    class Child(AsyncAPIActionHandler):
        permission_classes = [noting(log, "child's", child, sync=sync)]

        @action
        async def act(self):
            log.append(("action", type(self.call.handler).__name__, None, None))

    class Middle(AsyncAPIActionHandler):
        permission_classes = [noting(log, "middle's", sync=sync)]
        routepatterns = [path("child/", Child.as_aaah())]

    return consumer(
        hello,
        permission_classes=[noting(log, "consumer's", sync=sync)],
        routepatterns=[path("middle/", Middle.as_aaah())],
    )


@pytest.mark.parametrize("sync", [False, True])
async def test_the_parents_checks_run_before_the_childs_each_about_its_own_handler(sync):
    log = []
    async with connect(nested(log, sync=sync).as_asgi()) as ws:
        assert (await ws.call("act", route="middle/child/"))["status"] == 204
    assert [entry[:2] for entry in log] == [
        ("consumer's", "Chat"),
        ("middle's", "Middle"),
        ("child's", "Child"),
        ("action", "Child"),
    ]


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize(("answer", "status"), [(False, 403), (LookupError("secret"), 500)])
async def test_a_check_that_refuses_or_raises_keeps_the_action_from_running(sync, answer, status):
    log = []
    chat = nested(log, sync=sync, child=answer)
    reply = await asked(chat, "act", route="middle/child/")
    assert reply["status"] == status
    assert "secret" not in str(reply)
    assert "action" not in [entry[0] for entry in log]


@pytest.mark.parametrize("sync", [False, True])
async def test_a_check_may_raise_what_a_client_may_be_told(sync):
    chat = consumer(
        hello, returning(1), permission_classes=[noting([], "x", NotFound(), sync=sync)]
    )

    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("act"))["status"] == 404


async def test_a_check_sees_the_call_that_runs_on_the_consumer_while_a_child_is_asked_for():
    seen = []

    class Looking(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            seen.append((handler.call.request_id, handler.action, action))
            return True

    class Child(AsyncAPIActionHandler):
        hello = hello

    chat = consumer(
        hello, permission_classes=[Looking], routepatterns=[path("child/", Child.as_aaah())]
    )
    async with connect(chat.as_asgi()) as ws:
        await ws.call("hello", request_id=1)
        await ws.call("hello", route="child/", request_id=2)
    assert seen == [(1, "hello", "hello"), (2, "hello", "hello")]


async def test_sync_checks_and_a_sync_action_share_one_thread_and_it_is_not_the_loops():
    log = []

    @action
    def act(self):
        log.append(("action", None, None, threading.current_thread()))

    checks = [noting(log, "one", sync=True), noting(log, "two", sync=True)]
    async with connect(consumer(act, permission_classes=checks).as_asgi()) as ws:
        await ws.call("act")
    threads = {entry[3] for entry in log}
    assert len(log) == 3
    assert len(threads) == 1
    assert threads != {threading.current_thread()}


async def test_async_checks_and_an_async_action_leave_the_loop_for_no_thread():
    log = []

    @action
    async def act(self):
        log.append(("action", None, None, threading.current_thread()))

    async with connect(consumer(act, permission_classes=[noting(log, "one")]).as_asgi()) as ws:
        await ws.call("act")
    assert {entry[3] for entry in log} == {threading.current_thread()}


async def test_a_sync_check_before_an_async_action_is_asked_in_a_thread():
    log = []

    @action
    async def act(self):
        log.append(("action", None, None, threading.current_thread()))

    checks = [noting(log, "sync", sync=True), noting(log, "async")]
    async with connect(consumer(act, permission_classes=checks).as_asgi()) as ws:
        await ws.call("act")
    threads = {entry[0]: entry[3] for entry in log}
    assert threads["sync"] is not threading.current_thread()
    assert threads["async"] is threads["action"] is threading.current_thread()


async def test_self_call_is_the_running_call_in_a_thread_too():
    @action
    def act(self):
        return [self.call.request_id, self.action]

    async with connect(consumer(act).as_asgi()) as ws:
        assert (await ws.call("act", request_id=9))["data"] == [9, "act"]
