"""The JSON codec: what it reads, what it refuses, and that its short way is never another way."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import pytest
from django.utils.functional import lazystr
from django.utils.safestring import SafeString
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aaah_core.defaults import json as plugin
from aaah_core.errors import DecodeError, EncodeError
from aaah_core.interfaces import Codec
from aaah_core.limits import Limits, check_bounds
from aaah_core.plain import MAX_DEPTH, to_plain

codec = plugin.JSONCodec()
limits = Limits()
many = settings(deadline=None)


def refused(frame, limits=limits):
    with pytest.raises(DecodeError) as caught:
        codec.decode(frame, limits)
    return caught.value


def status(decode, *arguments):
    """Return the status of a refusal, or what was decoded."""
    try:
        return decode(*arguments)
    except DecodeError as error:
        return error.status


def nested(levels):
    return "[" * levels + "]" * levels


# What it reads.


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        ('{"action": "list", "data": [1, -2.5, true, null, "é"]}',
         {"action": "list", "data": [1, -2.5, True, None, "é"]}),
        ("null", None),
        ("7", 7),
        ('"text"', "text"),
        (" [ ] ", []),
        ('{"a": 1, "a": 2}', {"a": 2}),
        (r'"\ud83d\ude00"', "😀"),
        (f"[{-2**63}, {2**64 - 1}]", [-(2**63), 2**64 - 1]),
        (f'["{"7" * 5000}"]', ["7" * 5000]),
        (f'{{"{"7" * 5000}": 1}}', {"7" * 5000: 1}),
        ("[" + "0.5" + "1" * 700 + "]", [float("0.5" + "1" * 700)]),
        (r'["\\u0000"]', [r"\u0000"]),
        (f'["{"[" * 100}"]', ["[" * 100]),
        (f'["{"," * 20_000}"]', ["," * 20_000]),
    ],
    ids=range(14),
)  # fmt: skip
def test_json_is_read(frame, payload):
    assert codec.decode(frame, limits) == payload
    assert codec.decode(frame.encode(), limits) == payload


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " ",
        "\ufeff{}",
        '{"action": "list"',
        "{} {}",
        "{}\0",
        "[1,]",
        "{1: 2}",
        "{'a': 1}",
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "1e400",
        "[-1e400]",
        "01",
        '"\n"',
        '"\ud800"',
        r'"\ud800"',
        r'"\udc00\ud800"',
        r'{"\ud800": 1}',
        "{" * 30,
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\x81\xa6action\xa4list",
    ],
    ids=range(24),
)
def test_what_is_no_json_is_a_400(frame):
    error = refused(frame)
    assert (error.status, error.code) == (400, "unreadable")


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (r'{"name": "a\u0000b"}', ["name"]),
        (r'{"data": {"na\u0000me": 1}}', ["data"]),
        (f'{{"data": [1, {{"id": {2**64}}}]}}', ["data", 1, "id"]),
        (f"[{-(2**63) - 1}]", [0]),
        (f"[{'9' * 640}]", [0]),
    ],
)
def test_a_value_that_may_not_be_is_a_400_that_names_its_place(frame, field):
    error = refused(frame)
    assert error.status == 400
    assert error.errors[0]["field"] == field


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, int("9" * 640)])
def test_an_integer_outside_64_bits_alone_is_a_400_without_a_place(number):
    error = refused(str(number))
    assert (error.status, error.field) == (400, None)


@pytest.mark.parametrize(
    "frame",
    [
        "1" * 641,
        f"[{'1' * 5000}]",
        f'{{"a": -{"1" * 5000}}}',
        "[" * 100_000,
        '{"a":' * 100_000,
        nested(33),
        nested(64),
        nested(500),
        nested(1_100),
        f"[{','.join(['0'] * 10_001)}]",
        f"[{','.join(['[]'] * 10_001)}]",
        "[" + ",".join(["{}"] * 87_381) + "]",
        json.dumps({f"k{n}": n for n in range(10_001)}),
    ],
    ids=range(13),
)
def test_what_passes_a_bound_is_a_413(frame):
    error = refused(frame)
    assert (error.status, error.code) == (413, "too_large")


@pytest.mark.parametrize(
    "frame",
    [
        "[" + "[]," * 10_001 + "0]",
        "[" + "{}," * 87_000 + "{}]",
        f"[{','.join(['0'] * 10_001)}]",
        f"[{' , '.join(['[ ]'] * 10_001)}]",
        json.dumps({f"k{n}": n for n in range(10_001)}),
        nested(33),
        '{"a":' * 33 + "1" + "}" * 33,
        "[" * 100_000,
    ],
    ids=range(8),
)
def test_what_passes_a_bound_is_refused_before_anything_is_made_of_it(frame, monkeypatch):
    monkeypatch.setattr(plugin, "_read", None)
    assert refused(frame).status == 413


@pytest.mark.parametrize("escaped", ['\\"', "\\\\", '\\"[', '\\",'])
def test_a_text_without_an_end_is_looked_at_once(escaped):
    # Once for each quote in it, a frame at its limit would stop the process for minutes.
    frame = '["' + escaped * (200_000 // len(escaped)) + "," * 10_001
    assert refused(frame).status == 400


@pytest.mark.parametrize(
    "payload",
    [
        ["[{,]}" * 50_000],
        ['\\"[[' * 9_000, "[" * 40, {"[,": [[], {}]}],
        {"a": "," * 20_000, "[" * 9_999: [""] * 9_000},
        [[] for _ in range(10_000)],
        [[0] for _ in range(5_000)],
        ['"', "\\", '\\"', "[" * 12_000],
    ],
    ids=range(6),
)
@pytest.mark.parametrize("indent", [None, 1])
def test_what_only_looks_too_wide_or_too_deep_is_read(payload, indent):
    assert codec.decode(json.dumps(payload, indent=indent), limits) == payload


@pytest.mark.parametrize(
    "frame",
    [
        nested(31),
        nested(32),
        f"[{','.join(['0'] * 10_000)}]",
        json.dumps({f"k{n}": n for n in range(10_000)}),
    ],
    ids=["31 levels", "32 levels", "10,000 items", "10,000 keys"],
)
def test_what_reaches_a_bound_passes(frame):
    assert codec.decode(frame, limits) == json.loads(frame)


def test_the_bounds_are_those_of_the_connection():
    assert refused("[[]]", Limits(depth=1)).status == 413
    assert refused("[1, 2, 3]", Limits(items=2)).status == 413
    assert refused("1" * 31, Limits(digits=30)).status == 413
    assert refused("1" * 30, Limits(digits=30)).status == 400


@many
@given(st.text() | st.binary() | st.text('[]{}",:0123456789eE.-\\u null', max_size=60))
def test_whatever_arrives_is_read_or_refused(frame):
    with contextlib.suppress(DecodeError):
        codec.decode(frame, limits)


jsonable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def faults(value):
    """Say independently of the codec whether a payload holds what is not allowed."""
    if isinstance(value, dict):
        return any("\0" in key for key in value) or any(map(faults, value.values()))
    if isinstance(value, list):
        return any(map(faults, value))
    if isinstance(value, str):
        return "\0" in value
    return type(value) is int and not -(2**63) <= value < 2**64


@many
@given(jsonable, st.booleans())
@example({"a": "\0"}, True)
@example([2**64], False)
def test_any_json_is_read_as_the_standard_library_reads_it_unless_it_is_refused(payload, escaped):
    frame = json.dumps(payload, ensure_ascii=escaped)
    if faults(payload):
        assert refused(frame).status == 400
    else:
        assert codec.decode(frame, limits) == json.loads(frame)


@many
@given(jsonable, st.integers(1, 4), st.integers(1, 8))
def test_the_cheap_tests_miss_nothing_that_the_walk_would_find(payload, depth, items):
    small = Limits(depth=depth, items=items)

    def walk():
        check_bounds(payload, small)
        return payload

    found, members = measured(payload)
    # What is too deep or too wide is refused as that, whatever else is wrong with it.
    expected = 413 if found > depth or members > items else status(walk)
    assert status(codec.decode, json.dumps(payload), small) == expected


def measured(value):
    """Return how deep and how wide a payload is."""
    if not isinstance(value, (list, dict)):
        return 0, 0
    inner = [measured(each) for each in (value.values() if isinstance(value, dict) else value)]
    deepest = max((depth for depth, _ in inner), default=0)
    return deepest + 1, len(inner) + sum(members for _, members in inner)


# What it writes.


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 1
    NONE = None
    PAIR = (1, dt.timedelta(seconds=1))
    DURATION = dt.timedelta(days=1)
    DECIMAL = decimal.Decimal("1.10")
    NAN = math.nan
    BIG = 2**70
    BYTES = b"x"
    UUID = uuid.UUID(int=3)
    SAFE = SafeString("safe")


class Switch(enum.Enum):
    ON = True
    RATIO = 0.5


class Weekday(enum.IntEnum):
    MONDAY = 1


class Size(enum.StrEnum):
    SMALL = "s"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Text(str):
    __slots__ = ()

    def __str__(self):
        return "somebody else's"


class Whole(int):
    pass


class Real(float):
    pass


class Duration(dt.timedelta):
    pass


class Moment(dt.datetime):
    pass


class Day(dt.date):
    pass


class Clock(dt.time):
    pass


class Price(decimal.Decimal):
    pass


class Mark(uuid.UUID):
    pass


class Octets(bytes):
    pass


class Mapping(dict):
    pass


class Row(list):
    def __iter__(self):
        return iter(["somebody else's"])


class Several(set):
    pass


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class Book:
    title: Any
    price: Any = None
    unset: Any = msgspec.UNSET
    absent: Any = field(init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Slotted:
    _private: Any


class Point(msgspec.Struct):
    x: Any
    y: Any = msgspec.UNSET


class Tagged(msgspec.Struct, rename="camel", omit_defaults=True, tag="point"):
    long_name: Any = None
    other_names: Any = []


class Listed(msgspec.Struct, array_like=True, tag=7):
    x: Any
    y: Any = None


class Stranger:
    pass


def is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


offsets = st.timedeltas(
    min_value=dt.timedelta(hours=-23, minutes=-59),
    max_value=dt.timedelta(hours=23, minutes=59),
).map(dt.timezone)
zones = st.none() | offsets | st.just(dt.UTC) | st.timezones()
numbers = (
    st.integers()
    | st.sampled_from([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**18, 10**19, -(10**18)])
    | st.floats()
    | st.decimals()
    | st.sampled_from([decimal.Decimal("sNaN"), decimal.Decimal("1E+30"), Price("1.50")])
    | st.integers().map(Whole)
    | st.floats().map(Real)
)
texts = (
    st.text()
    | st.text(st.characters(), max_size=5)
    | st.text('P0123456789DTS.-"\\[]{}', max_size=30)
    | st.sampled_from(["P1D", "-PT5S", "Paris", '"P1D', '\\"P1D"', "\ud800", "7" * 30, "[" * 150])
    | st.text(max_size=5).map(Text)
    | st.text(max_size=5).map(SafeString)
    | st.text(max_size=5).map(lazystr)
)
moments = (
    st.datetimes(timezones=zones)
    | st.dates()
    | st.times(timezones=zones)
    | st.timedeltas()
    | st.timedeltas().map(lambda d: Duration(d.days, d.seconds, d.microseconds))
    | st.datetimes(timezones=zones).map(
        lambda d: Moment.combine(d.date(), d.timetz()),
    )
    | st.dates().map(lambda d: Day(d.year, d.month, d.day))
    | st.times(timezones=zones).map(
        lambda t: Clock(t.hour, t.minute, t.second, t.microsecond, t.tzinfo)
    )
)
others = (
    st.none()
    | st.booleans()
    | st.binary(max_size=20)
    | st.binary(max_size=5).map(Octets)
    | st.uuids()
    | st.uuids().map(lambda u: Mark(int=u.int))
    | st.sampled_from([*Colour, *Switch, *Weekday, *Size, *Right, Right.READ | Right.WRITE])
)
scalars = numbers | texts | moments | others
hashables = (
    scalars.filter(is_hashable) | st.tuples(st.integers()) | st.frozensets(st.text(), max_size=2)
)
leaves = (
    scalars
    | st.binary(max_size=5).map(bytearray)
    | st.binary(max_size=5).map(memoryview)
    | st.just(memoryview(b"abcd")[::2])
    | st.sampled_from([Stranger(), Stranger, Colour, msgspec.UNSET, range(3), {}.keys(), ...])
)


def key_text(key):
    """Return the text of a key, or something else of its own for one that has none."""
    try:
        return next(iter(to_plain({key: None})))
    except EncodeError:
        return object()


def mappings(values):
    pairs = st.lists(
        st.tuples(hashables, values), max_size=4, unique_by=lambda pair: key_text(pair[0])
    )
    named = st.lists(st.tuples(st.text(), values), max_size=4)
    return (pairs | named).flatmap(
        lambda items: st.sampled_from([dict, Mapping, collections.OrderedDict]).map(
            lambda kind: kind(items)
        )
    )


def containers(values):
    return (
        st.lists(values, max_size=4)
        | st.lists(values, max_size=4).map(tuple)
        | st.lists(values, max_size=4).map(Row)
        | st.sets(hashables, max_size=3)
        | st.sets(hashables, max_size=3).map(Several)
        | mappings(values)
        | st.builds(Pair, values, values)
        | st.builds(Book, values, values)
        | st.builds(Slotted, values)
        | st.builds(Point, values, values)
        | st.builds(Tagged, values, values)
        | st.builds(Tagged)
        | st.builds(Listed, values, values)
    )


anything = st.recursive(leaves, containers, max_leaves=12)


def outcome(encode, payload):
    try:
        return encode(payload)
    except EncodeError as error:
        return f"EncodeError: {error}"


def the_exact_way(payload):
    return msgspec.json.encode(to_plain(payload)).decode()


@many
@given(anything)
@example({2**70: 1})
@example({math.nan: math.inf, -math.inf: 1e16, 1e16: 1, True: 2, None: 3})
@example([Book(Point(dt.timedelta(microseconds=-1)))])
@example({dt.timedelta(1): {Colour.DURATION: 1}})
@example(Tagged(other_names=[]))
@example([{}] * 200)
@example(["[" * 99, ["]"] * 200])
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of hypothesis's own values
def test_what_is_written_is_the_plain_value_and_nothing_else(payload):
    assert outcome(codec.encode, payload) == outcome(the_exact_way, payload)


@pytest.mark.parametrize(
    ("open_", "close"), [("[", "]"), ('{"a":', "}")], ids=["lists", "mappings"]
)
@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 500, 5000])
def test_depth_is_bounded_the_same_on_both_ways(levels, open_, close):
    payload = 0
    for _ in range(levels):
        payload = [payload] if open_ == "[" else {"a": payload}
    if levels > MAX_DEPTH:
        with pytest.raises(EncodeError, match="level 101"):
            codec.encode(payload)
    else:
        assert codec.encode(payload) == open_ * levels + "0" + close * levels


def test_two_keys_of_one_text_read_as_the_last_of_them():
    payload = {1: "first", "a": "between", "1": "last"}
    assert codec.decode(codec.encode(payload), limits) == to_plain(payload)


def test_a_value_that_holds_itself_is_an_encode_error():
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(EncodeError):
        codec.encode(circle)


def test_what_nobody_can_encode_is_named_with_its_place():
    with pytest.raises(EncodeError, match=r"^data\.items\[1\]\.price: .*Stranger"):
        codec.encode({"data": {"items": [{"price": 1}, {"price": Stranger()}]}})


@many
@given(jsonable.filter(lambda payload: not faults(payload)))
def test_what_is_written_can_be_read(payload):
    assert codec.decode(codec.encode(payload), limits) == payload


# The same with more examples.

thousands = settings(deadline=None, max_examples=2_000)


@pytest.mark.programme
@thousands
@given(st.text() | st.binary() | st.text('[]{}",:0123456789eE.-\\u null', max_size=60))
def test_whatever_arrives_2000_times_is_read_or_refused(frame):
    test_whatever_arrives_is_read_or_refused.hypothesis.inner_test(frame)


@pytest.mark.programme(seconds=20)
@thousands
@given(jsonable, st.booleans())
def test_2000_times_json_is_read_as_the_standard_library_reads_it(payload, escaped):
    read = test_any_json_is_read_as_the_standard_library_reads_it_unless_it_is_refused
    read.hypothesis.inner_test(payload, escaped)


@pytest.mark.programme
@thousands
@given(jsonable, st.integers(1, 4), st.integers(1, 8))
def test_2000_times_the_cheap_tests_miss_nothing(payload, depth, items):
    looked = test_the_cheap_tests_miss_nothing_that_the_walk_would_find
    looked.hypothesis.inner_test(payload, depth, items)


@pytest.mark.programme
@thousands
@given(anything)
@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of hypothesis's own values
def test_2000_times_what_is_written_is_the_plain_value(payload):
    test_what_is_written_is_the_plain_value_and_nothing_else.hypothesis.inner_test(payload)


# The plugin.


def test_the_plugin_offers_json_in_text_frames():
    [offered] = plugin.aaah_codecs()
    assert isinstance(offered, Codec)
    assert (offered.name, offered.frame, offered.subprotocol) == ("json", "text", "aaah.json")


@pytest.mark.parametrize(
    ("scope", "chosen"),
    [
        ({}, "json"),
        ({"subprotocols": []}, "json"),
        ({"subprotocols": ["aaah.msgpack", "aaah.json"]}, "msgpack"),
        ({"subprotocols": ["graphql-ws", "aaah.json"]}, "json"),
        ({"subprotocols": ["aaah.cbor"]}, None),
        ({"subprotocols": ["json"]}, None),
    ],
)
def test_the_clients_own_order_decides_within_the_consumers_list(scope, chosen):
    assert plugin.aaah_select_codec(scope, ("json", "msgpack")) == chosen


def test_the_consumers_first_is_for_the_client_that_asks_for_none():
    assert plugin.aaah_select_codec({}, ("msgpack", "json")) == "msgpack"
