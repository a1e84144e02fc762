"""What goes wrong around a call, and concerns nobody else: clocks, ids, neighbours."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress

import pytest
from channels.layers import get_channel_layer

from aaah_core import BasePermission, Limits, apublish
from aaah_core.defaults.json import JSONCodec
from aaah_core.errors import DecodeError
from aaah_core.testing import connect
from aaah_msgpack.codec import MessagePackCodec
from tests.conftest import Socket, action, consumer
from tests.hostile.rules import broken

pytestmark = pytest.mark.usefixtures("core")

DAY = 86_400


@action
async def hello(self):
    return "hello"


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_a_clock_that_jumps_by_a_day_ends_no_call_and_no_connection(jump, quick, monkeypatch):
    @action
    async def wait(self):
        before = time.time()
        monkeypatch.setattr(time, "time", lambda: before + jump)
        await quick(3)  # looks of the watchdog, which would end what is over its deadline
        return "waited"

    chat = consumer(hello, wait, limits={"deadline": 5})
    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("wait"))["data"] == "waited"
        assert (await ws.call("hello"))["data"] == "hello"


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_calls_of_one_request_id_run_once_each_and_have_a_reply_each(concurrency):
    ran = []

    @action
    async def count(self):
        ran.append(self.call.request_id)
        await asyncio.sleep(0)
        return len(ran)

    async with connect(consumer(count, concurrency=concurrency).as_asgi()) as ws:
        for _ in range(3):
            await ws.send({"action": "count", "request_id": "same"})
        replies = [await ws.receive() for _ in range(3)]
    assert ran == ["same"] * 3
    assert [each["request_id"] for each in replies] == ["same"] * 3
    assert {each["status"] for each in replies} == {200}


async def test_a_reply_that_is_ready_after_the_client_left_goes_nowhere(caplog):
    left = asyncio.Event()

    @action
    async def stubborn(self):
        try:
            await left.wait()
        except asyncio.CancelledError:
            await self.send_json({"too": "late"})
            return "too late"

    async with Socket(consumer(stubborn, concurrency=2).as_asgi()) as socket:
        await socket.get(0)
        socket.put('{"action": "stubborn"}')
        await socket.taken()
        socket.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait([socket.task], timeout=5)
        assert socket.task.done()
    assert [message["type"] for message in socket.sent] == ["websocket.accept"]
    assert not caplog.records


async def test_a_member_whose_event_method_fails_keeps_no_other_from_the_event(caplog):
    async def news(self, event):
        if self.scope["path"] == "/fails":
            raise LookupError
        await self.send_json({"event": "news", "data": event.data})

    application = consumer(hello, news=news, groups=["everyone"]).as_asgi()
    async with (
        connect(application, "/fails") as failing,
        connect(application) as first,
        connect(application) as second,
    ):
        for number in range(2):
            await apublish("everyone", "news", number)
            for member in (first, second):
                assert (await member.receive())["data"] == number
        assert (await failing.call("hello"))["data"] == "hello"
    assert caplog.text.count("failed in Chat") == 2
    assert get_channel_layer().groups == {}


@pytest.mark.parametrize("fails", ["check", "action", "reply", "key of the reply"])
async def test_what_fails_for_one_client_is_one_500_and_the_others_notice_nothing(fails, caplog):
    class Check(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            if fails == "check" and action == "act":
                raise LookupError
            return True

    @action
    async def act(self):
        if fails == "action":
            raise LookupError
        return object() if fails == "reply" else {(1,): 2}

    application = consumer(hello, act, permission_classes=[Check], groups=["all"]).as_asgi()
    async with connect(application) as one, connect(application) as other:
        reply = await one.call("act")
        assert (reply["status"], reply["data"]) == (500, None)
        assert reply["errors"][0]["id"] in caplog.text
        for client in (one, other):
            assert (await client.call("hello"))["data"] == "hello"


#: Of 262,144 bytes at most, each made to keep some step of the reading busy.
HEAVY = {
    "json": [
        *("[" + "{}," * 87_000 + "{}]", '"' + "\\u0000" * 40_000, "[" * 131_072, "9" * 262_144),
        *("[]" * 131_072, '{"a":' * 40_000, "[" + "0," * 130_000 + "0]"),
        *("[" + '"",' * 87_000 + '""]', '["' + "[]" * 131_000 + '"]'),
        "[" * 40 + '"' + "[" * 131_000 + '"' + "]" * 40,
        "[" * 131_000 + "]" * 131_000,
        "[" + ("[" * 31 + "]" * 31 + ",") * 4_100 + "0]",
        "[" + '"\\\\",' * 50_000 + '""]',
    ],
    "msgpack": [
        *(b"\x9a" + (b"\xdc\x27\x0f" + each * 9_999) * 10 for each in (b"\x90", b"\x80", b"\xc0")),
        b"\xdc\x27\x10" * 1_020,
        b"\xdc\x27\x0f" + (b"\x9f" + b"\x90" * 15) * 9_999,
        b"\xdc\x27\x0f" + b"\x91" * 30 + (b"\x9f" + b"\x80" * 15) * 15_000,
    ],
}


@pytest.mark.programme(alone=True)
@pytest.mark.parametrize("codec", [JSONCodec(), MessagePackCodec()], ids=["json", "msgpack"])
def test_no_hostile_frame_takes_more_than_20_ms_to_read(codec, record_property):
    kind = str if codec.frame == "text" else bytes
    frames = [each for _, some, _ in broken(codec.name) for each in some if isinstance(each, kind)]
    frames += HEAVY[codec.name]
    gc.collect()
    gc.freeze()  # what the other tests left is nothing that a server has
    slowest = max(seconds_of(codec, frame, Limits()) for frame in frames)
    gc.unfreeze()
    record_property("slowest", f"{slowest * 1_000:.1f} ms")
    assert slowest < 0.02


def seconds_of(codec, frame, limits):
    """Return the least of five times on the processor, which other processes add little to."""
    spent = []
    for _ in range(5):
        begun = time.thread_time()
        with suppress(DecodeError):
            codec.decode(frame, limits)
        spent.append(time.thread_time() - begun)
    return min(spent)
