"""Clients that hang up, flood or do not read, on real servers: the others notice nothing of it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE

import pytest
from websockets.asyncio.client import connect

from tests.crowd.client import Rude, call, held, let_go, open_socket
from tests.servers import OTHERS, serving

APPLICATION = "tests.crowd.asgi:application"
# They wait for timeouts of servers, so a usual run has one of each.
every_server = pytest.mark.parametrize(
    "name",
    ["uvicorn", *(pytest.param(name, marks=pytest.mark.programme) for name in ("daphne", *OTHERS))],
)
#: An async and a sync action.
each_way = pytest.mark.parametrize(
    ("name", "action"),
    [
        ("uvicorn", "sleep"),
        pytest.param("uvicorn", "wait", marks=pytest.mark.programme),
        pytest.param("daphne", "sleep", marks=pytest.mark.programme),
        pytest.param("daphne", "wait", marks=pytest.mark.programme),
        *(pytest.param(name, "wait", marks=pytest.mark.programme) for name in OTHERS),
    ],
)


@pytest.fixture
def silent():
    """The logs that have no traceback in the end."""
    servers = []
    yield servers.append
    for server in servers:
        assert "Traceback" not in server.log.read_text(), server.log.read_text()


@each_way
async def test_nothing_is_left_of_a_client_whose_line_dies_amid_an_action(
    name, action, tmp_path, silent
):
    with serving(name, APPLICATION, tmp_path) as server:
        silent(server)
        async with open_socket(server) as other:
            await call(other, "sleep", seconds=0)  # which makes the first thread
            before = await let_go(server, await held(server), 5)
            async with asyncio.timeout(20), asyncio.TaskGroup() as clients:
                for _ in range(5):
                    clients.create_task(hang_up(server, action))
            after = await let_go(server, before, 6)
            # A thread cannot be ended, and what it writes stands; a task is, at its next wait.
            while action == "sleep" and (await held(server))["ended"] < 6:  # noqa: ASYNC110 - its
                await asyncio.sleep(0.1)
            assert (await call(other, "echo", value=1))["data"] == 1
    if action == "wait":
        assert (after["cancelled"], after["ended"]) == (5, 1)
    assert after["disconnected"] >= before["disconnected"] + 5


async def hang_up(server, action):
    async with Rude(server) as client:
        await client.send("echo")
        await client.send(action, seconds=30 if action == "wait" else 0.8)
        await asyncio.get_running_loop().sock_recv(client.socket, 100)
        client.reset()


async def flood(server, messages):
    """Start a client that sends so many messages; return its process once it does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crowd.flood", server.uri, str(messages), stdout=PIPE
    )
    await process.stdout.readline()
    return process


async def code_of(flooding):
    """Return the code that a flood is closed with."""
    return int((await flooding.communicate())[0])


async def seconds_of_calls(ws, until, server):
    """Call until a task is done; return how long each call took, and the most that was held."""
    spent, most = [], 0
    while not until.done():
        begun = time.perf_counter()
        assert (await call(ws, "echo", value=1))["data"] == 1
        spent.append(time.perf_counter() - begun)
        most = max(most, server.memory)
        await asyncio.sleep(0.005)  # a client that asks now and then, and no second flood
    return spent, most


def worst_of_hundred(spent):
    return sorted(spent)[int(len(spent) * 0.99)] * 1_000


@every_server
async def test_a_client_that_floods_during_an_action_is_closed_and_the_others_go_on(
    name, tmp_path, silent
):
    with serving(name, APPLICATION, tmp_path) as server:
        silent(server)
        async with asyncio.timeout(30), open_socket(server) as other:
            before = await held(server)
            flooding = asyncio.create_task(code_of(await flood(server, 5_000)))
            assert await seconds_of_calls(other, flooding, server)
            # Where the server cuts the line before it has sent the close, there is no code.
            assert await flooding in (4429, 1006)
            await let_go(server, before, 6)


@every_server
async def test_a_client_that_reads_nothing_is_given_up_and_the_others_go_on(name, tmp_path, silent):
    with serving(name, APPLICATION, tmp_path) as server:
        silent(server)
        async with open_socket(server) as other:
            before = await held(server)
            async with Rude(server) as reader:
                await reader.send("blast", megabytes=20)
                # daphne takes everything, and hypercorn keeps the socket without a consumer.
                if name in ("uvicorn", "wsproto"):
                    await let_go(server, before, 10)
                assert (await call(other, "echo", value=1))["data"] == 1
            await let_go(server, before, 10)


PINGS = {
    "uvicorn": ("--ws-ping-interval", "0.3", "--ws-ping-timeout", "0.3"),
    "wsproto": ("--ws-ping-interval", "0.3", "--ws-ping-timeout", "0.3"),
    "daphne": ("--ping-interval", "1", "--ping-timeout", "1"),
    "hypercorn": ("--websocket-ping-interval", "1"),
}
#: Seconds in which a server that has no answer to its ping gives the client up.
LONG = {"uvicorn": 1.2, "wsproto": 1.2, "daphne": 2.5, "hypercorn": 1.2}


@each_way
async def test_a_long_action_with_calls_behind_it_outlives_the_servers_pings(
    name, action, tmp_path, silent
):
    with serving(name, APPLICATION, tmp_path, *PINGS[name]) as server:
        silent(server)
        async with asyncio.timeout(20), open_socket(server) as ws:
            requests = [{"action": action, "seconds": LONG[name]}, *[{"action": "echo"}] * 5]
            for number, request in enumerate(requests):
                await ws.send(json.dumps({**request, "request_id": number}))
            replies = [json.loads(await ws.recv()) for _ in requests]
    assert [each["request_id"] for each in replies] == list(range(6))
    assert {each["status"] for each in replies} <= {200, 204}


async def test_a_frame_that_is_small_until_it_is_inflated_is_too_large(tmp_path, silent):
    # Of the two only uvicorn inflates.
    with serving("uvicorn", APPLICATION, tmp_path) as server:
        silent(server)
        async with asyncio.timeout(30), open_socket(server) as other:
            before = await held(server)
            for text in ("[" + "{}," * (5 * 2**20) + "{}]", " " * 15 * 2**20, "[" * 15 * 2**20):
                async with connect(server.uri, proxy=None, compression="deflate") as ws:
                    await ws.send(text)
                    await ws.wait_closed()
                    assert ws.close_code == 4413
            assert (await call(other, "echo", value=1))["data"] == 1
            await let_go(server, before, 6)


# The same at full size.


@pytest.mark.programme(alone=True)
async def test_60000_messages_at_once_grow_uvicorn_by_20_mb_at_most(
    tmp_path, silent, record_property
):
    with serving("uvicorn", APPLICATION, tmp_path) as server:
        silent(server)
        async with asyncio.timeout(60), open_socket(server) as other:
            before = await held(server)
            flooding = asyncio.create_task(code_of(await flood(server, 60_000)))
            spent, most = await seconds_of_calls(other, flooding, server)
            code = await flooding
            await let_go(server, before, 6)
    grown = (most - before["memory"]) / 2**20
    record_property("closed with", code)
    record_property("memory at most", f"{grown:+.1f} MB")
    record_property("p99 of the others", f"{worst_of_hundred(spent):.1f} ms")
    assert code in (4429, 1006)
    assert grown < 20
    assert worst_of_hundred(spent) < 100


@pytest.mark.programme(alone=True)
async def test_100_mb_for_a_client_that_reads_nothing_grow_uvicorn_by_5_mb_at_most(
    tmp_path, silent, record_property
):
    with serving("uvicorn", APPLICATION, tmp_path) as server:
        silent(server)
        async with open_socket(server) as other, Rude(server) as reader:
            before = await held(server)
            await reader.send("blast", megabytes=100)
            giving_up = asyncio.create_task(let_go(server, {**before, "members": 2}, 10))
            spent, most = await seconds_of_calls(other, giving_up, server)
            await giving_up
    grown = (most - before["memory"]) / 2**20
    record_property("memory at most", f"{grown:+.1f} MB")
    record_property("p99 of the others", f"{worst_of_hundred(spent):.1f} ms")
    assert grown < 5
    assert worst_of_hundred(spent) < 100
