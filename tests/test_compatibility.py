"""Which versions of the core a plugin goes with: what `packaging` says, mostly without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from aaah_core.compatibility import CORE, canonical, unmet_core

RELEASES = st.lists(st.sampled_from(["0", "1", "2", "10", "01"]), min_size=1, max_size=4).map(
    ".".join
)
VERSIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "1!"]),
    RELEASES,
    st.sampled_from(["", "", "", "a1", "rc1", ".post1", ".dev1", "+local"]),
)
RANGES = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from([">=", "<", ">=", "<", "<=", ">", "==", "!=", "~=", "===", " < "]),
        VERSIONS,
        st.sampled_from(["", "", "", ".*", " "]),
    ),
    max_size=3,
).map(",".join)
NAMES = st.sampled_from(
    [
        CORE,
        CORE,
        CORE,
        "AAAH_Core",
        "aaah.-core",
        "aaah-core-extras",
        "aaah",
        "aaah-drf",
        " aaah-core",
    ]
)
ENDS = st.sampled_from(["", "", "", "; extra == 'live'", "; python_version > '3'", "?"])
NEEDS = st.builds("{}{}{}{}".format, NAMES, st.sampled_from(["", "", "[live]"]), RANGES, ENDS)


def by_packaging(requires, version):
    for need in map(Requirement, requires):
        applies = not need.marker or need.marker.evaluate({"extra": ""})
        fits = need.specifier.contains(version, prereleases=True)
        if canonicalize_name(need.name) == CORE and applies and not fits:
            return f"{CORE}{need.specifier}"
    return None


@given(NEEDS, VERSIONS)
def test_a_requirement_is_met_where_packaging_says_so(need, version):
    try:
        expected = by_packaging([need], version)
    except ValueError:  # before 26.3, packaging lets an InvalidSpecifier through
        try:
            assert unmet_core([need], version) is None
        except ValueError:
            return
        # That of another distribution is for others to judge.
        assert not canonical(need).startswith(CORE)
    else:
        assert unmet_core([need], version) == expected


def test_what_a_distribution_of_a_similar_name_requires_is_not_ours():
    assert unmet_core(["aaah-core-extras>=9"], "0.1.0") is None


@given(st.lists(st.builds("aaah-core>={},<{}".format, RELEASES, RELEASES)), RELEASES)
def test_the_first_range_that_leaves_the_core_out_is_told(requires, version):
    assert unmet_core(requires, version) == by_packaging(requires, version)


@pytest.mark.parametrize("need", ["aaah-core>=x", "aaah-core 1", "AAAH.core<", "(aaah-core)", ""])
def test_a_requirement_that_may_be_for_the_core_and_cannot_be_read_is_an_error(need):
    with pytest.raises(InvalidRequirement):
        unmet_core(["django>=5", need], "0.1.0")


@given(st.text("aB1-_.", min_size=1))
def test_the_name_of_a_distribution_is_compared_as_packaging_does(name):
    assert canonical(name) == canonicalize_name(name)
