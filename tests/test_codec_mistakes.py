"""A codec that makes a wrong frame of some payloads: a call gets a 500, and the log names it."""

from __future__ import annotations

import json

import pytest

from aaah_core import AsyncAPIConsumer, Codec, apublish
from aaah_core.testing import connect, registry
from tests.conftest import Socket, action, collector, plugin


class Faulty(Codec):
    """Gives what is no text where a payload asks for it."""

    name = "faulty"
    frame = "text"

    def encode(self, payload):
        text = json.dumps(payload)
        for word, frame in (("as bytes", text.encode()), ("as none", None), ("as dict", payload)):
            if word in text:
                return frame
        return text

    def decode(self, frame, limits):
        return json.loads(frame)


class Desk(AsyncAPIConsumer):
    codecs = ("faulty",)
    groups = ("desk",)

    @action
    async def echo(self, value):
        return value

    @action
    async def tell(self, value):
        await self.send_json({"value": value})

    @action
    async def publish(self):
        for value in (*WRONG, "fine"):
            await apublish("desk", "news", value)


class Spread(Desk):
    concurrency = 3


@pytest.fixture(autouse=True)
def offered():
    with registry(collector(), plugin(aaah_codecs=lambda: [Faulty()])) as isolated:
        yield isolated


def is_strict(message):
    """Raise as servers do that take text as text alone."""
    if message["type"] == "websocket.send" and not isinstance(message.get("text"), str):
        raise TypeError("data must be str")


def request(name, value, request_id):
    return json.dumps({"action": name, "value": value, "request_id": request_id})


WRONG = ["as bytes", "as none", "as dict"]


@pytest.mark.parametrize("consumer_class", [Desk, Spread])
@pytest.mark.parametrize("value", WRONG)
async def test_a_reply_that_is_no_frame_is_a_500_and_the_connection_lives(
    value, consumer_class, caplog
):
    async with Socket(consumer_class.as_asgi()) as socket:
        socket.on_send = is_strict
        socket.put(request("echo", value, 1))
        reply = json.loads((await socket.get(1))["text"])
        assert (reply["status"], reply["request_id"]) == (500, 1)
        socket.put(request("echo", "fine", 2))
        assert json.loads((await socket.get(2))["text"])["data"] == "fine"
    assert "codec 'faulty' of Plugin" in caplog.text
    assert reply["errors"][0]["id"] in caplog.text


@pytest.mark.parametrize("value", WRONG)
async def test_so_is_a_payload_that_an_action_sends_itself(value, caplog):
    async with Socket(Desk.as_asgi()) as socket:
        socket.on_send = is_strict
        socket.put(request("tell", value, 1))
        reply = json.loads((await socket.get(1))["text"])
        assert reply["status"] == 500
    assert "codec 'faulty' of Plugin" in caplog.text


async def test_an_event_that_is_no_frame_ends_no_connection(caplog):
    async with connect(Desk.as_asgi(), codec=Faulty()) as client:
        assert (await client.call("publish"))["status"] == 204
        assert (await client.receive())["data"] == "fine"
    assert caplog.text.count("codec 'faulty' of Plugin") == len(WRONG)


async def test_a_client_that_is_gone_is_no_fault_of_the_codec(caplog):
    def fails(message):
        raise ConnectionError("gone")

    async with Socket(Desk.as_asgi()) as socket:
        await socket.get(0)
        socket.on_send = fails
        socket.put(request("echo", "fine", 1))
    assert "codec" not in caplog.text
