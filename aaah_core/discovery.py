"""Finds what the installed distributions declare as plugins, however broken some of them are."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from importlib_metadata import EntryPoint, distributions

from aaah_core.compatibility import CORE, canonical
from aaah_core.errors import OfferedTwice, PluginError, PluginNotLoaded
from aaah_core.hookspecs import PROJECT

if TYPE_CHECKING:
    from importlib_metadata import IDistribution, PackageMetadata

__all__ = ["Found", "Plugin", "installed"]


@dataclass(slots=True)
class Plugin:
    """One plugin: where it is from, and what became of it."""

    name: str
    distribution: str
    version: str
    hooks: list[str] = field(default_factory=list)
    state: Literal["loaded", "disabled", "broken"] = "loaded"
    error: str | None = None
    #: As its distribution declares it, `name = module`.
    entry_point: str = ""
    #: The class of `error`.
    kind: type[PluginError] = PluginError
    #: What its distribution requires, as the metadata says it.
    requires: Iterable[str] = ()

    def __str__(self) -> str:
        return f"Plugin {self.name!r} ({self.distribution} {self.version})"

    def fail(self, kind: type[PluginError], cause: str, remedy: str) -> None:
        """Record why it cannot be used, and what to do about it."""
        self.state, self.kind = "broken", kind
        place = f" at the entry point {self.entry_point!r}" if self.entry_point else ""
        end = "" if cause.endswith((".", "?")) else "."
        self.error = f"{self}{place}: {cause}{end} To go on, {remedy}."


#: A plugin with its entry point, which is None where the declaration itself cannot be read.
Found: TypeAlias = tuple[Plugin, EntryPoint | None]
_Named: TypeAlias = "tuple[IDistribution, str | None, PackageMetadata | None]"

_REINSTALL = "install that distribution again, or remove what is left of it"
_RENAME = (
    "rename it in [project.entry-points.aaah] of its pyproject.toml, or uninstall one of the two"
)


def installed() -> dict[str, Found]:
    """Return every plugin that a distribution declares, sorted by name.

    It never raises: what cannot be read is a broken plugin.
    """
    by_name: dict[str, list[Found]] = defaultdict(list)
    left_behind = []
    for each, name, metadata in _named():
        if name is None:
            left_behind.append(each)
            continue
        for found in _declared(each, name, metadata):
            by_name[found[0].name].append(found)
    for each in left_behind:
        for found in _declared(each, "unknown", None):
            # As importlib_metadata has it, a whole distribution comes before one without metadata.
            by_name[found[0].name] = by_name[found[0].name] or [found]
    return {name: _only(found) for name, found in sorted(by_name.items())}


def _named() -> Iterator[_Named]:
    """Give each distribution with plugins once: the one that Python would import."""
    seen = set()
    places = _places()
    for each in filter(_has_plugins, distributions(path=places)):
        metadata = _metadata(each)
        if metadata is None or not (name := _said(metadata, "Name")):
            yield each, None, None
        elif (key := canonical(name)) not in seen:
            seen.add(key)
            first = next(filter(_text, distributions(name=name, path=places)), each)
            # Which takes long to read: once, if it is the same.
            same = _text(first) == _text(each)
            yield first, name, metadata if same else _metadata(first)


def _places() -> list[str]:
    """Return where distributions are.

    Python's own archive stands in every `sys.path` and is hardly ever there, and importlib_metadata
    would import what reads archives to find that out.
    """
    return [each for each in sys.path if not each.endswith(".zip") or Path(each).exists()]


def _has_plugins(each: IDistribution) -> bool:
    section = f"[{PROJECT}]"
    try:
        return section in (each.read_text("entry_points.txt") or "")
    except UnicodeDecodeError as error:
        return section.encode() in error.object
    except Exception:  # noqa: BLE001 - whatever hides it, it may be ours
        return True


def _text(each: IDistribution) -> str | bytes | None:
    """Return a distribution's metadata as it is written; there are three places for it."""
    try:
        return each.read_text("METADATA") or each.read_text("PKG-INFO") or each.read_text("")
    except UnicodeDecodeError as error:
        return error.object
    except Exception:  # noqa: BLE001 - whatever hides it, nobody can read it
        return None


def _metadata(each: IDistribution) -> PackageMetadata | None:
    try:
        return each.metadata
    except Exception:  # noqa: BLE001 - missing or unreadable
        return None


def _said(metadata: PackageMetadata | None, key: str) -> str | None:
    # Of what is not there, importlib_metadata warns.
    return metadata[key] or None if metadata is not None and key in metadata else None


def _declared(each: IDistribution, name: str, metadata: PackageMetadata | None) -> Iterator[Found]:
    version = _said(metadata, "Version")
    try:
        entry_points = list(each.entry_points.select(group=PROJECT))
    except Exception as error:  # noqa: BLE001 - what a stranger wrote may break in any way
        record = Plugin(name, name, version or "0")
        cause = f"its entry_points.txt in {each.locate_file('')} cannot be read"
        record.fail(PluginNotLoaded, f"{cause} ({type(error).__name__}: {error})", _REINSTALL)
        yield record, None
        return
    for entry_point in entry_points:
        record = Plugin(entry_point.name, name, version or "0")
        record.entry_point = f"{entry_point.name} = {entry_point.value}"
        if metadata is None or version is None:
            cause = "the metadata of its distribution cannot be read, or has no name or version"
            record.fail(PluginNotLoaded, f"{cause}, in {each.locate_file('')}", _REINSTALL)
        else:
            record.requires = metadata.get_all("Requires-Dist") or each.requires or ()
        yield record, entry_point


def _only(found: list[Found]) -> Found:
    record, entry_point = found[0]
    if len(found) > 1:
        both = " and ".join(f"{each.distribution} {each.version}" for each, _ in found)
        # The core's own had its name first.
        guest = next((each for each, _ in found if canonical(each.distribution) != CORE), record)
        guest.fail(OfferedTwice, f"{both} both offer a plugin of this name", _RENAME)
        record.state, record.kind, record.error = guest.state, guest.kind, guest.error
    return record, entry_point
