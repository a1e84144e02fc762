"""The contexts that plugins put around a connection."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from channels.exceptions import DenyConnection

from aaah_core import CloseCode
from aaah_core.testing import Refused, connect, registry
from tests.calls import hello
from tests.conftest import collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core", "nothing_stays_behind")


def contexts(log, *, enter=None, leave=None):
    def made(name):
        @asynccontextmanager
        async def context(consumer):
            log.append(("enter", name, consumer.accepted_yet()))
            if name == enter:
                raise LookupError("cannot enter")
            try:
                yield
            finally:
                log.append(("leave", name, consumer.accepted_yet()))
            if name == leave:
                raise LookupError("cannot leave")

        return plugin(aaah_connection=lambda: context)

    return made("a"), made("b")


def accepted_yet(self):
    return self._connection.transport.accepted


def watched(log):
    async def connect(self):
        log.append("connect")
        await self.accept()

    async def disconnect(self, code):
        log.append("disconnect")

    return consumer(hello, connect=connect, disconnect=disconnect, accepted_yet=accepted_yet)


async def test_contexts_stand_around_an_accepted_connection_the_first_outermost():
    log = []
    with registry(collector(), *contexts(log)):
        async with connect(watched(log).as_asgi()) as ws:
            await ws.call("hello")
            log.append("call")
    assert log == [
        "connect",
        ("enter", "a", True),
        ("enter", "b", True),
        "call",
        ("leave", "b", True),
        ("leave", "a", True),
        "disconnect",
    ]


async def test_a_context_that_cannot_be_entered_closes_and_those_before_it_are_left(caplog):
    log = []
    with registry(collector(), *contexts(log, enter="b")):
        async with connect(watched(log).as_asgi()) as ws:
            with pytest.raises(Refused) as caught:
                await ws.receive()
    assert caught.value.code == CloseCode.GOING_AWAY
    assert log[1:] == [
        ("enter", "a", True),
        ("enter", "b", True),
        ("leave", "a", True),
        "disconnect",
    ]
    assert "cannot enter" in caplog.text


async def test_a_context_that_cannot_be_left_is_logged_and_the_rest_is_done(caplog):
    log = []
    with registry(collector(), *contexts(log, leave="b")):
        async with connect(watched(log).as_asgi()):
            pass
    assert log[-3:] == [("leave", "b", True), ("leave", "a", True), "disconnect"]
    assert "cannot leave" in caplog.text


async def test_a_consumer_that_denies_enters_no_context():
    log = []

    async def denies(self):
        raise DenyConnection

    chat = consumer(hello, connect=denies, groups=["everyone"])
    with registry(collector(), *contexts(log)), pytest.raises(Refused):
        async with connect(chat.as_asgi()):
            pass
    assert log == []


async def test_what_is_wrong_with_a_context_itself_closes(caplog):
    with registry(collector(), plugin(aaah_connection=lambda: lambda consumer: 7)):
        async with connect(consumer(hello).as_asgi()) as ws:
            with pytest.raises(Refused):
                await ws.receive()
    assert "Chat could not connect" in caplog.text
