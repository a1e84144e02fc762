"""The bounds of a payload: what `check_bounds` lets pass and what it refuses."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_core.conf import read
from aaah_core.errors import ConfigurationError, DecodeError
from aaah_core.limits import Limits, check_bounds, too_large

limits = Limits()
many = settings(deadline=None)


def refused(payload, limits=limits):
    with pytest.raises(DecodeError) as caught:
        check_bounds(payload, limits)
    return caught.value


def nested(levels):
    payload: Any = []
    for level in range(levels - 1):
        payload = [payload] if level % 2 else {"a": payload}
    return payload


def test_limits_are_settled_once_and_take_no_other_name():
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.depth = 1_000  # type: ignore[misc]  # that it cannot is the test
    assert not hasattr(limits, "__dict__")


@pytest.mark.parametrize(
    "payload",
    [
        None,
        True,
        0,
        -(2**63),
        2**64 - 1,
        1.5,
        "text é 😀",
        b"\0\xff",
        [],
        {},
        {"": [{}, [None, {"a": 1}]]},
        nested(32),
        [0] * 10_000,
        {str(n): n for n in range(10_000)},
    ],
    ids=range(14),
)
def test_what_json_and_messagepack_carry_passes(payload):
    check_bounds(payload, limits)


@pytest.mark.parametrize("levels", [33, 64, 500, 100_000])
def test_too_deep_is_a_413_without_recursion(levels):
    error = refused(nested(levels))
    assert (error.status, error.code) == (413, "too_large")
    assert "32 levels" in error.detail


@pytest.mark.parametrize(
    "payload",
    [[0] * 10_001, {str(n): n for n in range(10_001)}, [[0] * 5_000, [0] * 4_999]],
    ids=["a list", "an object", "all together"],
)
def test_too_wide_is_a_413(payload):
    error = refused(payload)
    assert (error.status, error.code) == (413, "too_large")
    assert "10000 members" in error.detail


def test_the_bounds_are_those_of_the_limits_given():
    check_bounds([[1]], Limits(depth=2, items=2))
    assert refused([[1]], Limits(depth=1)).status == 413
    assert refused([[1]], Limits(items=1)).status == 413


def test_an_integer_of_too_many_digits_is_a_413_and_a_shorter_one_a_400():
    assert refused([10**640]).status == 413
    assert refused([-(10**640)]).status == 413
    assert refused([10**640 - 1]).status == 400
    assert refused([1 - 10**640]).status == 400


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("a\0", "NUL"),
        ("é\0", "NUL"),
        ("\ud800", "surrogate"),
        ("é\udfff", "surrogate"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (-math.inf, "finite"),
        ((1,), "type"),
        ({1}, "type"),
        (bytearray(), "type"),
        (dt.date(2026, 1, 1), "type"),
        (1j, "type"),
        (type("Text", (str,), {})("text"), "type"),
    ],
)
def test_what_may_not_be_is_a_400_that_says_what_and_where(value, what):
    error = refused({"data": [0, {"key": value}]})
    assert (error.status, error.code) == (400, "unreadable")
    assert what in error.detail
    assert error.errors[0]["field"] == ["data", 1, "key"]


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (1, "key is not text"),
        (b"key", "key is not text"),
        (None, "key is not text"),
        ("a\0", "NUL"),
        ("\ud800", "surrogate"),
    ],
)
def test_a_key_that_may_not_be_is_a_400_and_is_not_repeated(key, what):
    error = refused({"data": [{key: 1}]})
    assert error.status == 400
    assert what in error.detail
    assert error.errors[0]["field"] == ["data", 0]


@pytest.mark.parametrize("payload", [2**64, {1: 1}])
def test_the_payload_itself_has_no_place(payload):
    assert "field" not in refused(payload).errors[0]


@many
@given(st.text(min_size=5))
def test_an_error_repeats_no_value(secret):
    for payload in ([secret + "\0"], [secret + "\ud800"], {secret + "\0": 1}):
        error = refused(payload)
        assert secret not in error.detail
        assert error.field in (None, (0,))


def test_a_codec_says_which_bound_was_passed():
    error = too_large("It is long.")
    assert isinstance(error, DecodeError)
    assert (error.status, error.code) == (413, "too_large")
    assert error.detail == "The message is too large. It is long."


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_is_positive(name, value):
    with pytest.raises(ConfigurationError, match=rf"LIMITS is set wrongly: {name} is to be"):
        read({name: value}, Limits, "LIMITS")
    assert getattr(read({name: 1}, Limits, "LIMITS"), name) == 1
