"""Whether a plugin goes with the version of the core that is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["CORE", "canonical", "unmet_core"]

#: The distribution whose plugins are the defaults.
CORE = "aaah-core"

# What `packaging` would say of nearly every plugin, or each start of Django would import it: to
# what these patterns leave open, it gives the answer.
_ANOTHER = re.compile(r"(?!aaah[-_.]+core)[a-z0-9]", re.ASCII | re.IGNORECASE)
_RELEASE = r"[0-9]{1,9}(?:\.[0-9]{1,9})*"
_RANGE = re.compile(rf"aaah-core((?:>=|<){_RELEASE}(?:,(?:>=|<){_RELEASE})*)")


def canonical(name: str) -> str:
    """Return the name of a distribution as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def unmet_core(requires: Iterable[str], version: str) -> str | None:
    """Return the range of cores that a plugin needs, where the installed one is outside of it.

    Args:
        requires: What a distribution requires, as its metadata says it.
        version: That of the core that is installed.

    Raises:
        InvalidRequirement: One that may be for the core cannot be read.
    """
    for text in requires:
        if _ANOTHER.match(text) or _fits(text, version):
            continue
        if wanted := _unmet(text, version):
            return wanted
    return None


def _fits(text: str, version: str) -> bool:
    """Return whether this is a plain range, and the version a plain one within it."""
    found = _RANGE.fullmatch(text)
    if found is None or re.fullmatch(_RELEASE, version) is None:
        return False
    own = _key(version)
    return all(
        own >= _key(bound[2:]) if bound[0] == ">" else own < _key(bound[1:])
        for bound in found[1].split(",")
    )


def _key(release: str) -> tuple[int, ...]:
    """Return what releases are compared by, where zeros at the end count for nothing."""
    numbers = [int(each) for each in release.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _unmet(text: str, version: str) -> str | None:
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    if canonical(requirement.name) != CORE:
        return None
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return f"{CORE}{requirement.specifier}"
