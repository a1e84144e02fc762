"""An isolated registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aaah_core.registry import Registry, build, use

__all__ = ["registry"]


@contextmanager
def registry(*plugins: Any) -> Iterator[Registry]:
    """Use only the core's own plugins and these, for the consumers that are compiled within.

    Args:
        plugins: Names of installed plugins, and objects (modules, classes, instances) with hooks.
    """
    names = [plugin for plugin in plugins if isinstance(plugin, str)]
    objects: dict[str, Any] = {}
    for plugin in plugins:
        if not isinstance(plugin, str):
            name = _name(plugin)
            objects[f"{name}_{len(objects)}" if name in objects else name] = plugin
    with use(build(objects, names)) as isolated:
        yield isolated


def _name(plugin: Any) -> str:
    name = getattr(plugin, "__name__", None) or type(plugin).__name__
    return f"{name.rpartition('.')[2]}"
