"""No message ends the connection: each gets one reply with the right status, and the next works.

In memory, and over the sockets of a real server.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager

import importlib_metadata
import msgspec
import pytest
from django.urls import path

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Codec,
    DecodeError,
    check_bounds,
    to_plain,
)
from aaah_core.testing import connect, registry
from tests.conftest import Socket, action, collector, consumer, plugin


class Packed(Codec):
    """A codec of bytes that needs nothing but what the core needs."""

    name = "packed"
    frame = "bytes"

    def encode(self, payload):
        return msgspec.msgpack.encode(to_plain(payload, keep_bytes=True))

    def decode(self, frame, limits):
        try:
            payload = msgspec.msgpack.decode(frame)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise DecodeError from error
        check_bounds(payload, limits)
        return payload


INSTALLED = [each.name for each in importlib_metadata.entry_points(group="aaah", name="msgpack")]
BINARY = ["packed", *INSTALLED]
CODECS = ["json", *BINARY]


@pytest.fixture(autouse=True)
def plugins():
    """The core's, this module's codec, and the codec of MessagePack where it is installed."""
    with registry(collector(), plugin(aaah_codecs=lambda: [Packed()]), *INSTALLED):
        yield


class Child(AsyncAPIActionHandler):
    @action
    async def hello(self, pk):
        return pk


class Hostile(AsyncAPIConsumer):
    codecs = CODECS
    secret = "a secret that no reply may hold"

    def helper(self):
        return self.secret

    async def another(self):
        return self.secret

    @action
    async def hello(self):
        return "hello"

    @action
    def plain(self):
        return "plain"

    @action
    async def take(self, value):
        return value

    @action
    async def fail(self):
        raise LookupError(self.secret)

    @action
    def fail_plainly(self):
        raise StopIteration(self.secret)

    @action
    async def some(self):
        return {1}

    @action
    async def none(self):
        pass

    @action
    async def thing(self):
        return object()


def hostile(**attributes):
    """Return the consumer with these attributes."""
    return type("Hostile", (Hostile,), attributes)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


REQUESTS = {
    # What is no request.
    "a list": ([], 400),
    "a list of requests": ([{"action": "hello"}], 400),
    "null": (None, 400),
    "a number": (7, 400),
    "text": ("hello", 400),
    "a bool": (True, 400),
    "an empty object": ({}, 400),
    # Actions.
    "an action that is null": ({"action": None}, 400),
    "an action that is a list": ({"action": ["hello"]}, 400),
    "an action that is an object": ({"action": {"hello": 1}}, 400),
    "an action that is a number": ({"action": 7}, 400),
    "an action that is a bool": ({"action": True}, 400),
    "an empty action": ({"action": ""}, 405),
    "a long action": ({"action": "x" * 10_000}, 405),
    **{
        f"{name}, which is no action": ({"action": name}, 405)
        for name in [
            "__init__", "__class__", "__call__", "send", "send_json", "close", "accept", "connect",
            "disconnect", "receive", "as_aaah", "as_asgi", "dispatch", "websocket_connect",
            "helper", "another", "secret", "scope", "_plan", "check_object_permissions", "HELLO",
            "hello ", "hello.__call__", "call", "codecs", "\n", "héllo",
        ]
    },
    "an action of another handler": ({"action": "none", "route": "child/5/"}, 405),
    # Routes.
    "a route that is a number": ({"action": "hello", "route": 7}, 400),
    "a route that is null": ({"action": "hello", "route": None}, 400),
    "a route that is a list": ({"action": "hello", "route": []}, 400),
    "a route of 256": ({"action": "hello", "route": "x" * 256}, 404),
    "a route of 257": ({"action": "hello", "route": "x" * 257}, 413),
    "a route of 20,000": ({"action": "hello", "route": "x" * 20_000}, 413),
    "a route out of the tree": ({"action": "hello", "route": "child/5/../../"}, 404),
    "a route with an address": ({"action": "hello", "route": "http://["}, 404),
    "a route of slashes": ({"action": "hello", "route": "//"}, 404),
    "a route with a new line": ({"action": "hello", "route": "child/5/\n"}, 404),
    "a route with a capture of the client's": (
        {"action": "hello", "route": "child/5/", "pk": 6}, 200,
    ),
    # Keys that a framework might spread.
    **{
        f"the key {name}": ({"action": "hello", name: "mine"}, 200)
        for name in [
            "self", "scope", "handler", "consumer", "partial", "args", "kwargs", "call", "user",
            "__class__", "cls", "", "errors", "status", "event",
        ]
    },
    "two of those for a sync action": ({"action": "plain", "self": 1, "handler": 2}, 200),
    "100 parameters": ({"action": "hello", **{f"p{n}": n for n in range(100)}}, 200),
    "101 parameters": ({"action": "hello", **{f"p{n}": n for n in range(101)}}, 413),
    "a missing parameter": ({"action": "take"}, 400),
    "a parameter inside of data": ({"action": "take", "data": {"value": 1}}, 400),
    # Actions that are wrong.
    "an action that raises": ({"action": "fail"}, 500),
    "a sync action that raises StopIteration": ({"action": "fail_plainly"}, 500),
    "an action that returns a set": ({"action": "some"}, 200),
    "an action that returns nothing": ({"action": "none"}, 204),
    "an action that returns an object": ({"action": "thing"}, 500),
    # Ids.
    **{
        f"the request_id {request_id!r:.20}": ({"action": "hello", "request_id": request_id}, 400)
        for request_id in [[], {}, True, 1.5, "x" * 129, [1]]
    },
    # Values.
    "a NUL in a value": ({"action": "take", "value": "a\0b"}, 400),
    "a NUL in a key": ({"action": "hello", "a\0b": 1}, 400),
    "a NUL in the action": ({"action": "hello\0"}, 400),
    "a NUL deep inside": ({"action": "hello", "data": [{"a": ["\0"]}]}, 400),
    "32 levels": ({"action": "hello", "data": nested(31)}, 200),
    "33 levels": ({"action": "hello", "data": nested(32)}, 413),
    "500 levels": ({"action": "hello", "data": nested(500)}, 413),
    "9,000 members": ({"action": "hello", "data": [0] * 9_000}, 200),
    "10,001 members": ({"action": "hello", "data": [0] * 10_001}, 413),
    "the largest integer": ({"action": "hello", "data": 2**64 - 1}, 200),
    "the smallest integer": ({"action": "hello", "data": -(2**63)}, 200),
    "large text": ({"action": "hello", "data": "x" * 200_000}, 200),
}  # fmt: skip

JSON_FRAMES = {
    "an empty frame": ("", 400),
    "white space": ("  ", 400),
    "half an object": ('{"action": "hel', 400),
    "two objects": ('{"action": "hello"}{"action": "hello"}', 400),
    "no JSON": ("hello", 400),
    "single quotes": ("{'action': 'hello'}", 400),
    "a comma too many": ('{"action": "hello",}', 400),
    "a byte order mark": ('\ufeff{"action": "hello"}', 400),
    "100,000 [": ("[" * 100_000, 413),
    "100,000 levels": ("[" * 100_000 + "]" * 100_000, 413),
    "100,000 objects": ('{"a":' * 50_000, 413),
    "a 5000-digit integer": ('{"action": "hello", "data": ' + "9" * 5000 + "}", 413),
    "an integer beyond 64 bits": ('{"action": "hello", "data": 18446744073709551616}', 400),
    "an id beyond 64 bits": ('{"action": "hello", "request_id": 18446744073709551616}', 400),
    "a float beyond its range": ('{"action": "hello", "data": 1e400}', 400),
    "NaN": ('{"action": "hello", "data": NaN}', 400),
    "Infinity": ('{"action": "hello", "data": -Infinity}', 400),
    "an escaped lone surrogate": ('{"action": "hello", "data": "\\ud800"}', 400),
    "a lone surrogate": ('{"action": "hello", "data": "\ud800"}', 400),
    "an escaped NUL": ('{"action": "hello", "data": "\\u0000"}', 400),
    "a key twice": ('{"action": "fail", "action": "hello"}', 200),
    "binary": (b'{"action": "hello"}', 415),
    "empty binary": (b"", 415),
}

BINARY_FRAMES = {
    "an empty frame": (b"", 400),
    "half an object": (b"\x81\xa6action\xa5hel", 400),
    "what is no type": (b"\xc1", 400),
    "two objects": (b"\x81\xa6action\xa5hello\x81\xa6action\xa5hello", 400),
    "NaN": (b"\x82\xa6action\xa5hello\xa4data\xcb\x7f\xf8\0\0\0\0\0\0", 400),
    "Infinity": (b"\x82\xa6action\xa5hello\xa4data\xcb\x7f\xf0\0\0\0\0\0\0", 400),
    "a lone surrogate": (b"\x82\xa6action\xa5hello\xa4data\xa3\xed\xa0\x80", 400),
    "a key that is a number": (b"\x82\xa6action\xa5hello\x01\x02", 400),
    "a key that is bytes": (b"\x82\xa6action\xa5hello\xc4\x01a\x02", 400),
    "a key that is a list": (b"\x82\xa6action\xa5hello\x90\x02", 400),
    "an extension": (b"\x82\xa6action\xa5hello\xa4data\xd4\x05\x01", 400),
    "text": ('{"action": "hello"}', 415),
    "empty text": ("", 415),
}


def check(reply, status):
    """Hold a reply against its status."""
    assert reply["status"] == status, reply
    assert Hostile.secret not in str(reply)
    if status >= 400:
        assert reply["data"] is None
        assert len(reply["errors"]) == 1
        assert {"code", "detail"} <= reply["errors"][0].keys()


async def one_reply(ws, frame, status):
    """Send a frame; it has one reply, and the next message works."""
    await ws.send_frame(frame)
    check(await ws.receive(), status)
    reply = await ws.call("hello", request_id="next")
    assert (reply["request_id"], reply["data"], reply["status"]) == ("next", "hello", 200)


def routed():
    return hostile(routepatterns=[path("child/<int:pk>/", Child.as_aaah())])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("request_", "status"), REQUESTS.values(), ids=REQUESTS)
async def test_each_request_has_one_reply_with_the_right_status(codec, request_, status):
    async with connect(routed().as_asgi(), codec=codec) as ws:
        await one_reply(ws, frame_of(codec, request_), status)


def frame_of(codec, payload):
    # Not the codec's own encoder, which might refuse.
    return json.dumps(payload) if codec == "json" else msgspec.msgpack.encode(payload)


@pytest.mark.parametrize(("frame", "status"), JSON_FRAMES.values(), ids=JSON_FRAMES)
async def test_each_text_frame_has_one_reply_with_the_right_status(frame, status):
    async with connect(routed().as_asgi()) as ws:
        await one_reply(ws, frame, status)


@pytest.mark.parametrize("codec", BINARY)
@pytest.mark.parametrize(("frame", "status"), BINARY_FRAMES.values(), ids=BINARY_FRAMES)
async def test_each_binary_frame_has_one_reply_with_the_right_status(codec, frame, status):
    async with connect(routed().as_asgi(), codec=codec) as ws:
        await one_reply(ws, frame, status)


@pytest.mark.parametrize("codec", BINARY)
@pytest.mark.parametrize(
    "frame",
    [
        b"\x91" * 1_000 + b"\xc0",
        b"\x91" * 100_000 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
    ids=["1,000 levels", "100,000 levels", "a list", "a map", "text", "bytes"],
)
async def test_levels_and_lengths_without_end_are_one_refusal(codec, frame):
    async with connect(routed().as_asgi(), codec=codec) as ws:
        await ws.send_frame(frame)
        # Whether its length or its end is what a codec finds wrong first is up to the codec.
        assert (await ws.receive())["status"] in (400, 413)
        assert (await ws.call("hello"))["status"] == 200


async def test_a_frame_with_neither_text_nor_bytes_is_an_empty_one():
    async with Socket(routed().as_asgi()) as raw:
        for message in [{}, {"text": None, "bytes": None}]:
            raw.put({"type": "websocket.receive", **message})
        assert json.loads((await raw.get(1))["text"])["status"] == 415
        assert json.loads((await raw.get(2))["text"])["status"] == 415


async def test_what_could_be_read_of_a_malformed_request_is_repeated():
    async with connect(routed().as_asgi()) as ws:
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
    async with connect(routed().as_asgi()) as ws:
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


@pytest.mark.parametrize("codec", CODECS)
async def test_over_sockets_each_has_one_reply_too_and_one_connection_lives_through_all(codec):
    from websockets.asyncio.client import connect as connect_socket

    frames = JSON_FRAMES if codec == "json" else BINARY_FRAMES
    # A client cannot send lone surrogates as text: no UTF-8 has them.
    table = [each for name, each in frames.items() if name != "a lone surrogate" or codec != "json"]
    table += [(frame_of(codec, payload), status) for payload, status in REQUESTS.values()]
    decode = json.loads if codec == "json" else msgspec.msgpack.decode
    good = frame_of(codec, {"action": "hello", "request_id": "next"})
    with served(routed().as_asgi()) as port:
        uri = f"ws://127.0.0.1:{port}/"
        subprotocols = [f"aaah.{codec}"]
        async with (
            asyncio.timeout(30),
            connect_socket(uri, subprotocols=subprotocols, proxy=None) as ws,
        ):
            assert ws.subprotocol == f"aaah.{codec}"
            for frame, status in table:
                await ws.send(frame)
                check(decode(await ws.recv()), status)
                await ws.send(good)
                assert decode(await ws.recv())["request_id"] == "next"
            for frame, _ in table:  # and all at once
                await ws.send(frame)
            for _, status in table:
                assert decode(await ws.recv())["status"] == status


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
    with served(consumer(act, permission_classes=[Nobody]).as_asgi()) as port:
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

    limits = {"connections_per_address": 1, "age": 1}
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
