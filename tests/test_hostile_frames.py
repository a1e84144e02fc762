"""No message ends the connection: each gets one reply with the right status, and the next works.

The frames are those of `tests/hostile/`, by the rule that they break; here they come in memory, and
over the sockets of a server in this process. `test_hostile_servers.py` has servers as they are run.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager

import msgspec
import pytest

from aaah_async_action.decorators import async_action
from aaah_core import BasePermission, Codec, DecodeError, check_bounds, to_plain
from aaah_core.testing import connect, registry
from tests.conftest import Socket, action, collector, consumer
from tests.hostile import json_text
from tests.hostile.application import SECRET, Hostile
from tests.hostile.rules import broken, decode, encode


class Packed(Codec):
    """A codec of bytes that needs nothing but what the core needs."""

    name = "packed"
    frame = "bytes"

    def encode(self, payload):
        return msgspec.msgpack.encode(to_plain(payload, keep_bytes=True))

    def decode(self, frame, limits):
        try:
            payload = msgspec.msgpack.decode(frame)
        # msgspec before 0.22 has a TypeError for a key that is a map.
        except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as error:
            raise DecodeError from error
        check_bounds(payload, limits)
        return payload


class Harmed(Hostile):
    codecs = (*Hostile.codecs, Packed())


def hostile(**attributes):
    """Return the consumer with these attributes."""
    return type("Hostile", (Hostile,), attributes)


#: Each codec, and whose frames it is sent.
CODECS = {"json": "json", "msgpack": "msgpack", Packed(): "msgpack"}


@pytest.fixture(scope="module", autouse=True)
def plugins():
    with registry("async_action", "drf", "msgpack"):
        yield


def check(reply, statuses):
    """Hold a reply against its status."""
    assert reply["status"] in statuses, reply
    assert SECRET not in str(reply)
    if reply["status"] >= 400:
        assert reply["data"] is None
        assert reply["errors"]
        assert all({"code", "detail"} <= error.keys() for error in reply["errors"])


def cases():
    for codec, kind in CODECS.items():
        name = codec if isinstance(codec, str) else codec.name
        more = [json_text.NO_UTF8] if codec == "json" else []
        for rule, frames, statuses in [*broken(kind), *tables(more)]:
            # The parser of this codec has bounds of its own.
            either = (400, 413) if isinstance(codec, Packed) and 413 in statuses else statuses
            yield pytest.param(codec, frames, either, id=f"{name}-{rule}")


def tables(more):
    for table in more:
        for rule, (status, frames) in table.items():
            yield rule, frames, (status,)


@pytest.mark.parametrize(("codec", "frames", "statuses"), list(cases()))
async def test_each_frame_has_one_reply_with_the_right_status(codec, frames, statuses):
    async with connect(Harmed.as_asgi(), codec=codec) as ws:
        for number, frame in enumerate(frames):
            await ws.send_frame(frame)
            check(await ws.receive(), statuses)
            reply = await ws.call("hello", request_id=number)
            assert (reply["request_id"], reply["data"], reply["status"]) == (number, "hello", 200)


class Wrong(Hostile):
    @async_action
    async def fail(self):
        raise LookupError(SECRET)

    @async_action
    def fail_plainly(self):
        raise StopIteration(SECRET)

    @async_action
    async def thing(self):
        return object()


@pytest.mark.parametrize("name", ["fail", "fail_plainly", "thing"])
@pytest.mark.parametrize("codec", Hostile.codecs)
async def test_an_action_that_is_wrong_is_a_500_and_the_next_works(codec, name):
    async with connect(Wrong.as_asgi(), codec=codec) as ws:
        check(await ws.call(name), (500,))
        assert (await ws.call("hello"))["data"] == "hello"


async def test_a_frame_with_neither_text_nor_bytes_is_an_empty_one():
    async with Socket(Hostile.as_asgi()) as raw:
        for message in [{}, {"text": None, "bytes": None}]:
            raw.put({"type": "websocket.receive", **message})
        assert json.loads((await raw.get(1))["text"])["status"] == 415
        assert json.loads((await raw.get(2))["text"])["status"] == 415


async def test_what_could_be_read_of_a_malformed_request_is_repeated():
    async with connect(Hostile.as_asgi()) as ws:
        await ws.send({"action": 7, "route": "child/5/", "request_id": 5})
        reply = await ws.receive()
        assert (reply["action"], reply["route"], reply["request_id"]) == (None, "child/5/", 5)
        await ws.send({"action": "hello", "route": 7, "request_id": []})
        reply = await ws.receive()
        assert (reply["action"], reply["route"]) == ("hello", None)
        await ws.send_frame("{")
        reply = await ws.receive()
        assert (reply["action"], reply["route"]) == (None, None)
        assert "request_id" not in reply


async def test_a_client_sets_neither_a_capture_nor_anything_of_the_handler():
    async with connect(Hostile.as_asgi()) as ws:
        reply = await ws.call("hello", route="child/5/", pk=6, kwargs={"pk": 7}, parent=8)
        assert reply["data"] == 5


# Over sockets.


@contextmanager
def served(application):
    """Serve an application on loopback, in a thread, and give its port."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, ws="websockets-sansio", lifespan="off", log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


@pytest.mark.parametrize("codec", Hostile.codecs)
async def test_over_sockets_one_connection_lives_through_all_even_all_at_once(codec):
    from websockets.asyncio.client import connect as connect_socket

    table = [(frame, statuses) for _, frames, statuses in broken(codec) for frame in frames]
    chat = hostile(limits={"bad_messages": len(table), "inbox_bytes": 2**27, "inbox": len(table)})
    with served(chat.as_asgi()) as port:
        uri = f"ws://127.0.0.1:{port}/"
        subprotocols = [f"aaah.{codec}"]
        async with (
            asyncio.timeout(60),
            connect_socket(uri, subprotocols=subprotocols, proxy=None) as ws,
        ):
            assert ws.subprotocol == f"aaah.{codec}"
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(send_all(ws, [frame for frame, _ in table]))
                for _, statuses in table:
                    check(decode(await ws.recv()), statuses)
            await ws.send(encode(codec, {"action": "hello", "request_id": "next"}))
            assert decode(await ws.recv())["request_id"] == "next"


async def send_all(ws, frames):
    for frame in frames:
        await ws.send(frame)


async def test_over_sockets_a_frame_behind_a_handshake_that_is_refused_runs_nothing():
    ran = []

    class Nobody(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            return False

    @action
    async def act(self):
        ran.append(True)

    request = (
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    payload = b'{"action": "act"}'
    frame = bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload
    with registry(collector()):
        chat = consumer(act, permission_classes=[Nobody]).as_asgi()
    with served(chat) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode() + frame)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 403")
    assert ran == []


async def test_over_sockets_too_large_a_frame_and_rubbish_without_end_close_with_their_codes():
    from websockets.asyncio.client import connect as connect_socket

    chat = hostile(limits={"frame_bytes": 1000, "bad_messages": 3})
    with served(chat.as_asgi()) as port:
        uri = f"ws://127.0.0.1:{port}/"
        for frame, count, code in [("x" * 1001, 1, 4413), ("{", 4, 4400)]:
            async with asyncio.timeout(10), connect_socket(uri, proxy=None) as ws:
                for _ in range(count):
                    await ws.send(frame)
                await ws.wait_closed()
                assert ws.close_code == code


async def test_over_sockets_one_too_many_is_refused_and_an_old_connection_ends_with_4503():
    from websockets.asyncio.client import connect as connect_socket
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    limits = {"connections_per_address": 1, "age": 0.5}
    with served(hostile(limits=limits).as_asgi()) as port:
        uri = f"ws://127.0.0.1:{port}/"
        async with asyncio.timeout(30), connect_socket(uri, proxy=None) as ws:
            with pytest.raises(InvalidStatus, match="403"):
                await connect_socket(uri, proxy=None)
            await ws.send(json.dumps({"action": "hello"}))
            assert json.loads(await ws.recv())["data"] == "hello"
            with pytest.raises(ConnectionClosed) as caught:
                await ws.recv()
            assert caught.value.rcvd.code == 4503
