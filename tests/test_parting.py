"""A call and its handler, which have each other, go when nobody else has them."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from django.urls import path

from aaah_core import AsyncAPIActionHandler
from aaah_core.testing import connect, registry
from tests.conftest import action, collector, consumer

pytestmark = pytest.mark.usefixtures("core")


class Data(dict):
    """One that can be remembered weakly."""


class Child(AsyncAPIActionHandler):
    """Remembers every instance weakly, and one call in whatever way a test wants."""

    seen: list[weakref.ref[object]] = []
    kept: list[object] = []

    @action
    async def act(self):
        self.seen.append(weakref.ref(self))

    @action
    async def tell(self):
        data = Data(text="long")
        self.seen.append(weakref.ref(data))
        return data

    @action
    async def take(self):
        self.seen.append(weakref.ref(self))
        self.call.state["data"] = data = Data(text="long")
        self.seen.append(weakref.ref(data))

    @action
    async def keep_the_call(self):
        self.kept.append(self.call)

    @action
    async def keep_itself(self):
        self.kept.append(self)

    @action
    async def go_on(self):
        self.kept.append(asyncio.create_task(later(self.consumer)))


async def later(owner):
    """Return the call that the context of this task has, once another has run."""
    await owner.another
    return owner.call


chat = consumer(routepatterns=[path("child/<int:pk>/", Child.as_aaah())])


@pytest.fixture
async def ws():
    Child.seen.clear()
    Child.kept.clear()
    with registry(collector()):
        async with connect(chat.as_asgi()) as ws:
            yield ws


async def ask(ws, name):
    assert (await ws.call(name, route="child/5/"))["status"] < 300


async def test_what_nobody_kept_is_gone_after_the_next_call_without_the_collector(ws):
    gc.disable()
    try:
        for _ in range(4):
            await ask(ws, "act")
        assert [each() is None for each in Child.seen] == [True, True, True, False]
    finally:
        gc.enable()


async def test_what_was_sent_is_gone_while_the_connection_waits(ws):
    gc.disable()
    try:
        await ask(ws, "tell")
        await asyncio.sleep(0)
        assert [each() for each in Child.seen] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize(("length", "gone"), [(5000, True), (50, False)])
async def test_a_large_call_is_gone_while_the_connection_waits(ws, length, gone):
    gc.disable()
    try:
        assert (await ws.call("take", route="child/5/", text="a" * length))["status"] < 300
        await asyncio.sleep(0)
        assert [each() is None for each in Child.seen] == [gone, gone]
    finally:
        gc.enable()


async def test_who_keeps_a_call_finds_its_handler(ws):
    await ask(ws, "keep_the_call")
    await ask(ws, "act")
    await ask(ws, "act")
    (call,) = Child.kept
    assert (type(call.handler), call.handler.call, call.handler.kwargs) == (Child, call, {"pk": 5})


async def test_who_keeps_a_handler_finds_it_in_its_call(ws):
    await ask(ws, "keep_itself")
    await ask(ws, "act")
    await ask(ws, "act")
    (handler,) = Child.kept
    assert handler.call.handler is handler


async def test_a_task_that_goes_on_finds_the_handler_of_the_call_that_began_it(ws, monkeypatch):
    another = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(chat, "another", another, raising=False)
    await ask(ws, "go_on")
    await ask(ws, "act")
    await ask(ws, "act")
    another.set_result(None)
    (task,) = Child.kept
    call = await task
    assert (call.action, type(call.handler)) == ("go_on", Child)
