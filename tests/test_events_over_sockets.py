"""Events on the servers that people run, over sockets of loopback."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

APPLICATION = """
import django

django.setup()

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, apublish


class Room(AsyncAPIConsumer):
    groups = ("room",)
    limits = {"outbox": 20, "outbox_bytes": 2**30, "send_timeout": 60}

    @async_action
    async def tell(self, number: int, size: int):
        await apublish("room", "number", {"number": number, "filling": "x" * size})

    @async_action
    async def burst(self, count: int):
        for number in range(count):
            await apublish("room", "number", {"number": number})
        return "done"

    @async_action
    async def echo(self, number: int):
        return number


application = Room.as_asgi()
"""

SERVERS = {
    "uvicorn": ("--ws", "websockets-sansio", "--lifespan", "off", "--log-level", "error"),
    # As in `tests.servers`.
    "daphne": ("--verbosity", "0", "--websocket_connect_timeout", "60"),
}


@pytest.fixture(params=SERVERS)
async def server(request, tmp_path):
    """Serve the application in a process of its own, and give the server's name and address."""
    (tmp_path / "rooms.py").write_text(APPLICATION, "utf-8")
    environment = {
        "PYTHONPATH": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "aaah_core.testing.settings",
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", request.param, *SERVERS[request.param]),
            *("--fd", str(listener.fileno()), "rooms:application"),
            env={**os.environ, **environment},
            pass_fds=[listener.fileno()],
        )
        try:
            yield request.param, listener.getsockname()
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def client(address, received=None, **options):
    """Connect a client, whose system takes in `received` bytes that it has not read."""
    with socket.socket() as raw:
        if received is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, address)
        uri = "ws://{}:{}/".format(*address)
        async with connect(uri, sock=raw, proxy=None, compression=None, **options) as ws:
            yield ws


async def call(ws, action, **parameters):
    await ws.send(json.dumps({"action": action, **parameters}))


async def take(ws, count):
    """Return so many numbers of events, and what else came among them."""
    numbers, replies = [], []
    while len(numbers) < count:
        message = json.loads(await ws.recv())
        if "event" in message:
            numbers.append(message["data"]["number"])
        else:
            replies.append(message["data"])
    return numbers, replies


async def until_closed(ws):
    with suppress(ConnectionClosedError):
        while True:
            yield await ws.recv()


async def test_every_member_has_every_event_in_order_and_its_replies_among_them(server):
    _, address = server
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        members = [await stack.enter_async_context(client(address)) for _ in range(10)]
        for number, member in enumerate(members[1:]):
            await call(member, "echo", number=number)
        await call(members[0], "burst", count=300)
        for number, member in enumerate(members[1:]):
            await call(member, "echo", number=-number)
        assert (await take(members[0], 300))[0] == list(range(300))
        assert json.loads(await members[0].recv())["data"] == "done"
        for number, member in enumerate(members[1:]):
            numbers, replies = await take(member, 300)
            while len(replies) < 2:
                replies.append(json.loads(await member.recv())["data"])
            assert numbers == list(range(300))
            assert replies == [number, -number]


async def test_a_member_that_does_not_read_delays_nobody_and_is_closed_where_a_server_can_tell(
    server,
):
    name, address = server
    count, size = 150, 256 * 1024
    async with (
        asyncio.timeout(120),
        client(address) as sender,
        client(address) as other,
        client(address, 4096, max_queue=1) as slow,
    ):
        await call(slow, "echo", number=1)
        assert json.loads(await slow.recv())["data"] == 1
        for number in range(count):
            await call(sender, "tell", number=number, size=size)
            for reader in (sender, other):
                assert (await take(reader, 1))[0] == [number]
        if name == "daphne":  # whose send() never blocks
            assert (await take(slow, count))[0] == list(range(count))
            return
        numbers = [json.loads(message)["data"]["number"] async for message in until_closed(slow)]
        assert slow.close_code == 4429
        assert 0 < len(numbers) < count
        assert numbers == list(range(len(numbers)))
