"""Real servers that are told to end: their clients hear of it, and get what they wait for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from itertools import count

import pytest
from redis import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.servers import COMMANDS, ROOT, Server, serving

APPLICATION = "tests.departing.asgi:application"


def open_socket(server):
    return connect(server.uri, proxy=None, open_timeout=30)


async def ask(ws, action, **parameters):
    await ws.send(json.dumps({"action": action, "request_id": action, **parameters}))


async def get(ws):
    async with asyncio.timeout(15):
        return json.loads(await ws.recv())


async def closed(ws):
    """Return the code that the server closes with, and what it sent before."""
    sent = []
    async with asyncio.timeout(15):
        try:
            while True:
                sent.append(json.loads(await ws.recv()))
        except ConnectionClosed:
            return ws.close_code, sent


async def refused(server):
    with pytest.raises(InvalidStatus) as refusal:
        await open_socket(server).__aenter__()
    return refusal.value.response.status_code


async def ended(server, seconds=15):
    """Wait until the server's process has ended, and return how it did."""
    return await asyncio.to_thread(server.process.wait, seconds)


async def leave(server, number=signal.SIGTERM, action="hold"):
    """End a server beside whom one client waits and another does nothing; return what it did."""
    async with open_socket(server) as busy, open_socket(server) as idle:
        await ask(busy, action)
        await ask(idle, "process")
        await get(idle)
        server.process.send_signal(number)
        for ws in (busy, idle):
            goaway = await get(ws)
            assert (goaway["event"], goaway["status"]) == ("aaah.goaway", 503)
            assert 0 <= goaway["data"]["seconds"] <= 0.1
        await ask(busy, "process")
        late = await get(busy)
        assert (late["request_id"], late["status"]) == ("process", 503)
        status = await refused(server)
        assert await closed(idle) == (4503, [])
        server.log.with_name("go-on").touch()
        code, [reply] = await closed(busy)
        assert (code, reply["status"], reply["data"]) == (4503, 200, "done")
    code, log = await ended(server), server.log.read_text()
    assert log.count("disconnected: 4503") == 2
    assert "left groups: 0 to go" in log
    assert "Traceback" not in log
    return status, code


#: The HTTP status of who comes late, and what the process ends with.
ENDS = {"uvicorn": (503, -signal.SIGTERM), "daphne": (403, 0)}


async def test_a_server_that_ends_tells_its_clients_and_answers_what_runs(tmp_path):
    with ExitStack() as stack:
        servers = {}
        for name in COMMANDS:
            (folder := tmp_path / name).mkdir()
            servers[name] = stack.enter_context(serving(name, APPLICATION, folder))
        ends = await asyncio.gather(*map(leave, servers.values()))
    assert dict(zip(servers, ends, strict=True)) == ENDS


@pytest.mark.programme
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("action", ["hold", "hold_thread"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_server_ends_so_at_either_signal_and_for_sync_actions_too(
    name, action, number, tmp_path
):
    with serving(name, APPLICATION, tmp_path) as server:
        status, _ = await leave(server, number, action)
    assert status == ENDS[name][0]


@pytest.mark.programme
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_second_signal_goes_straight_through(name, tmp_path):
    with serving(name, APPLICATION, tmp_path) as server:
        async with open_socket(server) as ws:
            await ask(ws, "wait", seconds=9)
            await ask(ws, "process")
            await get(ws)
            server.process.send_signal(signal.SIGTERM)
            assert (await get(ws))["event"] == "aaah.goaway"
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            code, sent = await closed(ws)
            assert code != 4503
            assert sent == []
            await ended(server)
    assert time.monotonic() - begun < 7


@pytest.mark.programme
@pytest.mark.parametrize("name", COMMANDS)
async def test_what_takes_too_long_is_cut_and_the_server_ends(name, tmp_path):
    with serving(name, APPLICATION, tmp_path, LEAVE_TIMEOUT="1") as server:
        async with open_socket(server) as ws:
            await ask(ws, "wait", seconds=60)
            await ask(ws, "process")
            await get(ws)
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            code, [goaway] = await closed(ws)
            assert (code, goaway["event"]) == (4503, "aaah.goaway")
            assert time.monotonic() - begun >= 1
            await ended(server)
    assert time.monotonic() - begun < 4


@pytest.mark.programme
@pytest.mark.parametrize("name", COMMANDS)
async def test_many_connections_are_not_closed_all_at_once(name, tmp_path, record_property):
    with serving(name, APPLICATION, tmp_path, LEAVE_SPREAD="2") as server:
        async with AsyncExitStack() as stack, asyncio.timeout(30):
            sockets = [await stack.enter_async_context(open_socket(server)) for _ in range(200)]
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)

            async def close_of(ws):
                code, [goaway] = await closed(ws)
                assert (code, goaway["event"]) == (4503, "aaah.goaway")
                return time.monotonic() - begun, goaway["data"]["seconds"]

            times = await asyncio.gather(*map(close_of, sockets))
        await ended(server)
    slots = Counter(int(at * 4) for at, _ in times)
    record_property("closed in each quarter of a second", dict(sorted(slots.items())))
    assert len(slots) >= 7
    assert max(slots.values()) <= 60
    assert all(at <= said + 0.7 for at, said in times)


@pytest.mark.programme
async def test_each_of_several_workers_lets_its_own_clients_leave(tmp_path):
    with serving("uvicorn", APPLICATION, tmp_path, "--workers", "2") as server:
        async with AsyncExitStack() as stack, asyncio.timeout(30):
            sockets, processes = [], set()
            while len(processes) < 2 or len(sockets) < 10:
                sockets.append(await stack.enter_async_context(open_socket(server)))
                await ask(sockets[-1], "process")
                processes.add((await get(sockets[-1]))["data"])
            for ws in sockets:
                await ask(ws, "wait", seconds=1)
            server.process.send_signal(signal.SIGTERM)
            for code, (goaway, reply) in await asyncio.gather(*map(closed, sockets)):
                assert (code, goaway["event"], reply["data"]) == (4503, "aaah.goaway", "done")
        assert await ended(server) == 0
        assert server.log.read_text().count("left groups: 0 to go") == 2


@pytest.mark.programme
@pytest.mark.parametrize("name", COMMANDS)
async def test_under_load_every_request_has_its_reply_and_the_server_ends(
    name, tmp_path, record_property
):
    answered, much = Counter(), asyncio.Event()

    async def use(server):
        refused = False
        async with open_socket(server) as ws:
            for number in count():
                action = ("wait", "work")[number % 2]
                try:
                    if not refused:  # who goes on after that floods
                        await ask(ws, action, seconds=0.2)
                    reply = await get(ws)
                    if "event" in reply:
                        reply = await get(ws)  # to what was asked before it, or refused after it
                except ConnectionClosed:
                    assert ws.close_code == 4503
                    return
                assert reply["request_id"] == action
                answered[reply["status"]] += 1
                refused = reply["status"] == 503
                if answered.total() == 200:
                    much.set()

    with serving(name, APPLICATION, tmp_path) as server:
        async with asyncio.timeout(30), asyncio.TaskGroup() as clients:
            for _ in range(50):
                clients.create_task(use(server))
            await much.wait()
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
        await ended(server)
        log = server.log.read_text()
    record_property("answered, by status", dict(answered))
    record_property("from the signal to the end", f"{time.monotonic() - begun:.1f} s")
    assert time.monotonic() - begun <= 12
    assert log.count("disconnected: 4503") == 50
    assert "left groups: 0 to go" in log
    assert "Traceback" not in log
    assert set(answered) <= {200, 503}


@pytest.mark.programme
@pytest.mark.parametrize("name", COMMANDS)
async def test_no_member_is_left_in_redis(name, tmp_path, own_redis):
    port = own_redis.port
    with (
        serving(name, APPLICATION, tmp_path, REDIS=str(port)) as server,
        Redis(port=port) as client,
    ):
        async with AsyncExitStack() as stack, asyncio.timeout(30):
            sockets = [await stack.enter_async_context(open_socket(server)) for _ in range(20)]
            for ws in sockets:
                await ask(ws, "wait", seconds=0.5)
                await ask(ws, "process")
                await get(ws)
            assert [client.zcard(key) for key in client.scan_iter("asgi:group:*")] == [1]
            server.process.send_signal(signal.SIGTERM)
            for code, (goaway, reply) in await asyncio.gather(*map(closed, sockets)):
                assert (code, goaway["event"], reply["data"]) == (4503, "aaah.goaway", "done")
        await ended(server)
        assert [*client.scan_iter("asgi:group:*")] == []
    assert "Traceback" not in server.log.read_text()


@contextmanager
def runserver(application, folder):
    """Serve with Channels' own `runserver`, which reloads."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "runserver.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "runserver", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}:{folder}",
                "DJANGO_SETTINGS_MODULE": "tests.departing.settings",
                "PYTHONUNBUFFERED": "1",
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Server(port, process, log)
        except BaseException as error:
            error.add_note(f"runserver wrote: {log.read_text()[-5_000:]}")
            raise
        finally:
            process.terminate()
            process.wait(15)


def uvicorn_reloads(application, folder):
    options = ["--reload", "--reload-dir", str(folder)]
    return serving("uvicorn", application, folder, *options, PYTHONPATH=f"{ROOT}:{folder}")


@asynccontextmanager
async def opened(server):
    """Open a socket at a server that starts: the last process may still refuse."""
    async with asyncio.timeout(20):
        while True:
            try:
                ws = await open_socket(server)
                break
            except (OSError, InvalidHandshake):
                await asyncio.sleep(0.1)  # a server that starts tells nobody
    async with ws:
        yield ws


async def change(module):
    """Change a module until it is noticed: a server may not have looked at it yet."""
    while True:
        module.touch()
        await asyncio.sleep(0.2)  # about as often as a server looks


@pytest.mark.programme
@pytest.mark.parametrize("reloading", [uvicorn_reloads, runserver])
async def test_a_development_server_that_reloads_lets_its_clients_leave(reloading, tmp_path):
    module = tmp_path / "reloaded.py"
    module.write_text("from tests.departing.asgi import application")
    with reloading("reloaded:application", tmp_path) as server:
        async with opened(server) as ws:
            await ask(ws, "process")
            before = (await get(ws))["data"]
            await ask(ws, "wait", seconds=3)
            changing = asyncio.create_task(change(module))
            code, (goaway, reply) = await closed(ws)
            changing.cancel()
            assert (code, goaway["event"], reply["data"]) == (4503, "aaah.goaway", "done")
        async with opened(server) as ws:
            await ask(ws, "process")
            assert (await get(ws))["data"] != before
    assert "Traceback" not in server.log.read_text()
