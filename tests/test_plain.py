"""`to_plain`: the table of values that JSON does not know."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import math
import uuid
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.utils.functional import lazy, lazystr
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_core.errors import EncodeError
from aaah_core.plain import MAX_DEPTH, to_plain
from tests.conftest import shown

many = settings(deadline=None)

UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))
A_UUID = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, decimal.Decimal("2.0"))
    AGAIN = enum.IntEnum("Weekday", ["MONDAY"]).MONDAY


class Text(str):
    __slots__ = ()

    def __str__(self):
        return "somebody else's"


class Whole(int):
    pass


class Real(float):
    pass


class Moment(dt.datetime):
    pass


class Day(dt.date):
    pass


class Clock(dt.time):
    pass


@dataclass
class Book:
    title: Any
    absent: Any = field(init=False, repr=False)


class Point(msgspec.Struct):
    x: Any
    y: Any = msgspec.UNSET


class Tagged(msgspec.Struct, rename="camel", omit_defaults=True, tag_field="count", tag="point"):
    long_name: Any = None
    names: Any = []

    def count(self):
        """Shadow the field of the tag."""


class Listed(msgspec.Struct, array_like=True, tag=7):
    x: Any


class Bare(msgspec.Struct, array_like=True):
    x: Any


class Declared:
    """What attrs leaves on a class."""

    __attrs_attrs__ = (SimpleNamespace(name="size"),)

    def __init__(self):
        self.size = {1}


class Pair(NamedTuple):
    left: Any
    right: Any


def same(left, right):
    """Compare with types, since 1 == 1.0 == True and a child equals its base."""
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        assert all(type(key) is str for key in left)
        for key, value in left.items():
            same(value, right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            same(one, other)
    else:
        assert left == right


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (1, 1),
        (1.0, 1.0),
        ("é", "é"),
        (-(2**63), -(2**63)),
        (2**64 - 1, 2**64 - 1),
        # Dates and times
        (dt.datetime(2026, 1, 2, 3, 4, 5, 678912, UTC), "2026-01-02T03:04:05.678912Z"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=EAST), "2026-01-02T03:04:05+05:30"),
        (dt.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),  # noqa: DTZ001  # naive
        (Moment(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006Z"),
        (dt.datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),
         "1900-01-01T00:00:00+00:20"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (Day(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4, 5, 6), "03:04:05.000006"),
        (dt.time(3, 4, tzinfo=EAST), "03:04:00+05:30"),
        (Clock(3, 4, tzinfo=UTC), "03:04:00Z"),
        # Durations
        (dt.timedelta(days=1, seconds=5), 86405),
        (dt.timedelta(seconds=-5), -5),
        (dt.timedelta(0), 0),
        (dt.timedelta(seconds=5, milliseconds=500), 5.5),
        (dt.timedelta(microseconds=-1), -0.000001),
        # Text
        (decimal.Decimal("1.50"), "1.50"),
        (decimal.Decimal("NaN"), "NaN"),
        (decimal.Decimal("sNaN"), "sNaN"),
        (decimal.Decimal("-Infinity"), "-Infinity"),
        (A_UUID, str(A_UUID)),
        (lazystr("lazy"), "lazy"),
        (lazy(lambda: mark_safe("lazy"), str)(), "lazy"),
        # Enums
        (Colour.RED, "red"),
        (Colour.PAIR, [1, "2.0"]),
        (Colour.AGAIN, 1),
        # Bytes
        (b"ab", "YWI="),
        (bytearray(b"ab"), "YWI="),
        (memoryview(b"ab"), "YWI="),
        (memoryview(b"a-b-")[::2], "YWI="),
        # Lists
        ((1, (2,)), [1, [2]]),
        ({1}, [1]),
        (frozenset({"a"}), ["a"]),
        (Pair(1, {2}), [1, [2]]),
        # Numbers that are none
        (math.nan, None),
        ([math.inf, -math.inf], [None, None]),
        (Real("nan"), None),
        # Children
        (Text("text"), "text"),
        (mark_safe("<b>"), "<b>"),
        (Whole(3), 3),
        (Real(1.5), 1.5),
        (collections.OrderedDict(a=(1,)), {"a": [1]}),
        (type("Row", (list,), {})([1]), [1]),
        # Declared fields
        (Book(title=A_UUID), {"title": str(A_UUID)}),
        (Point((1,)), {"x": [1]}),
        (Point(1, Point(2)), {"x": 1, "y": {"x": 2}}),
        (Tagged(), {"count": "point"}),
        (Tagged({True: 1}, [1]), {"count": "point", "longName": {"true": 1}, "names": [1]}),
        (Listed({1}), [7, [1]]),
        (Bare({1}), [[1]]),
        (Declared(), {"size": [1]}),
    ],
    ids=shown,
)  # fmt: skip
def test_the_table(value, plain):
    same(to_plain(value), plain)
    same(to_plain({"a": [value]}), {"a": [plain]})


@pytest.mark.parametrize("value", [b"ab", bytearray(b"ab"), memoryview(b"a-b-")[::2]], ids=shown)
def test_a_codec_that_has_bytes_keeps_them(value):
    same(to_plain([value, {b"ab": value}], keep_bytes=True), [b"ab", {"YWI=": b"ab"}])


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("a", "a"),
        (Text("a"), "a"),
        (lazystr("a"), "a"),
        (1, "1"),
        (Whole(1), "1"),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        (1e16, "1e16"),
        (Real(1.5), "1.5"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (A_UUID, str(A_UUID)),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (dt.timedelta(seconds=5.5), "5.5"),
        (decimal.Decimal("1.50"), "1.50"),
        (Colour.RED, "red"),
        (Colour.AGAIN, "1"),
        (b"ab", "YWI="),
    ],
    ids=repr,
)
def test_a_key_becomes_text(key, text):
    same(to_plain({key: 1}), {text: 1})


def test_the_last_of_two_keys_of_one_text_wins():
    assert to_plain({1: "first", "1": "last"}) == {"1": "last"}


class Stranger:
    pass


def no_translation():
    raise LookupError("no such language")


class Nowhere(dt.tzinfo):
    def utcoffset(self, when):
        raise LookupError("no such place")


def circle():
    items: list[Any] = []
    items.append({"again": items})
    return items


def wide_circle():
    items: list[Any] = []
    items.extend([items, items])
    return items


@pytest.mark.parametrize(
    ("payload", "place", "what"),
    [
        (Stranger(), "The payload", "tests.test_plain.Stranger"),
        ({"data": {"items": [{"price": Stranger()}]}}, "data.items[0].price", "Stranger"),
        ([0, Stranger], "[1]", "type type"),
        ({"data": (x for x in "ab")}, "data", "type generator"),
        ({"data": iter([])}, "data", "list_iterator"),
        ({"data": range(3)}, "data", "type range"),
        ({"data": 1j}, "data", "type complex"),
        ({"data": msgspec.UNSET}, "data", "UnsetType"),
        ({"book": Book(Point([Stranger()]))}, "book.title.x[0]", "Stranger"),
        ({"point": Listed(Stranger())}, "point[1]", "Stranger"),
        ({"data": {(1, 2): 3}}, "data", "key of type tuple"),
        ({"data": {frozenset(): 3}}, "data", "key of type frozenset"),
        ({"data": {Colour.PAIR: 3}}, "data", "key of type tuple"),
        ({"data": {Stranger(): 3}}, "data", "Stranger"),
        ({"data": {2**64: 3}}, "data", "64 bits"),
        ({1: {None: 2**64}}, "1.null", "64 bits"),
        ([-(2**63) - 1], "[0]", "64 bits"),
        ([Whole(2**64)], "[0]", "64 bits"),
        ({"data": "\ud800"}, "data", "surrogate"),
        ({"data": Text("\ud800")}, "data", "surrogate"),
        ({"data": {"\ud800": 1}}, "data", "surrogate"),
        ({"data": lazystr("\ud800")}, "data", "surrogate"),
        ({"data": lazy(no_translation, str)()}, "data", "no such language"),
        ({"data": dt.time(1, tzinfo=Nowhere())}, "data", "no such place"),
        (circle(), "[0].again[0].again", f"level {MAX_DEPTH + 1}"),
        (wide_circle(), "[0][0][0]", f"level {MAX_DEPTH + 1}"),
    ],
)
def test_what_nobody_can_encode_is_named_with_its_place(payload, place, what):
    with pytest.raises(EncodeError) as caught:
        to_plain(payload)
    assert str(caught.value).startswith(place)
    assert what in str(caught.value)


def test_the_cause_of_a_value_that_cannot_be_read_is_kept():
    with pytest.raises(EncodeError) as caught:
        to_plain([lazy(no_translation, str)()])
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.django_db
def test_a_queryset_is_refused_and_not_run(django_assert_num_queries):
    from django.contrib.contenttypes.models import ContentType

    with django_assert_num_queries(0), pytest.raises(EncodeError, match=r"^data: .*QuerySet"):
        to_plain({"data": ContentType.objects.all()})


def test_an_iterator_is_refused_and_not_read():
    iterator = iter([1])
    with pytest.raises(EncodeError):
        to_plain(iterator)
    assert next(iterator) == 1


def nested(levels, kind):
    value: Any = 0
    for _ in range(levels):
        value = kind(value)
    return value


@pytest.mark.parametrize(
    "kind", [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, Book, Point, Listed],
    ids=["list", "tuple", "dict", "dataclass", "struct", "array"],
)  # fmt: skip
def test_depth_is_bounded(kind):
    to_plain(nested(MAX_DEPTH, kind))
    for levels in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(EncodeError):
            to_plain(nested(levels, kind))


def where_the_stack_ends(call):
    try:
        return where_the_stack_ends(call)
    except RecursionError:
        return call()


def test_a_stack_that_is_nearly_full_gives_an_encode_error():
    with pytest.raises(EncodeError):
        where_the_stack_ends(lambda: to_plain(nested(MAX_DEPTH, lambda v: [v])))


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.sampled_from([Colour.RED, Colour.AGAIN])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.sets(scalars, max_size=3)
        | st.dictionaries(scalars, inner, max_size=4)
        | st.builds(Book, inner)
        | st.builds(Point, inner, inner)
    ),
)


def is_plain(value, bytes_too):
    if type(value) is dict:
        return all(type(key) is str and is_plain(item, bytes_too) for key, item in value.items())
    if type(value) is list:
        return all(is_plain(item, bytes_too) for item in value)
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is int:
        return -(2**63) <= value < 2**64
    return value is None or type(value) in {bool, str} or (bytes_too and type(value) is bytes)


@many
@given(anything, st.booleans())
def test_the_result_holds_nothing_but_plain_values_and_is_its_own_plain_value(value, keep_bytes):
    plain = to_plain(value, keep_bytes=keep_bytes)
    assert is_plain(plain, keep_bytes)
    same(to_plain(plain, keep_bytes=keep_bytes), plain)
