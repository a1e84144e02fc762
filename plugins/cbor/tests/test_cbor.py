"""The CBOR codec: what it reads, what it refuses, and that clients can speak it."""

from __future__ import annotations

import contextlib
import json
import math
import re
import struct
import tracemalloc
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_async_action.decorators import async_action
from aaah_cbor.codec import CBORCodec
from aaah_cbor.scan import may_be_wide, require_bounds
from aaah_core import AsyncAPIConsumer, DecodeError, EncodeError, Limits
from aaah_core.testing import assert_codec_conforms, assert_plugin_conforms, connect, live_server

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")

codec = CBORCodec()
limits = Limits()
many = settings(deadline=None)


def refused(frame, limits=limits):
    with pytest.raises(DecodeError) as caught:
        codec.decode(frame, limits)
    return caught.value


def test_the_plugin_conforms():
    assert_plugin_conforms("cbor")


def test_the_codec_conforms():
    assert_codec_conforms(codec, dumps=cbor2.dumps, duplicates=bytes.fromhex("a2616101616102"))


# What it reads. The frames are examples of RFC 8949, appendix A, or made as those are.


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        ("1bffffffffffffffff", 2**64 - 1),
        ("3b7fffffffffffffff", -(2**63)),
        ("c243010000", 65_536),
        ("c248ffffffffffffffff", 2**64 - 1),
        ("c34100", -1),
        ("f93c00", 1.0),
        ("fa47c35000", 100_000.0),
        ("fb3ff199999999999a", 1.1),
        ("62c3bc", "ü"),
        ("4401020304", b"\1\2\3\4"),
        ("5f42010243030405ff", b"\1\2\3\4\5"),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9fff", []),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("a26161016161f5", {"a": True}),
        ("f6", None),
    ],
)
def test_cbor_is_read(frame, payload):
    assert codec.decode(bytes.fromhex(frame), limits) == payload


@pytest.mark.parametrize(
    "frame",
    [
        *("", "81", "a16161", "8000", "ff", "1c", "7f4161ff", "bf6161ff", "5f5f4100ffff"),
        *("f7", "f0", "f820", "f810", "61ff", "63eda080", "7f61c361a9ff"),
        *("f97e00", "f97c00", "f9fc00", "fa7f800000", "fb7ff8000000000000"),
        *("a10102", "a1f602", "a18002", "a1416102", "a1fb3ff000000000000002"),
        *(
            "6100",
            "a1610002",
            "3b8000000000000000",
            "c249010000000000000000",
            "c260",
            "c280",
            "c2491b",
        ),
    ],
)
def test_what_is_unreadable_or_no_json_value_is_a_400(frame):
    error = refused(bytes.fromhex(frame))
    assert (error.status, error.code) == (400, "unreadable")


@pytest.mark.parametrize(
    "tagged",
    [
        *("c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "c48221196ab3"),
        *("c5821a3b9aca0001", "d81900", "d81c80", "d81c81d81d00", "d81d00", "d81e820102"),
        *("d823632e2b2b", "d82461", "d82550" + "00" * 16, "d86400", "d9010080", "d9010280"),
        *("d9d9f700", "d9270f00", "d9a7f800", "dbffffffffffffffff00"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "81{}", "a16161{}", "9f{}ff"])
def test_no_tag_but_a_bignum_is_read(tagged, around):
    assert refused(bytes.fromhex(around.format(tagged))).status == 400


def test_shared_references_make_neither_cycles_nor_copies():
    cycle: list[object] = []
    cycle.append(cycle)
    for value in (cycle, [many_times := ["x"] * 100, many_times]):
        assert refused(cbor2.dumps(value, value_sharing=True)).status == 400
    bomb = bytes.fromhex("d9010082") + b"\x79\xff\xff" + b"x" * 65_535 + b"\xd8\x19\x00"
    assert refused(bomb).status == 400


def test_what_would_be_long_to_compute_is_never_computed():
    two_to_the_power_of = bytes.fromhex("c5821b7fffffffffffffff01")
    pattern = cbor2.dumps(cbor2.CBORTag(35, "(a*)*" * 1_000))
    for frame in (two_to_the_power_of, pattern):
        assert refused(frame).status == 400


def test_a_value_that_may_not_be_is_named_with_its_place():
    error = refused(cbor2.dumps({"data": [{"ratio": math.nan}]}))
    assert error.errors[0]["field"] == ["data", 0, "ratio"]


def test_text_is_no_frame_of_cbor():
    assert refused('{"action": "list"}').status == 400


# What is too much.


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81" * 33 + b"\xf6",
        b"\x9f" * 33 + b"\xff" * 33,
        b"\x81" * 100_000,
        b"\xa1\x61a" * 33 + b"\xf6",
        b"\xc2" * 100_000,
        b"\x99\x27\x11" + b"\0" * 10_001,
        b"\x9f" + b"\0" * 10_001 + b"\xff",
        b"\x9f" + b"\x80" * 262_000 + b"\xff",
        b"\x82" + (b"\x99\x27\x0f" + b"\0" * 9_999) * 2,
        cbor2.dumps({str(n): n for n in range(10_001)}),
        cbor2.dumps(10**640),
        cbor2.dumps(-(10**640) - 1),
        b"\xc2\x5a\x00\x03\xff\x00" + b"\xff" * 0x3FF00,
    ],
    ids=range(13),
)
def test_what_passes_a_bound_is_a_413(frame):
    error = refused(frame)
    assert (error.status, error.code) == (413, "too_large")


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81" * 32 + b"\xf6",
        b"\x81" * 32 + b"\xc2\x41\x01",
        b"\x9f" * 32 + b"\xff" * 32,
        b"\x99\x27\x10" + b"\x80" * 10_000,
        b"\x9f" + b"\x80" * 10_000 + b"\xff",
        b"\xb9\x27\x10" + b"".join(cbor2.dumps(f"{n}\x80") + b"\xa0" for n in range(10_000)),
        b"\xbf" + b"".join(cbor2.dumps(f"{n}") + b"\xc2\x41\x80" for n in range(10_000)) + b"\xff",
        b"\x5f" + b"\x42\x80\x81" * 10_000 + b"\xff",
        cbor2.dumps({"data": b"\x80" * 200_000, "text": "\u0080" * 20_000}),
    ],
    ids=range(9),
)
def test_what_keeps_within_the_bounds_is_read(frame):
    assert codec.decode(frame, limits) is not None


@pytest.mark.parametrize(
    "frame",
    [
        b"\x9f" + b"\x80" * 262_142 + b"\xff",
        b"\x9f" + b"\xa1\x60\x80" * 87_000 + b"\xff",
        b"\x9f" + b"\xa1\x60" * 131_000,
        (b"\x9f" * 31 + b"\xff" * 30) * 4_200,
        b"\x99\xff\xff" * 87_000,
        b"\x9b" + b"\x7f" * 8 + b"\xbb" + b"\x7f" * 8,
        b"\x7b" + b"\x7f" * 8 + b"a" * 262_000,
        b"\x5f" + b"\x40" * 262_142 + b"\xff",
        b"\x5f" + b"\x5f" * 262_000,
        b"\xd9\xd9\xf7" * 87_000,
    ],
    ids=range(10),
)
def test_a_frame_takes_no_more_than_a_few_times_its_size(frame):
    with contextlib.suppress(DecodeError):  # what else is loaded at the first use
        codec.decode(frame[:100], limits)
    tracemalloc.start()
    try:
        with contextlib.suppress(DecodeError):
            codec.decode(frame, limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize("value", [b"\xc2\x41\1", b"\xd8\2\x41\1", b"\xe0", b"\xf8\x20", b"\xf5"])
def test_what_takes_long_to_read_is_refused_before_it_is_read(value, monkeypatch):
    monkeypatch.setattr(cbor2, "CBORDecoder", None)
    with pytest.raises(DecodeError) as caught:
        codec.decode(b"\x9f" + value * (250_000 // len(value)) + b"\xff", limits)
    assert caught.value.status == 413


def test_a_long_frame_is_looked_at_for_a_bounded_number_of_steps():
    frame = b"\x82\x59\x27\x11" + b"\x80" * 10_001 + b"\x9f" + b"\0" * 250_000 + b"\xff"
    assert may_be_wide(frame, limits)
    with pytest.raises(DecodeError):
        require_bounds(frame, limits)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=9).filter(
        lambda text: "\0" not in text
    ) | st.floats(allow_nan=False, allow_infinity=False) | st.binary(max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)  # fmt: skip


@many
@given(plain)
def test_what_is_written_is_what_others_read_and_is_read_again(payload):
    frame = codec.encode(payload)
    assert cbor2.loads(frame) == codec.decode(frame, limits) == payload


@many
@given(plain)
def test_the_look_before_never_refuses_what_is_within_the_bounds(payload):
    narrow = Limits(items=40)
    frame = cbor2.dumps(payload)
    try:
        read = codec.decode(frame, narrow)
    except DecodeError:
        return
    require_bounds(frame, narrow)
    assert read == payload


@many
@given(st.binary() | plain.map(cbor2.dumps), st.integers(0, 40), st.binary(max_size=3))
def test_whatever_bytes_arrive_are_read_or_refused(frame, place, damage):
    with contextlib.suppress(DecodeError):
        codec.decode(frame[:place] + damage + frame[place:], limits)


# What it writes.


def test_bytes_go_out_as_a_byte_string_and_floats_in_full():
    assert codec.encode([b"\0\xff", 1.1]) == b"\x82\x42\0\xff\xfb" + struct.pack(">d", 1.1)


@pytest.mark.parametrize("value", [object(), 2**64, cbor2.CBORTag(1, 2), cbor2.undefined])
def test_what_nobody_can_encode_is_named_with_its_place(value):
    with pytest.raises(EncodeError, match=r"^data\[1\]"):
        codec.encode({"data": [0, value]})


# Clients.


class Chat(AsyncAPIConsumer):
    codecs = ("json", "cbor")

    @async_action
    async def echo(self, value):
        return value


async def test_clients_of_both_codecs_are_served_over_one_socket_address():
    async with live_server(Chat.as_asgi()) as server:
        async with server.connect("/", codec="cbor") as client:
            assert client.subprotocol == "aaah.cbor"
            await client.send_frame(cbor2.dumps({"action": "echo", "value": b"\0"}))
            frame = await client.receive_frame()
            assert isinstance(frame, bytes)
            assert cbor2.loads(frame)["data"] == b"\0"
            await client.send_frame("no bytes")
            assert (await client.receive())["status"] == 415
            await client.send_frame(b"\xff")
            assert (await client.receive())["status"] == 400
        async with server.connect("/") as client:
            assert (await client.call("echo", value=1))["data"] == 1


async def test_the_readme_says_what_happens():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (text,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    names = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), names)
    sent, answered = text.removeprefix("→").split("←")
    async with connect(names["Library"].as_asgi(), codec="cbor") as client:
        await client.send_frame(cbor2.dumps(json.loads(sent)))
        assert cbor2.loads(await client.receive_frame()) == json.loads(answered)
