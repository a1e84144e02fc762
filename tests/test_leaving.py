"""A process that leaves: what its clients are told, what is still answered, and when it ends."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest
from django.test import override_settings

from aaah_core import leaving
from aaah_core.registry import current
from aaah_core.testing import Refused, connect
from tests.calls import hello, of, request, until
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture
def server(monkeypatch):
    """Handle signals as a server does; the list has those that reached it."""
    monkeypatch.setattr(leaving, "_departure", None)
    heard = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda number, frame: heard.append(number))
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_who_is_there_hears_of_it_and_is_closed_before_the_server_ends(quick, server, number):
    left = []

    async def disconnect(self, code):
        left.append((code, list(server)))

    async with Socket(consumer(disconnect=disconnect).as_asgi()) as socket:
        await socket.get(0)
        signal.raise_signal(number)
        goaway = of(await socket.get(1))
        assert goaway == {"event": "aaah.goaway", "data": {"seconds": 0.1}, "status": 503}
        assert await socket.get(2) == {"type": "websocket.close", "code": 4503}
        await until(lambda: server)
    assert server == [number]
    assert left == [(4503, [])]


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_what_runs_is_answered_and_nothing_begins(quick, server, concurrency):
    go_on = asyncio.Event()

    @action
    async def wait(self):
        await go_on.wait()
        return "waited"

    async with Socket(consumer(wait, hello, concurrency=concurrency).as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("wait", 1))
        await socket.taken()
        await quick(2)
        signal.raise_signal(signal.SIGTERM)
        assert of(await socket.get(1))["event"] == "aaah.goaway"
        socket.put(request("hello", 2))
        socket.put(request("hello", 3))
        await socket.taken()
        await quick(2)
        assert server == []
        go_on.set()
        await until(lambda: server)
    replies = {each["request_id"]: each for each in map(of, socket.sent[2:-1])}
    assert {each: reply["status"] for each, reply in replies.items()} == {1: 200, 2: 503, 3: 503}
    assert replies[2]["errors"][0]["code"] == "going_away"


async def test_the_first_request_after_it_is_refused_though_the_server_reads_already(quick, server):
    async with Socket(consumer(hello).as_asgi()) as socket:
        await socket.get(0)
        signal.raise_signal(signal.SIGTERM)
        await socket.get(1)
        socket.put(request("hello", 1))
        assert of(await socket.get(2))["status"] == 503


async def test_nobody_is_let_in_while_it_leaves(quick, server):
    go_on, asked = asyncio.Event(), []

    @action
    async def wait(self):
        await go_on.wait()

    async def connects(self):
        asked.append(self)
        await self.accept()

    chat = consumer(wait, connect=connects).as_asgi()
    async with connect(chat) as client:
        await client.send({"action": "wait"})
        await quick(2)
        signal.raise_signal(signal.SIGTERM)
        await until(leaving.began)
        with pytest.raises(Refused) as refused:
            await connect(chat).__aenter__()
        assert refused.value.code == 4503
        extensions = {"websocket.http.response": {}}
        async with Socket(chat, extensions=extensions) as late:
            start = await late.get(0)
            # A server says the length itself, and some say it beside ours: no proxy takes two.
            assert (start["status"], start["headers"]) == (503, [(b"retry-after", b"1")])
            assert (await late.get(1))["type"] == "websocket.http.response.body"
        assert len(asked) == 1
        go_on.set()
        await until(lambda: server)


@override_settings(AAAH={"LEAVE_TIMEOUT": 0})
async def test_what_takes_too_long_is_cut(quick, server):
    ended = []

    @action
    async def wait(self):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with Socket(consumer(wait).as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("wait", 1))
        await socket.taken()
        signal.raise_signal(signal.SIGTERM)
        assert (await socket.get(2))["code"] == 4503
        await until(lambda: server)
    assert ended == [True]


async def test_a_second_signal_reaches_the_server_at_once_and_once(quick, server):
    @action
    async def wait(self):
        await asyncio.Event().wait()

    async with Socket(consumer(wait).as_asgi()) as socket:
        await socket.get(0)
        socket.put(request("wait", 1))
        await socket.taken()
        signal.raise_signal(signal.SIGTERM)
        await socket.get(1)
        assert server == []
        signal.raise_signal(signal.SIGTERM)
        assert server == [signal.SIGTERM]
    await until(lambda: not leaving.census.total())
    await asyncio.sleep(2 * leaving._INTERVAL)  # the next look of what waited for the connection
    assert server == [signal.SIGTERM]


async def test_a_server_without_connections_ends_at_once(server):
    async with Socket(consumer().as_asgi()) as socket:
        await socket.get(0)
    signal.raise_signal(signal.SIGTERM)
    assert server == [signal.SIGTERM]
    assert not leaving.began()


async def test_the_next_server_of_the_process_lets_clients_in_again(quick, server):
    chat = consumer(hello).as_asgi()
    async with Socket(chat) as socket:
        await socket.get(0)
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: server)
    signal.signal(signal.SIGTERM, lambda *args: None)
    async with connect(chat) as client:
        assert (await client.call("hello"))["data"] == "hello"


@pytest.mark.parametrize("theirs", [signal.SIG_DFL, signal.SIG_IGN, "of the loop"])
async def test_where_no_server_handles_signals_nothing_is_changed(theirs, server):
    if theirs == "of the loop":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.append, "loop")
        theirs = signal.getsignal(signal.SIGTERM)
    else:
        signal.signal(signal.SIGTERM, theirs)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    async with Socket(consumer().as_asgi()) as socket:
        await socket.get(0)
        assert signal.getsignal(signal.SIGTERM) is theirs
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def test_a_shaper_that_says_nothing_or_fails_keeps_nobody_from_leaving(quick, server, caplog):
    chat = consumer()
    for shape in (lambda call, message: None, lambda call, message: 1 / 0):
        application = chat.as_asgi()
        current().plans[chat].shape = shape
        async with Socket(application) as socket:
            await socket.get(0)
            signal.raise_signal(signal.SIGTERM)
            assert (await socket.get(1))["code"] == 4503
            await until(lambda: server)
        server.clear()
        signal.signal(signal.SIGTERM, lambda number, frame: server.append(number))
    assert "Chat could not be told of aaah.goaway" in caplog.text


def test_a_loop_in_a_thread_leaves_as_the_interpreter_ends(monkeypatch):
    monkeypatch.setattr(leaving, "_departure", None)
    monkeypatch.setattr(threading, "_register_atexit", (registered := []).append)
    leaving._prepare_in_thread.cache_clear()
    ready, sent = threading.Event(), []

    async def serve():
        async with Socket(consumer().as_asgi()) as socket:
            await socket.get(0)
            ready.set()
            await asyncio.wait([socket.task])
            sent.extend(socket.sent)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    [leave] = registered
    leave()
    assert not leaving.census.total()
    thread.join(5)
    assert of(sent[1])["event"] == "aaah.goaway"
    assert sent[2]["code"] == 4503
    leave()  # nobody is there
