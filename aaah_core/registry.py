"""Loads the plugins that are installed, and remembers what went wrong with each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pluggy
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.core.signals import setting_changed

from aaah_core import conf, discovery, hookspecs
from aaah_core.compatibility import CORE, canonical, unmet_core
from aaah_core.discovery import Found, Plugin
from aaah_core.errors import (
    ConfigurationError,
    OfferedTwice,
    PluginError,
    PluginNotLoaded,
    WrongCore,
    WrongHook,
    WrongSettings,
)
from aaah_core.verification import verified_hooks

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint

    from aaah_core.plan import ConsumerPlan

__all__ = ["CORE", "Plugin", "Registry", "build", "current", "use"]

_TO_NOTHING = "mend [project.entry-points.aaah] of its pyproject.toml and install it again"


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
            PluginError: Something did not load, and nothing starts until that is mended. One
                mistake is raised as its own class.
        """
        if problems := self.problems():
            kinds = {plugin.kind for plugin in self.plugins.values() if plugin.error}
            kinds |= {WrongSettings} if self.errors else set()
            raise (kinds.pop() if len(kinds) == 1 else PluginError)("\n".join(problems))

    def add(self, record: Plugin, module: Any) -> None:
        """Take a loaded plugin in, or record why it cannot be taken."""
        try:
            record.hooks = verified_hooks(self.manager, module, installed=bool(record.entry_point))
            self.manager.register(module, record.name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - looking at a stranger's module may raise anything
            record.fail(WrongHook, str(error), "mend the plugin, or disable it")


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
    installed = discovery.installed()
    wanted = _wanted(registry, installed, names)
    order = [name for name in _order(registry, installed, settings) if name in wanted]
    loaded: list[tuple[Plugin, Any]] = []
    own = (found[0].version for found in installed.values() if _is_default(found))
    core_version = next(own, "0")
    for name in dict.fromkeys([*order, *wanted]):
        record, entry_point = installed[name]
        registry.plugins[name] = record
        if name in settings.DISABLED_PLUGINS or name not in order:
            record.state, record.error = "disabled", None
        elif (
            record.state == "loaded"
            and entry_point is not None
            and (module := _load(record, entry_point, core_version)) is not None
        ):
            loaded.append((record, module))
    for name, plugin in (objects or {}).items():
        if any(plugin is module for _, module in loaded):
            continue  # it is installed by now, and its tests are as they were before
        taken = any(record.name == name for record, _ in loaded)
        record = registry.plugins[name] = Plugin(name, _origin(plugin), "0")
        if taken:
            remedy = "give this one another name, as in registered(another_name=plugin)"
            record.fail(OfferedTwice, "an installed plugin has that name", remedy)
        else:
            loaded.append((record, plugin))
    # pluggy calls the last registered first.
    for record, module in reversed(loaded):
        registry.add(record, module)
    _check_settings(registry, settings, installed)
    return registry


def _origin(plugin: Any) -> str:
    return str(getattr(plugin, "__module__", None) or getattr(plugin, "__name__", "unknown"))


def _wanted(
    registry: Registry, installed: Mapping[str, Found], names: Iterable[str] | None
) -> list[str]:
    if names is None:
        return list(installed)
    for name in set(names) - set(installed):
        registry.errors.append(f"No plugin {name!r} is installed{conf.nearest(name, installed)}")
    return [name for name in installed if name in names or _is_default(installed[name])]


def _order(
    registry: Registry, installed: Mapping[str, Found], settings: conf.Settings
) -> list[str]:
    for key in ("PLUGINS", "DISABLED_PLUGINS"):
        for name in getattr(settings, key):
            if name is not ... and name not in list(installed):
                registry.errors.append(
                    f"{_where(key)} names {name!r}, and no such plugin is installed"
                    f"{conf.nearest(str(name), installed)} Installed: {', '.join(installed)}."
                )
    for name, times in Counter(map(_shown, settings.PLUGINS)).items():
        if times > 1:
            registry.errors.append(
                f"{_where('PLUGINS')} names {name} more than once, and it has one place in the "
                f"order of plugins: leave the others out."
            )
    known = [name for name in settings.PLUGINS if name is ... or name in list(installed)]
    listed = list(dict.fromkeys(known))
    rest = [name for name in installed if name not in listed]
    if ... not in listed:
        rest = [name for name in rest if _is_default(installed[name])]
        listed.append(...)
    place = listed.index(...)
    return [*listed[:place], *rest, *listed[place + 1 :]]


def _shown(name: Any) -> str:
    return "'...'" if name is ... else repr(name)


def _where(key: str) -> str:
    return f"AAAH_{key}" if f"AAAH_{key}" in os.environ else f'AAAH["{key}"]'


def _is_default(found: Found) -> bool:
    return canonical(found[0].distribution) == CORE


def _load(record: Plugin, entry_point: EntryPoint, core_version: str) -> Any:
    disable = f'uninstall {record.distribution}, or add {record.name!r} to AAAH["DISABLED_PLUGINS"]'
    try:
        if wanted := unmet_core(record.requires, core_version):
            cause = f"it needs {wanted}, and {CORE} {core_version} is installed"
            record.fail(WrongCore, cause, f"install versions that fit, or {disable}")
            return None
        return entry_point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a stranger's import may raise anything
        kind = type(error) if isinstance(error, PluginError) else PluginNotLoaded
        where = f" in {error.filename}" if isinstance(error, SyntaxError) else ""
        cause = f"loading it raised {type(error).__name__}: {error}{where}"
        record.fail(kind, cause, f"{_mend(entry_point, error)}, or {disable}")
        return None


def _mend(entry_point: EntryPoint, error: BaseException) -> str:
    """Return what the author of a plugin that does not load may do."""
    if isinstance(error, ModuleNotFoundError) and error.name in _packages(entry_point.module):
        return _TO_NOTHING
    if isinstance(error, AttributeError) and error.name in (entry_point.attr or "").split("."):
        return _TO_NOTHING
    if isinstance(error, PluginError):
        return "mend the plugin"  # it is improperly configured, too
    if isinstance(error, (AppRegistryNotReady, ImproperlyConfigured)):
        return "import what needs settings or models inside the hook's body"
    if isinstance(error, TypeError) and "HookimplMarker" in str(error):
        return "write @hookimpl, with tryfirst=True or trylast=True if its place matters"
    return "mend the plugin"


def _packages(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[: length + 1]) for length in range(len(parts))}


def _check_settings(registry: Registry, settings: conf.Settings, installed: Iterable[str]) -> None:
    plugins = registry.plugins
    for name in settings.PLUGIN_SETTINGS:
        known = {*installed, *plugins}
        if name not in known:
            registry.errors.append(
                f'AAAH["PLUGIN_SETTINGS"] has {name!r}, and no such plugin is installed'
                f"{conf.nearest(name, sorted(known))}"
            )
        elif name in plugins and plugins[name].state == "loaded" and name not in conf.declared:
            registry.errors.append(
                f'AAAH["PLUGIN_SETTINGS"] has {name!r}, and that plugin has no settings.'
            )
    for name, schema in conf.declared.items():
        if name in plugins and plugins[name].state == "loaded":
            # What is wrong elsewhere in AAAH is no fault of this plugin.
            values = settings.PLUGIN_SETTINGS.get(name, {})
            try:
                conf.read(values, schema, f'AAAH["PLUGIN_SETTINGS"][{name!r}]')
                conf.require_defaults(name, schema)
            except KeyboardInterrupt:
                raise
            except WrongSettings as error:
                plugins[name].fail(WrongSettings, str(error), "mend the setting")
            except BaseException as error:  # noqa: BLE001 - a stranger's dataclass may raise anything
                cause = f"reading its settings raised {type(error).__name__}: {error}"
                remedy = "mend the setting, or the default in its dataclass"
                plugins[name].fail(WrongSettings, cause, remedy)


_process: Registry | None = None
#: Registries that stand in for the process's own, the last one first.
_stand_ins: list[Registry] = []


def current() -> Registry:
    """Return the registry in use; the process's own is built at the first call."""
    global _process
    if _stand_ins:
        return _stand_ins[-1]
    if _process is None:
        _process = build()
    return _process


@contextmanager
def use(registry: Registry) -> Iterator[Registry]:
    """Use another registry for a while: consumers that are compiled within are compiled with it."""
    _stand_ins.append(registry)
    try:
        yield registry
    finally:
        _stand_ins.remove(registry)


def _forget(*, setting: str, **kwargs: Any) -> None:
    global _process
    if setting == "AAAH":
        _process = None
        for registry in _stand_ins:
            registry.plans.clear()


setting_changed.connect(_forget)
