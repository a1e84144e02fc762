"""Code of a middleware before the server's `send` runs for its connection, and ends nobody else."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from functools import partial

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from channels.sessions import InstanceSessionWrapper

from aaah_core import AsyncAPIConsumer, apublish
from aaah_core.wrapped import is_wrapped
from tests.conftest import Socket, action

pytestmark = pytest.mark.usefixtures("core")

CITY = ContextVar("city")


@pytest.fixture(autouse=True)
def layer():
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", InMemoryChannelLayer())
    yield
    channel_layers.set("default", before)


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def hello(self):
        return "hello"


def closing_over(send):
    async def wrapped(message):
        await send(message)

    return wrapped


class Keeping:
    def __init__(self, send):
        self.inner_send = send

    async def send(self, message):
        await self.inner_send(message)

    async def __call__(self, message):
        await self.inner_send(message)


async def passing_on(send, message):
    await send(message)


class Server:
    """As servers have it."""

    def __init__(self):
        self.sender = "a name"

    async def send(self, message):
        pass


def session(send):
    return InstanceSessionWrapper({"type": "websocket", "session": {}}, send).send


@pytest.mark.parametrize(
    "wrap",
    [
        closing_over,
        lambda send: Keeping(send).send,
        Keeping,
        lambda send: partial(passing_on, send),
        lambda send: session(closing_over(send)),
    ],
)
def test_what_keeps_another_send_is_seen(wrap):
    assert is_wrapped(wrap(Server().send))


@pytest.mark.parametrize("wrap", [lambda send: send, session])
def test_a_servers_own_is_not_nor_what_channels_puts_before_it(wrap):
    server = Server()
    assert not is_wrapped(wrap(server.send))
    assert not is_wrapped(wrap(lambda message: server.send(message)))  # noqa: PLW0108 - as daphne has it


async def test_a_timeout_in_a_middleware_is_that_of_its_connection_and_ends_no_group():
    slow, late = asyncio.Event(), asyncio.Event()
    seen = []

    def middleware(application):
        async def wrapping(scope, receive, send):
            async def timed(message):
                if message["type"] == "websocket.send" and b"news" in message["text"].encode():
                    seen.append((CITY.get(None), asyncio.current_task()))
                    try:
                        async with asyncio.timeout(0.01):
                            await slow.wait()
                    except TimeoutError:
                        late.set()
                await send(message)

            CITY.set(scope["path"])
            await application(scope, receive, timed)

        return wrapping

    application = Room.as_asgi()
    wrapping = middleware(application)
    async with Socket(wrapping, path="/lyon/") as behind, Socket(application) as direct:
        for socket in (behind, direct):
            await socket.get(0)
        await apublish("room", "news", 1)
        await direct.get(1)
        async with asyncio.timeout(5):
            await late.wait()
        await behind.get(1)
        slow.set()
        await apublish("room", "news", 2)
        for socket in (behind, direct):
            assert '"data":2' in (await socket.get(2))["text"].replace(" ", "")
        (city, one), (_, other) = seen
        assert city == "/lyon/"
        assert one is not other
        assert direct.task not in (one, other)


@pytest.mark.parametrize("wrap", [lambda send: send, closing_over])
async def test_one_event_larger_than_all_that_may_wait_goes_to_a_client_that_reads(wrap):
    class Narrow(Room):
        limits = {"outbox_bytes": 100}

    application = Narrow.as_asgi()

    async def wrapping(scope, receive, send):
        await application(scope, receive, wrap(send))

    async with Socket(wrapping) as socket:
        await socket.get(0)
        for number in (1, 2):
            await apublish("room", "news", "x" * 200)
            message = await socket.get(number)
            assert message["type"] == "websocket.send"
