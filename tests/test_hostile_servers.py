"""Real servers live through every hostile frame: each is answered or closed with as documented."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.hostile.parameters import ROWS
from tests.hostile.protocol import ENDS, VIOLATIONS, end_of
from tests.hostile.rules import broken, decode, encode
from tests.servers import COMMANDS, OTHERS, serving

CODECS = ("json", "msgpack")
APPLICATION = "tests.hostile.asgi:application"
TOO_LARGE = {"json": "x" * 262_145, "msgpack": b"\xc0" * 262_145}
RUBBISH = {"json": "{", "msgpack": b"\xc1"}


def open_socket(server, codec="json"):
    # A server takes connections before it has started.
    options = {"proxy": None, "max_size": None, "compression": None, "open_timeout": 60}
    return connect(server.uri, subprotocols=[f"aaah.{codec}"], **options)


async def answered(ws, codec, request_id=0, action="hello"):
    await ws.send(encode(codec, {"action": action, "request_id": request_id}))
    reply = decode(await ws.recv())
    assert (reply["status"], reply["request_id"]) == (200, request_id), reply
    return reply["data"]


async def survive_frames(server, codec):
    """Send each frame and a good one; return the rules and how many frames there were."""
    rules, count = set(), 0
    async with open_socket(server, codec) as ws:
        for rule, frames, statuses in broken(codec, ROWS):
            rules.add(rule)
            for frame in frames:
                count += 1
                await ws.send(frame)
                reply = decode(await ws.recv())
                assert reply["status"] in statuses, (rule, frame[:100], reply)
                assert await answered(ws, codec, count) == "hello"
    return rules, count


async def survive_closes(server, codec):
    """Do what a connection is closed for; return the rules."""
    for frame, times, code in [(TOO_LARGE[codec], 1, 4413), (RUBBISH[codec], 101, 4400)]:
        async with open_socket(server, codec) as ws:
            try:
                for _ in range(times):
                    await ws.send(frame)
                async for _ in ws:
                    pass
            except ConnectionClosed:
                pass
            assert ws.close_code == code
    with pytest.raises(InvalidStatus) as refused:
        await open_socket(server, "cbor").__aenter__()
    assert refused.value.response.status_code == 403
    return {"a frame has 262,144 bytes at most", "101 bad messages in a row are too many",
            "a client has a codec that the server has"}  # fmt: skip


async def survive_violations(server):
    for rule, frames in VIOLATIONS.items():
        for frame in frames:
            assert await end_of(server.port, frame) in ENDS, rule
        async with open_socket(server) as ws:
            assert await answered(ws, "json") == "hello"
    return set(VIOLATIONS)


@contextmanager
def silent(server):
    """What runs within leaves no traceback in the server's log."""
    yield
    log = server.log.read_text()
    # uvicorn writes one of its own, under this line, for text that is no UTF-8.
    own = log.count("Invalid UTF-8 sequence received from client.")
    assert log.count("Traceback") == own, log


async def survive(server):
    """Send everything to a server; return the rules, and how many frames that was."""
    rules, count = set(), 0
    for codec in CODECS:
        found, frames = await survive_frames(server, codec)
        rules |= found | await survive_closes(server, codec)
        count += frames
    return rules | await survive_violations(server), count


async def held(server):
    """Return what the server holds besides the connection that asks."""
    async with open_socket(server) as ws:
        return await answered(ws, "json", action="state")


async def settled(server, before):
    """Return what it holds once it has let go of those who left: daphne takes a second."""
    async with asyncio.timeout(10):
        while (found := await held(server))["tasks"] > before["tasks"]:  # noqa: ASYNC110 - of a process
            await asyncio.sleep(0.1)
    assert (found["members"], found["channels"]) == (0, 0)
    return found


@pytest.mark.parametrize(
    "name", [*COMMANDS, *(pytest.param(name, marks=pytest.mark.programme) for name in OTHERS)]
)
async def test_a_server_survives_every_hostile_frame(name, tmp_path):
    with serving(name, APPLICATION, tmp_path) as server, silent(server):
        async with asyncio.timeout(60):
            before = await held(server)
            rules, _ = await survive(server)
            await settled(server, before)
    assert len(rules) >= 150


@pytest.mark.programme
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_server_survives_every_hostile_frame_many_times_and_is_as_before(
    name, tmp_path, record_property
):
    with serving(name, APPLICATION, tmp_path) as server, silent(server):
        async with open_socket(server) as ws:  # what the first request of all brings with it
            await answered(ws, "json")
        before, total = await held(server), 0
        for _ in range(5):
            rules, count = await survive(server)
            total += count
        after = await settled(server, before)
    grown = (after["memory"] - before["memory"]) / 2**20
    record_property("rules", len(rules))
    record_property("frames sent, each with a good one after it", total)
    record_property("memory", f"{grown:+.1f} MB")
    assert len(rules) >= 150
    if name == "uvicorn":
        assert grown <= 20
