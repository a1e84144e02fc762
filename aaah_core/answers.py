"""Asks the plugins one hook."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from aaah_core.errors import ConfigurationError
from aaah_core.expectations import raised, wrong
from aaah_core.registry import Plugin, Registry

__all__ = ["Answer", "ask"]


@dataclass(slots=True, frozen=True)
class Answer:
    """Who answered a hook, about what."""

    hook: str
    subject: str
    plugin: Plugin
    #: What it returned, where calls meet that; of a check, the permission it is of.
    given: Any = field(default=None, repr=False)  # which may hold a secret


def ask(registry: Registry, hook: str, **arguments: Any) -> Iterator[tuple[Plugin, Any]]:
    """Ask one hook, and give each answer that is not None with the plugin that gave it."""
    for implementation in reversed(getattr(registry.manager.hook, hook).get_hookimpls()):
        plugin = registry.plugins[implementation.plugin_name]
        values = [arguments[name] for name in implementation.argnames]
        try:
            answer = implementation.function(*values)
            if isinstance(answer, Generator):
                if hook != "aaah_codecs":
                    raise wrong(plugin, hook, "a generator, as it yields what it should return")
                answer = list(answer)  # its body runs here, where what it raises gets its name
        except ConfigurationError:
            raise
        except Exception as error:
            raise raised(plugin, hook, error, arguments) from error
        if answer is not None:
            yield plugin, answer
