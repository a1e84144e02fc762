"""The MessagePack codec: what it reads, what it refuses, and that it says what JSON says."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import decimal
import enum
import math
import struct
import subprocess
import sys
import tracemalloc
import uuid
from dataclasses import dataclass
from json import dumps
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aaah_core.defaults.json import JSONCodec
from aaah_core.errors import DecodeError, EncodeError
from aaah_core.interfaces import Codec
from aaah_core.limits import Limits
from aaah_core.plain import MAX_DEPTH, to_plain
from aaah_msgpack import plugin
from aaah_msgpack.codec import MessagePackCodec
from aaah_msgpack.scan import require_bounds

codec = MessagePackCodec()
json = JSONCodec()
limits = Limits()
many = settings(deadline=None)


def refused(frame, limits=limits):
    with pytest.raises(DecodeError) as caught:
        codec.decode(frame, limits)
    return caught.value


# What it reads.


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (b"\x81\xa6action\xa4list", {"action": "list"}),
        (b"\xc0", None),
        (b"\x93\xc3\xc2\x07", [True, False, 7]),
        (b"\xcf" + b"\xff" * 8, 2**64 - 1),
        (b"\xd3\x80" + b"\0" * 7, -(2**63)),
        (b"\xcb" + struct.pack(">d", 1.5), 1.5),
        (b"\xa2\xc3\xa9", "é"),
        (b"\xc4\x02\0\xff", b"\0\xff"),
        (b"\x82\xa1a\x01\xa1a\x02", {"a": 2}),
        (b"\x91" * 32 + b"\xc0", None),
        (b"\xdc\x27\x10" + b"\x00" * 10_000, [0] * 10_000),
    ],
    ids=range(11),
)
def test_messagepack_is_read(frame, payload):
    decoded = codec.decode(frame, limits)
    if payload is None:
        while isinstance(decoded, list):
            [decoded] = decoded
    assert decoded == payload


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x81\xa6action",
        b"\x81\xa6action\xa4list\0",
        b"\x90" * 1_048_576,
        b"\x80" * 1_048_576,
        b"\xc1",
        b'{"action": "list"}',
        '{"action": "list"}',
        "",
        b"\xa1\xff",
        b"\xa3\xed\xa0\x80",
        b"\x81\x01\x02",
        b"\x81\xc0\x02",
        b"\x81\x90\x02",
        b"\x81\x80\x02",
        b"\x81\xc4\x01a\x02",
        b"\x81\xd4\x05a\x02",
        b"\xd4\x05a",
        b"\xc7\x00\x05",
        b"\xc7\x00\xff",
        b"\xd6\xff\0\0\0\0",
        b"\xd7\xff" + b"\0" * 8,
        b"\xd7\xff" + b"\xff" * 8,
        b"\xc7\x0c\xff" + b"\0" * 12,
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xc7\x05\xff" + b"\0" * 5,
        b"\xc9\xff\xff\xff\xff\x05",
        b"\xcb" + struct.pack(">d", math.nan),
        b"\xca" + struct.pack(">f", math.inf),
        b"\xcb" + struct.pack(">d", -math.inf),
        b"\xa1\0",
        b"\x81\xa1\0\x01",
    ],
    ids=range(32),
)
def test_what_is_unreadable_or_no_json_value_is_a_400(frame):
    error = refused(frame)
    assert (error.status, error.code) == (400, "unreadable")


def test_a_value_that_may_not_be_is_named_with_its_place():
    error = refused(msgpack.packb({"data": [{"ratio": math.nan}]}))
    assert error.errors[0]["field"] == ["data", 0, "ratio"]


@pytest.mark.parametrize(
    "frame",
    [
        b"\x91" * 33 + b"\xc0",
        b"\x91" * 64 + b"\xc0",
        b"\x91" * 500 + b"\xc0",
        b"\x91" * 1_100 + b"\xc0",
        b"\x91" * 100_000,
        b"\x81" * 100_000,
        b"\x81\xa1a" * 33 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdc\x27\x11" + b"\x00" * 10_001,
        b"\x92" + (b"\xdc\x27\x0f" + b"\x00" * 9_999) * 2,
        msgpack.packb({str(n): n for n in range(10_001)}),
    ],
    ids=range(12),
)
def test_what_passes_a_bound_is_a_413(frame):
    error = refused(frame)
    assert (error.status, error.code) == (413, "too_large")


@pytest.mark.parametrize("header", [b"\xdb", b"\xc6"], ids=["text", "bytes"])
def test_a_length_that_the_frame_does_not_have_is_refused_at_once(header):
    assert refused(header + b"\xff" * 4).status in {400, 413}


def test_the_bounds_are_those_of_the_connection():
    assert refused(msgpack.packb("four"), Limits(frame_bytes=3)).status == 413
    assert refused(msgpack.packb(b"four"), Limits(frame_bytes=3)).status == 413
    assert refused(msgpack.packb([1, 2, 3]), Limits(items=2)).status == 413
    assert refused(msgpack.packb([[1, 2], [3]]), Limits(items=4)).status == 413
    assert refused(msgpack.packb([[]]), Limits(depth=1)).status == 413


@pytest.mark.parametrize(
    "frame",
    [
        b"\xdc\x27\x10" * 1_020,
        b"\xde\x27\x10\xa1a" * 1_020,
        b"\xdd\0\0\x27\x10" * 33,
        b"\x9a" + (b"\xdc\x27\x0f" + b"\x90" * 9_999) * 10,
        b"\x91" * 10_001,
    ],
    ids=range(5),
)
def test_what_is_announced_inside_one_another_takes_no_room(frame):
    tracemalloc.start()
    try:
        error = refused(frame)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (error.status, error.code) == (413, "too_large")
    assert most < 1_048_576


@pytest.mark.parametrize(
    "payload",
    [
        "\u0700" * 50_000,
        {"a": "\u0400" * 50_000, "b": ["\U00010000" * 9]},
        [b"\xdc" * 50_000, b"\x90" * 300, b"\x90" * 70_000],
        ["\u0780" * 10, "\u0780" * 100, "\u0780" * 300, -1, 1.5, 2**63, -(2**63), -(2**31), 2**40],
        [[] for _ in range(10_000)],
        {str(n): {} for n in range(10_000)},
        [[n, n] for n in range(3_333)],
    ],
    ids=range(7),
)
def test_what_only_looks_too_wide_or_too_deep_is_read(payload):
    assert codec.decode(msgpack.packb(payload), limits) == payload


wild = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary() | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary())
    | st.builds(msgpack.Timestamp, st.integers(0, 2**33)),
    lambda inner: st.lists(inner)
    | st.dictionaries(st.text() | st.binary() | st.integers(0, 9), inner),
)  # fmt: skip


@many
@given(st.binary())
def test_whatever_bytes_arrive_are_read_or_refused(frame):
    with contextlib.suppress(DecodeError):
        codec.decode(frame, limits)


@many
@given(wild, st.integers(0, 200), st.binary(max_size=3))
def test_a_damaged_frame_is_read_or_refused(payload, place, damage):
    frame = bytearray(msgpack.packb(payload))
    frame[place : place + len(damage)] = damage
    with contextlib.suppress(DecodeError):
        codec.decode(bytes(frame), limits)


@many
@given(wild)
def test_what_is_read_is_what_json_could_have_sent_and_bytes(payload):
    try:
        decoded = codec.decode(msgpack.packb(payload), limits)
    except DecodeError:
        return
    assert to_plain(decoded, keep_bytes=True) == decoded == payload


# The rules are those of JSON.

DEEP, DEEPER = "[" * 32 + "]" * 32, "[" * 33 + "]" * 33
WIDE, WIDER = b"\xdc\x27\x10" + b"\0" * 10_000, b"\xdc\x27\x11" + b"\0" * 10_001


@pytest.mark.parametrize(
    ("text", "packed", "status"),
    [
        ('{"a": 1}', b"\x81\xa1a\x01", None),
        ("{1: 1}", b"\x81\x01\x01", 400),
        ("{null: 1}", b"\x81\xc0\x01", 400),
        ("[NaN]", b"\x91\xcb" + struct.pack(">d", math.nan), 400),
        ("[Infinity]", b"\x91\xca" + struct.pack(">f", math.inf), 400),
        ("[-Infinity]", b"\x91\xcb" + struct.pack(">d", -math.inf), 400),
        ('["\\ud800"]', b"\x91\xa3\xed\xa0\x80", 400),
        ('["\ud800"]', b"\x91\xa3\xed\xa0\x80", 400),
        ('{"\\udfff": 1}', b"\x81\xa3\xed\xbf\xbf\x01", 400),
        ('["\\u0000"]', b"\x91\xa1\0", 400),
        ('{"\\u0000": 1}', b"\x81\xa1\0\x01", 400),
        ('{"a": {"b": ["c\\u0000"]}}', b"\x81\xa1a\x81\xa1b\x91\xa2c\0", 400),
        ("[18446744073709551615]", b"\x91\xcf" + b"\xff" * 8, None),
        ("[-9223372036854775808]", b"\x91\xd3\x80" + b"\0" * 7, None),
        ("[18446744073709551616]", b"\x91\xc7\x09\x05\x01" + b"\0" * 8, 400),
        ("[new Date(0)]", b"\x91\xd6\xff\0\0\0\0", 400),
        ("", b"", 400),
        ('{"a"', b"\x81\xa1a", 400),
        ("[][]", b"\x90\x90", 400),
        (DEEP, b"\x91" * 31 + b"\x90", None),
        (DEEPER, b"\x91" * 32 + b"\x90", 413),
        ("[" * 100_000, b"\x91" * 100_000, 413),
        ("[" + "0," * 9_999 + "0]", WIDE, None),
        ("[" + "0," * 10_000 + "0]", WIDER, 413),
        ('{"a": 1, "a": 2}', b"\x82\xa1a\x01\xa1a\x02", None),
    ],
    ids=range(25),
)
def test_both_codecs_read_and_refuse_the_same(text, packed, status):
    assert outcome(json, text) == outcome(codec, packed)
    assert outcome(codec, packed)[0] == status


def outcome(reader, frame):
    """Return the status of a refusal and None, or None and what was read."""
    try:
        return None, reader.decode(frame, limits)
    except DecodeError as error:
        return error.status, None


#: Of what both can write: JSON has neither NaN nor infinity.
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


@many
@given(plain, st.integers(0, 40), st.booleans())
@example("\0", 0, False)
@example({"\0": []}, 31, False)
@example(0, 31, False)
@example(0, 32, True)
def test_any_payload_is_read_or_refused_by_both(payload, levels, ascii_only):
    for _ in range(levels):
        payload = {"a": payload} if levels % 2 else [payload]
    text = dumps(payload, ensure_ascii=ascii_only)
    (status, read), (other_status, other_read) = (
        outcome(json, text),
        outcome(codec, msgpack.packb(payload)),
    )
    if r"\u0000" in text:  # one that is too deep as well may be refused for either
        assert {status, other_status} <= {400, 413}
    else:
        assert (status, read) == (other_status, other_read)


def measured(value):
    """Return how deep and how wide a payload is."""
    if not isinstance(value, (list, dict)):
        return 0, 0
    inner = [measured(each) for each in (value.values() if isinstance(value, dict) else value)]
    deepest = max((depth for depth, _ in inner), default=0)
    return deepest + 1, len(inner) + sum(members for _, members in inner)


@many
@given(wild, st.integers(1, 4), st.integers(1, 8), st.binary(max_size=3))
def test_a_look_at_the_frame_finds_what_is_too_deep_or_too_wide(payload, depth, items, behind):
    found, members = measured(payload)
    status = None
    try:
        require_bounds(msgpack.packb(payload) + behind, Limits(depth=depth, items=items))
    except DecodeError as error:
        status = error.status
    assert status == (413 if found > depth or members > items else None)


@many
@given(st.binary())
def test_whatever_bytes_are_looked_at_it_ends(frame):
    with contextlib.suppress(DecodeError):
        require_bounds(frame, limits)


# What it writes.


class Colour(enum.Enum):
    RED = "red"
    DURATION = dt.timedelta(days=1)


@dataclass
class Book:
    title: Any


def without_bytes(value):
    """Return a payload of MessagePack as JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [without_bytes(item) for item in value]
    if isinstance(value, dict):
        return {key: without_bytes(item) for key, item in value.items()}
    return value


words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
keys = (
    words | st.integers(0, 9) | st.booleans() | st.none() | st.floats() | st.uuids() | st.dates()
    | st.decimals(allow_nan=False) | st.sampled_from(Colour) | st.binary(max_size=4)
)  # fmt: skip
leaves = (
    keys
    | st.integers(-(2**63), 2**64 - 1)
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.times()
    | st.timedeltas()
    | st.binary().map(bytearray)
    | st.binary().map(memoryview)
)
payloads = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.frozensets(keys, max_size=3)
        | st.dictionaries(keys, inner, max_size=4)
        | st.builds(Book, inner)
    ),
)


@many
@given(payloads)
@example({1: "first", "1": "last"})
@example([decimal.Decimal("NaN"), math.nan, uuid.UUID(int=1), {1, 2}, Colour.DURATION])
def test_a_client_of_either_codec_gets_the_same(payload):
    packed = codec.decode(codec.encode(payload), limits)
    assert without_bytes(packed) == json.decode(json.encode(payload), limits)
    assert packed == to_plain(payload, keep_bytes=True)


# The same with more examples.

thousands = settings(deadline=None, max_examples=2_000)


@pytest.mark.programme
@thousands
@given(st.binary())
def test_whatever_bytes_arrive_2000_times_are_read_or_refused(frame):
    test_whatever_bytes_arrive_are_read_or_refused.hypothesis.inner_test(frame)


@pytest.mark.programme(seconds=30)
@thousands
@given(wild, st.integers(0, 200), st.binary(max_size=3))
def test_2000_damaged_frames_are_read_or_refused(payload, place, damage):
    test_a_damaged_frame_is_read_or_refused.hypothesis.inner_test(payload, place, damage)


@pytest.mark.programme
@thousands
@given(payloads)
def test_2000_times_a_client_of_either_codec_gets_the_same(payload):
    test_a_client_of_either_codec_gets_the_same.hypothesis.inner_test(payload)


@pytest.mark.parametrize("value", [b"\0\xff", bytearray(b"\0\xff"), memoryview(b"\0\xff")])
def test_bytes_go_out_as_bin(value):
    assert codec.encode(value) == b"\xc4\x02\0\xff"


def test_text_that_goes_out_is_text():
    assert codec.encode("x" * 40) == b"\xd9\x28" + b"x" * 40


@pytest.mark.parametrize("value", [object(), 2**64, "\ud800", {(1,): 2}, msgpack.Timestamp(1)])
def test_what_nobody_can_encode_is_named_with_its_place(value):
    with pytest.raises(EncodeError, match=r"^data\[1\]"):
        codec.encode({"data": [0, value]})


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 5_000])
def test_what_is_too_deep_is_an_encode_error(levels):
    payload: Any = []
    for _ in range(levels):
        payload = [payload]
    with pytest.raises(EncodeError):
        codec.encode(payload)


# The plugin.


def test_the_plugin_offers_messagepack_in_binary_frames():
    [offered] = plugin.aaah_codecs()
    assert isinstance(offered, Codec)
    assert (offered.name, offered.frame) == ("msgpack", "bytes")
    assert offered.subprotocol == "aaah.msgpack"


def test_the_plugin_answers_for_codecs_and_for_nothing_else():
    assert [name for name in vars(plugin) if name.startswith("aaah_")] == ["aaah_codecs"]


def test_the_hook_module_does_not_load_msgpack():
    code = "import sys, aaah_msgpack.plugin; sys.exit('msgpack' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
