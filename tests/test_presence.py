"""Who may not be there any more, with a real Redis and PostgreSQL; and origins by hand."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.redis_server import layer_of
from tests.servers import ROOT, serving
from tests.test_security import MALFORMED

pytestmark = pytest.mark.programme

ORIGIN = "http://presence.example"


@pytest.fixture(scope="module")
def postgres():
    """The settings of a database in a PostgreSQL of its own."""
    place = ROOT / "plugins" / "crud" / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("postgres_of_crud", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        with module.running() as database:
            yield database
    except module.NotStarted as why:
        pytest.skip(f"no PostgreSQL: {why}")


class Desk:
    """Another process of the project."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.presence.desk"],
            cwd=ROOT,
            env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": "tests.presence.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, *what):
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(15)
        self._process.stdout.close()


@contextmanager
def project(database, layer, folder, interval, server="uvicorn"):
    environment = {
        "PRESENCE_DATABASE": json.dumps(database),
        "PRESENCE_LAYER": json.dumps(layer),
        "PRESENCE_INTERVAL": json.dumps(interval),
    }
    desk = Desk(environment)
    try:
        with serving(server, "tests.presence.asgi:application", folder, **environment) as served:
            yield desk, served
    finally:
        desk.close()


@asynccontextmanager
async def joined(server, cookie, *groups):
    headers = {"Cookie": f"sessionid={cookie}"}
    # Who has read enough is to end at once, though more comes.
    options = {"origin": ORIGIN, "additional_headers": headers, "max_queue": None}
    async with connect(server.uri, **options) as socket:
        for route, group in groups:
            request = {"action": "join", "route": route, "group": group, "request_id": group}
            await socket.send(json.dumps(request))
            while (reply := json.loads(await socket.recv())).get("request_id") != group:
                pass
            assert reply["status"] == 204
        yield socket


async def read_to_the_end(socket, seconds):
    """Return what comes with when it came, and the close code if it is closed by then."""
    got = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                frame = await socket.recv()
                got.append((time.time(), json.loads(frame)))
    except TimeoutError:
        return got, None
    except ConnectionClosed:
        pass
    return got, socket.close_code


CLOSING = ["logout", "deactivate", "change_password", "delete"]
QUIET = ["logout_quietly", "deactivate_quietly"]


@pytest.fixture(scope="module", params=["core", "pubsub"])
def layers(request, redis):
    return layer_of(request.param, redis.port)


async def test_who_may_not_be_there_any_more_is_closed_or_unsubscribed_within_two_seconds(
    layers, postgres, tmp_path, record_property
):
    with project(postgres, layers, tmp_path, 1.0) as (desk, server):
        await asyncio.to_thread(desk.do, "prepare")
        await asyncio.to_thread(desk.do, "publish_on", "secret", "mine")
        others = desk.do("enter", "bert")
        rooms = [("secret/", "secret"), ("mine/", "mine")]
        for how in [*CLOSING, *QUIET, "revoke", "revoke_quietly"]:
            cookie = await asyncio.to_thread(desk.do, "enter", "anna")
            async with AsyncExitStack() as stack:
                sockets = [
                    await stack.enter_async_context(joined(server, cookie, *rooms))
                    for _ in range(10)
                ]
                other = await stack.enter_async_context(joined(server, others, *rooms))
                reading = [asyncio.create_task(read_to_the_end(each, 6)) for each in sockets]
                reading_other = asyncio.create_task(read_to_the_end(other, 4))
                await asyncio.sleep(0.5)
                await asyncio.to_thread(desk.do, how, "anna")
                done = time.time()
                latest = 0.0
                for task in reading:
                    got, code = await task
                    events = [each for _, each in got]
                    assert any(each.get("event") == "secret" for each in events)
                    if how.startswith("revoke"):
                        assert code is None
                        (place,) = (
                            index
                            for index, each in enumerate(events)
                            if each.get("event") == "aaah.unsubscribed"
                        )
                        assert events[place]["data"]["route"] == "secret/"
                        after = {each["event"] for each in events[place + 1 :]}
                        assert after == {"mine"}, how
                        latest = max(latest, got[place][0] - done)
                    else:
                        assert code == 4401, how
                        latest = max(latest, got[-1][0] - done)
                record_property(how, f"the last event {latest * 1000:.0f} ms after it")
                assert latest <= 2, how
                got, code = await reading_other
                assert code is None
                last = max(moment for moment, each in got if each.get("event") == "secret")
                assert last > done + 1


async def status_of(server, *headers):
    """Return the status that a handshake with these headers gets, by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        b"GET / HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        *headers,
    ]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
    try:
        async with asyncio.timeout(10):
            line = await reader.readline()
    finally:
        writer.close()
    return int(line.split()[1]) if line else None


@pytest.mark.parametrize("name", ["uvicorn", "daphne"])
async def test_forged_missing_and_malformed_origins_are_403_and_leave_no_traceback(
    name, tmp_path, record_property
):
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    with project(database, layer_of("memory"), tmp_path, None, name) as (desk, server):
        await asyncio.to_thread(desk.do, "prepare")
        cookie = (
            b"Cookie: sessionid=" + (await asyncio.to_thread(desk.do, "enter", "anna")).encode()
        )
        good = b"Origin: " + ORIGIN.encode()
        assert await status_of(server, good, cookie) == 101
        assert await status_of(server) == 101
        assert await status_of(server, cookie) == 403
        assert await status_of(server, b"Origin: http://evil.com", cookie) == 403
        own = b"Origin: http://127.0.0.1:%d" % server.port
        assert await status_of(server, own, cookie) == 403  # as it is not listed
        assert await status_of(server, good, good, cookie) in (400, 403)
        for origin in MALFORMED:
            value = origin if isinstance(origin, bytes) else origin.encode()
            # Servers refuse some of these themselves, or have stripped what stands around them.
            status = await status_of(server, b"Origin: " + value, cookie)
            assert status in (400, 403, None), origin
        record_property("handshakes", len(MALFORMED) + 6)
        assert await status_of(server, good, cookie) == 101
    assert "Traceback" not in server.log.read_text()
