"""Which regular expressions a client could keep busy, and that finding it out takes little."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_core import backtracking
from aaah_core.backtracking import backtracks

LONGEST = 256


def found(text, method="fullmatch"):
    pattern = re.compile(text)
    return backtracks(pattern, getattr(pattern, method), LONGEST)


@pytest.mark.parametrize(
    "text",
    [
        r"(\w+)\w*\w*x",
        r".*.*.*.*x",
        r"(?:\w+)+",
        r"^shelf/(?P<name>(\w+)+)/\Z",
        r"(?P<year>\d{4})/([a-z]+)*/",
        r"(?:a|ab|b)*x",
        r"(?i)(?:[a-z]+\s?)+x",
        r"([a-zA-Z0-9_.-]+)*@",
        r"^(?P<a>.+)/(?P<b>.+)/(?P<c>.+)/(?P<d>.+)/\Z",
        r"(x+x+)+y",
        r"(?:(?:\d+,?)+)+;",
        r"(?:é+)+x",
        r"(?:\D+)+\d",
        r"(?=([^/]+)*\.)\S+",
        r"(b)?(?(1)(a+)+c|(a+)+d)",
    ],
)
def test_a_pattern_that_backtracks_is_found_with_a_string_that_shows_it(text):
    attack, seconds = found(text)
    assert len(attack) <= LONGEST
    assert seconds > backtracking.SLOW


@pytest.mark.parametrize(
    "text",
    [
        "",
        r"^books/(?P<pk>[0-9]+)/\Z",
        r"^(?P<tenant>[^/]+)/(?P<pk>[0-9]+)/\Z",
        r"^(?P<a>[-a-zA-Z0-9_]+)/of/(?P<b>[-a-zA-Z0-9_]+)/\Z",
        r"^(?P<rest>.+)/\Z",
        r"[a-z]+(?:-[a-z]+)*",
        r"(?:a|b)?c?",
        r"(?>\w+)+\w++x",
        r"(a)?(?(1)b|c+)\1*",
        r"(?!x)\w+(?<=y)/\W*",
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ],
)
def test_a_pattern_that_does_not_is_not_blamed(text, monkeypatch):
    monkeypatch.setattr(backtracking, "SLOW", 0.2)  # far below what backtracking comes to
    assert found(text) is None


def test_what_is_never_asked_to_match_to_the_end_is_timed_as_it_is_used():
    assert found(r"(?:\w+)+", "fullmatch") is not None
    assert found(r"(?:\w+)+", "match") is None


def test_no_string_is_longer_than_a_route_may_be():
    seen = []
    pattern = re.compile(r"(?P<a>[a-z]+)/(?P<b>[a-z]+)/")
    assert backtracks(pattern, lambda text: seen.append(len(text)), 40) is None
    assert max(seen) == 40
    assert backtracks(pattern, lambda text: seen.append(len(text)), 2) is None
    assert max(seen) == 40


def test_an_accident_is_no_proof(monkeypatch):
    times = iter([1.0])
    monkeypatch.setattr(backtracking, "_time", lambda matches, text: next(times, 0.0))
    assert found(r"[a-z]+/[a-z]+/") is None


def test_a_pattern_is_not_looked_at_for_ever(monkeypatch):
    monkeypatch.setattr(backtracking, "_ENOUGH", 0.0)
    tried = []
    monkeypatch.setattr(backtracking, "_grow", lambda *attack: tried.append(attack))
    assert found(r"(?:\w+)+(?:\d+)+x") is None
    assert len(tried) == 1


pieces = st.sampled_from(["a", "b", ".", r"\d", r"\W", "[a-c]", "[^b]", "é", "/", r"\.", "(?=a)"])
regexes = st.recursive(
    pieces,
    lambda inner: (
        st.builds("(?:{}){}".format, inner, st.sampled_from(["?", "*?", "{2}", "{1,3}", "+", "*"]))
        | st.builds("{}{}".format, inner, inner)
        | st.builds("({}|{})".format, inner, inner)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(regexes)
def test_any_pattern_can_be_looked_at(text):
    pattern = re.compile(text)
    attack = backtracks(pattern, pattern.fullmatch, 30)
    assert attack is None or len(attack[0]) <= 30
