"""Registries of a test's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from aaah_core.registry import Registry, build, use

__all__ = ["registered", "registry"]


@contextmanager
def registry(*plugins: Any, **named: Any) -> Iterator[Registry]:
    """Use only the core's own plugins and these, for the consumers that are compiled within.

    Args:
        plugins: Names of installed plugins, and objects (modules, classes, instances) with hooks.
        named: Objects with hooks, by the name that each is to have.
    """
    names = [plugin for plugin in plugins if isinstance(plugin, str)]
    with use(build({**_named(plugins), **named}, names)) as isolated:
        yield isolated


@contextmanager
def registered(*plugins: Any, **named: Any) -> Iterator[Registry]:
    """Use all installed plugins and these, for the consumers that are compiled within.

    Args:
        plugins: Objects (modules, instances) with hooks, which need not be installed.
        named: The same, by the name that each is to have: one with settings needs its own.

    Raises:
        PluginError: Something did not load: one of these, or an installed one.
    """
    with use(build({**_named(plugins), **named})) as whole:
        whole.raise_problems()
        yield whole


def _named(plugins: Iterable[Any]) -> dict[str, Any]:
    objects: dict[str, Any] = {}
    for plugin in plugins:
        if not isinstance(plugin, str):
            name = _name(plugin)
            objects[f"{name}_{len(objects)}" if name in objects else name] = plugin
    return objects


def _name(plugin: Any) -> str:
    name = getattr(plugin, "__name__", None) or type(plugin).__name__
    return f"{name.rpartition('.')[2]}"
