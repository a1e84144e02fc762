"""Finds plugins through entry points, loads them, and remembers what went wrong with each."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import importlib_metadata
import pluggy
from django.core.signals import setting_changed
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aaah_core import conf, hookspecs
from aaah_core.errors import ConfigurationError, PluginError

if TYPE_CHECKING:
    from aaah_core.plan import ConsumerPlan

__all__ = ["CORE", "Plugin", "Registry", "build", "current", "use"]

#: The distribution whose plugins are the defaults.
CORE = "aaah-core"


@dataclass(slots=True)
class Plugin:
    """One plugin: where it is from, and what became of it."""

    name: str
    distribution: str
    version: str
    hooks: list[str] = field(default_factory=list)
    state: Literal["loaded", "disabled", "broken"] = "loaded"
    error: str | None = None

    def __str__(self) -> str:
        return f"Plugin {self.name!r} ({self.distribution} {self.version})"


class Registry:
    """The plugins of one process, or of one test."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: dict[str, Plugin] = {}
        #: What is wrong with the settings, rather than with one plugin.
        self.errors: list[str] = []
        #: The compiled consumers.
        self.plans: dict[type, ConsumerPlan] = {}

    def problems(self) -> list[str]:
        """Return every recorded error, one message each."""
        broken = [plugin.error for plugin in self.plugins.values() if plugin.error]
        return [*self.errors, *broken]

    def raise_problems(self) -> None:
        """Raise what was recorded while loading.

        Raises:
            PluginError: Something did not load, and nothing starts until that is mended.
        """
        if problems := self.problems():
            raise PluginError("\n".join(problems))

    def add(self, record: Plugin, module: Any) -> None:
        """Take a loaded plugin in, or record why it cannot be taken."""
        try:
            record.hooks = _verified_hooks(self.manager, module)
            self.manager.register(module, record.name)
        except (ValueError, pluggy.PluginValidationError) as error:
            if self.manager.has_plugin(record.name):
                self.manager.unregister(name=record.name)
            _break(record, str(error), "mend the plugin, or disable it")


def build(objects: dict[str, Any] | None = None, names: Iterable[str] | None = None) -> Registry:
    """Return a registry of the installed plugins, loaded as the setting `AAAH` says.

    It never raises: `Registry.problems` has what went wrong.

    Args:
        objects: Plugins that are not installed (a test's), by name.
        names: The installed plugins to take, besides the core's own; all of them if left out.
    """
    registry = Registry()
    try:
        settings = conf.current()
    except ConfigurationError as error:
        registry.errors.append(str(error))
        settings = conf.Settings()
    found = _find(registry, names)
    loaded: list[tuple[Plugin, Any]] = []
    for name in _order(registry, list(found), settings):
        record, entry_point = found[name]
        registry.plugins[name] = record
        if name in settings.DISABLED_PLUGINS:
            record.state = "disabled"
        elif record.state == "loaded" and (module := _load(record, entry_point)) is not None:
            loaded.append((record, module))
    for name, plugin in (objects or {}).items():
        record = registry.plugins[name] = Plugin(name, _origin(plugin), "0")
        loaded.append((record, plugin))
    # pluggy calls the last registered first.
    for record, module in reversed(loaded):
        registry.add(record, module)
    _check_settings(registry, settings)
    return registry


def _origin(plugin: Any) -> str:
    return str(getattr(plugin, "__module__", None) or getattr(plugin, "__name__", "unknown"))


def _find(
    registry: Registry, names: Iterable[str] | None
) -> dict[str, tuple[Plugin, importlib_metadata.EntryPoint]]:
    by_name: dict[str, list[importlib_metadata.EntryPoint]] = defaultdict(list)
    for entry_point in importlib_metadata.entry_points(group=hookspecs.PROJECT):
        by_name[entry_point.name].append(entry_point)
    found = {}
    for name, entry_points in sorted(by_name.items()):
        records = [_record(entry_point) for entry_point in entry_points]
        if names is not None and name not in names and records[0].distribution != CORE:
            continue
        if len(records) > 1:
            both = " and ".join(f"{each.distribution} {each.version}" for each in records)
            _break(records[0], f"{both} both offer a plugin of this name", "uninstall one")
        found[name] = records[0], entry_points[0]
    for name in set(names or ()) - set(found):
        registry.errors.append(f"No plugin {name!r} is installed{conf.nearest(name, found)}.")
    return found


def _record(entry_point: importlib_metadata.EntryPoint) -> Plugin:
    distribution = entry_point.dist
    if distribution is None:
        return Plugin(entry_point.name, "unknown", "0")
    return Plugin(entry_point.name, distribution.name, distribution.version)


def _order(registry: Registry, installed: list[str], settings: conf.Settings) -> list[str]:
    for key in ("PLUGINS", "DISABLED_PLUGINS"):
        for name in getattr(settings, key):
            if name is not ... and name not in installed:
                registry.errors.append(
                    f'AAAH["{key}"] names {name!r}, and no such plugin is installed'
                    f"{conf.nearest(str(name), installed)}. Installed: {', '.join(installed)}."
                )
    listed = list(dict.fromkeys(settings.PLUGINS))
    rest = [name for name in installed if name not in listed]
    if ... not in listed:
        rest = [name for name in rest if _is_default(name)]
        listed.append(...)
    place = listed.index(...)
    ordered = [*listed[:place], *rest, *listed[place + 1 :]]
    return [name for name in ordered if name in installed]


def _is_default(name: str) -> bool:
    own = importlib_metadata.distribution(CORE).entry_points
    return any(entry.name == name for entry in own.select(group=hookspecs.PROJECT))


def _break(record: Plugin, cause: str, remedy: str) -> None:
    record.state = "broken"
    record.error = f"{record}: {cause}. To go on, {remedy}."


def _load(record: Plugin, entry_point: importlib_metadata.EntryPoint) -> Any:
    disable = f'uninstall {record.distribution}, or add {record.name!r} to AAAH["DISABLED_PLUGINS"]'
    if wanted := _unmet_core(entry_point):
        version = importlib_metadata.version(CORE)
        _break(
            record,
            f"it needs {wanted}, and {CORE} {version} is installed",
            f"install versions that fit, or {disable}",
        )
        return None
    try:
        return entry_point.load()
    except Exception as error:  # noqa: BLE001 - a stranger's import may raise anything
        where = f"{entry_point.name} = {entry_point.value}"
        cause = f"loading its entry point ({where}) raised {type(error).__name__}: {error}"
        _break(record, cause, disable)
        return None


def _unmet_core(entry_point: importlib_metadata.EntryPoint) -> str | None:
    requires = (entry_point.dist.requires if entry_point.dist else None) or []
    for text in requires:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) != CORE:
            continue
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if not requirement.specifier.contains(importlib_metadata.version(CORE), prereleases=True):
            return f"{CORE}{requirement.specifier}"
    return None


def _verified_hooks(manager: pluggy.PluginManager, module: Any) -> list[str]:
    known = [name for name in vars(hookspecs) if name.startswith("aaah_")]
    hooks = []
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is None:
            if name in known and _is_own(module, name):
                raise ValueError(f"{name} is not marked with @hookimpl, so it would never be asked")
        elif name not in known:
            raise ValueError(f"it implements {name}, which is no hook{conf.nearest(name, known)}")
        elif options["wrapper"] or options["hookwrapper"]:
            raise ValueError(f"{name} is a wrapper; hooks are asked for answers, one by one")
        elif inspect.iscoroutinefunction(getattr(module, name)):
            raise ValueError(f"{name} is async; hooks are plain, what they return may be async")
        else:
            hooks.append(name)
    return hooks


def _is_own(module: Any, name: str) -> bool:
    function = getattr(module, name)
    if not callable(function):
        return False
    return not isinstance(module, ModuleType) or function.__module__ == module.__name__


def _check_settings(registry: Registry, settings: conf.Settings) -> None:
    for name in settings.PLUGIN_SETTINGS:
        if name not in registry.plugins:
            registry.errors.append(
                f'AAAH["PLUGIN_SETTINGS"] has {name!r}, and no such plugin is installed'
                f"{conf.nearest(name, registry.plugins)}."
            )
        elif registry.plugins[name].state == "loaded" and name not in conf.declared:
            registry.errors.append(
                f'AAAH["PLUGIN_SETTINGS"] has {name!r}, and that plugin has no settings.'
            )
    for name in conf.declared:
        if name in registry.plugins and registry.plugins[name].state == "loaded":
            try:
                conf.read_plugin(name)
            except ConfigurationError as error:
                _break(registry.plugins[name], str(error).rstrip("."), "mend the setting")


_current: Registry | None = None


def current() -> Registry:
    """Return the registry in use, built at the first call."""
    global _current
    if _current is None:
        _current = build()
    return _current


@contextmanager
def use(registry: Registry) -> Iterator[Registry]:
    """Use another registry for a while: consumers that are compiled within are compiled with it."""
    global _current
    before, _current = _current, registry
    try:
        yield registry
    finally:
        _current = before


def _forget(*, setting: str, **kwargs: Any) -> None:
    global _current
    if setting == "AAAH":
        _current = None


setting_changed.connect(_forget)
