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

pytestmark = pytest.mark.programme(seconds=15)

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


#: How many more events of its other group who was put out of one is read: of about a second.
MORE = 80


async def until_put_out(socket, allowed):
    """Return what comes with when it came, and the close code if it is closed.

    It is read until it is closed, or has `MORE` events after those of one group have ended.
    """
    got, after = [], 0
    async with asyncio.timeout(15):
        try:
            while after < MORE:
                event = json.loads(await socket.recv())
                got.append((time.time(), event))
                if event.get("event") == "secret":
                    allowed.set()
                after += after > 0 or event.get("event") == "aaah.unsubscribed"
        except ConnectionClosed:
            return got, socket.close_code
    return got, None


async def until_last(socket, ended):
    """Read, as who stays, until a secret came after the others' end."""
    while True:
        event = json.loads(await socket.recv())
        assert event["event"] != "aaah.unsubscribed"
        if event["event"] == "secret" and ended.is_set():
            return


CLOSING = ["logout", "deactivate", "change_password", "delete"]
QUIET = ["logout_quietly", "deactivate_quietly"]
ROOMS = [("secret/", "secret"), ("mine/", "mine")]


@pytest.fixture(scope="module", params=["core", "pubsub"])
def layers(request, redis):
    return layer_of(request.param, redis.port)


async def test_who_may_not_be_there_any_more_is_closed_or_unsubscribed_within_two_seconds(
    layers, postgres, tmp_path, record_property
):
    with project(postgres, layers, tmp_path, 1.0) as (desk, server):
        await asyncio.to_thread(desk.do, "prepare")
        await asyncio.to_thread(desk.do, "publish_on", "secret", "mine")
        others = await asyncio.to_thread(desk.do, "enter", "bert")
        for how in [*CLOSING, *QUIET, "revoke", "revoke_quietly"]:
            async with AsyncExitStack() as stack:
                other = await stack.enter_async_context(joined(server, others, *ROOMS))
                ended = asyncio.Event()
                reading_other = asyncio.create_task(until_last(other, ended))
                latest = await put_out(server, desk, how, stack)
                record_property(how, f"the last event {latest * 1000:.0f} ms after it")
                assert latest <= 2, how
                ended.set()
                async with asyncio.timeout(5):
                    await reading_other


async def put_out(server, desk, how, stack):
    """Let ten sockets of one user be put out, and return the seconds until the last event."""
    cookie = await asyncio.to_thread(desk.do, "enter", "anna")
    sockets = [await stack.enter_async_context(joined(server, cookie, *ROOMS)) for _ in range(10)]
    allowed = [asyncio.Event() for _ in sockets]
    reading = [
        asyncio.create_task(until_put_out(*each)) for each in zip(sockets, allowed, strict=True)
    ]
    await asyncio.gather(*(each.wait() for each in allowed))
    await asyncio.to_thread(desk.do, how, "anna")
    done = time.time()
    return max(last_of(how, *read) for read in await asyncio.gather(*reading)) - done


def last_of(how, got, code):
    """Return when the last event came that was allowed, and see that no other came."""
    if not how.startswith("revoke"):
        assert code == 4401, how
        return got[-1][0]
    assert code is None
    events = [each["event"] for _, each in got]
    place = events.index("aaah.unsubscribed")
    assert got[place][1]["data"]["route"] == "secret/"
    assert set(events[place + 1 :]) == {"mine"}, how
    return got[place][0]


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
