"""Whether an installed plugin keeps the rules that all plugins keep."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import importlib_metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aaah_core import conf, discovery
from aaah_core.answers import ask
from aaah_core.errors import ConfigurationError
from aaah_core.handlers import AsyncAPIActionHandler
from aaah_core.interfaces import Codec
from aaah_core.plan import consumer_plan
from aaah_core.registry import CORE, Registry, build, use
from aaah_core.testing.codecs import assert_codec_conforms

__all__ = ["assert_plugin_conforms"]

#: What every start of Django would pay for, if a hook module imported it.
_HEAVY = ("rest_framework", "channels.generic", "aaah_core.consumers")
_LOAD = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import aaah_core
before = set(sys.modules)
__import__(sys.argv[2])
print(json.dumps(sorted(set(sys.modules) - before)))
"""
_INSTALL = "run `pip install -e .` in its folder, and look at [project.entry-points.aaah]"


def assert_plugin_conforms(name: str) -> None:
    """Hold an installed plugin to the rules of all plugins.

    It loads; its hooks have the names and arguments they must; what it answers is of the right kind
    and taken by nobody else; its settings have defaults; its hook module imports nothing heavy;
    and its distribution says what it needs of the core, is typed, and has an empty `__init__`.

    Args:
        name: The plugin's name, which is that of its entry point.

    Raises:
        AssertionError: It breaks rules; the message has a line for each, with what to do.
    """
    installed = discovery.installed()
    if name not in installed:
        raise AssertionError(
            f"No plugin {name!r} is installed{conf.nearest(name, installed)} Installed: "
            f"{', '.join(installed)}. If it should be: {_INSTALL}."
        )
    _, entry_point = installed[name]
    alone = build(names=[name])
    faults = list(alone.problems())
    if entry_point is not None and not faults:
        faults += _faults_of_name(name)
        faults += _faults_of_imports(entry_point)
        faults += _faults_of_settings(name, entry_point)
        faults += _faults_of_answers(name, alone)
        faults += _faults_of_metadata(entry_point)
        faults += _faults_of_package(entry_point)
    if faults:
        lines = "\n".join(f"- {fault}" for fault in dict.fromkeys(faults))
        raise AssertionError(f"The plugin {name!r} does not conform:\n{lines}")


def _faults_of_name(name: str) -> Iterator[str]:
    if not name.isidentifier() or name != name.lower():
        yield (
            f"{name!r} is its name in settings and in AAAH_PLUGINS: name the entry point with "
            f"small letters, digits and underscores."
        )


def _faults_of_imports(entry_point: importlib_metadata.EntryPoint) -> Iterator[str]:
    module = entry_point.module
    hidden = {"DJANGO_SETTINGS_MODULE"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    loaded = subprocess.run(  # noqa: S603 - it runs the plugin's own module
        [sys.executable, "-c", _LOAD, json.dumps(sys.path), module],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if loaded.returncode:
        reason = loaded.stderr.strip().rpartition("\n")[2]
        yield (
            f"{module} cannot be imported before Django is set up ({reason}): import what needs "
            f"settings or models inside the hook's body."
        )
        return
    found = json.loads(loaded.stdout.strip().rpartition("\n")[2])
    for heavy in (*_HEAVY, *_packages_needed(entry_point)):
        if heavy in found:
            yield (
                f"{module} imports {heavy}, and every start of Django would wait for it: import "
                f"it inside the hook's body."
            )


def _packages_needed(entry_point: importlib_metadata.EntryPoint) -> list[str]:
    """Return the packages of the distributions that a plugin needs besides the core and its own."""
    packages: list[str] = []
    light = {CORE, "django", "channels", "msgspec", "pluggy", "packaging", "importlib-metadata"}
    for requirement in _requirements(entry_point):
        if canonicalize_name(requirement.name) in light:
            continue
        try:
            files = importlib_metadata.files(requirement.name) or []
        except importlib_metadata.PackageNotFoundError:
            continue
        packages += {path.parts[0] for path in files if path.parts[-1] == "__init__.py"}
    return packages


def _requirements(entry_point: importlib_metadata.EntryPoint) -> list[Requirement]:
    texts = (entry_point.dist.requires if entry_point.dist else None) or []
    needs = map(Requirement, texts)
    return [need for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]


def _faults_of_settings(name: str, entry_point: importlib_metadata.EntryPoint) -> Iterator[str]:
    package = entry_point.module.partition(".")[0]
    for declared, schema in conf.declared.items():
        if schema.__module__.partition(".")[0] == package and declared != name:
            yield (
                f"It declares its settings as {declared!r}, and is installed as {name!r}: write "
                f"plugin_settings({name!r}, {schema.__qualname__})."
            )


def _faults_of_answers(name: str, alone: Registry) -> Iterator[str]:
    from aaah_core.consumers import AsyncAPIConsumer  # here: pytest imports this at each start

    for registry in (alone, build()):
        with use(registry):
            try:
                consumer_plan(AsyncAPIConsumer)
            except ConfigurationError as error:
                yield str(error)
                return
    for plugin, codecs in ask(alone, "aaah_codecs"):
        if plugin.name == name:
            yield from filter(None, map(_fault_of_codec, codecs))
    for hook in ("aaah_request_parser", "aaah_response_shaper"):
        for plugin, _ in ask(alone, hook, consumer_class=_OfAnotherWire):
            if plugin.name == name:
                yield (
                    f"Its {hook} answers for every wire: return None unless "
                    f"consumer_class.wire is its own."
                )
    for plugin, check in ask(
        alone,
        "aaah_permission_check",
        handler_class=AsyncAPIActionHandler,
        permission=object(),
    ):
        if plugin.name == name:
            yield (
                f"Its aaah_permission_check answered for a plain object() with {check!r}: return "
                f"None for what is not its own."
            )


class _OfAnotherWire:
    """Stands for a consumer: its wire is all that a plugin may look at."""

    wire = "nobodys-wire"


def _fault_of_codec(codec: Codec) -> str:
    try:
        assert_codec_conforms(codec)
    except AssertionError as error:
        return str(error)
    return ""


def _faults_of_metadata(entry_point: importlib_metadata.EntryPoint) -> Iterator[str]:
    core = [need for need in _requirements(entry_point) if canonicalize_name(need.name) == CORE]
    example = 'dependencies = ["aaah-core>=0.1,<0.2"]'
    if _is_core(entry_point):
        return
    if not core:
        yield f"Its distribution does not need {CORE}: write {example}."
    for need in core:
        operators = {each.operator for each in need.specifier}
        if not (operators & {">=", ">", "~="} and operators & {"<", "<=", "~="}):
            yield f"It needs {need}: say from and below which version, as in {example}."


def _faults_of_package(entry_point: importlib_metadata.EntryPoint) -> Iterator[str]:
    name = entry_point.module.partition(".")[0]
    package = sys.modules[name]
    if not hasattr(package, "__path__"):
        yield (
            f"{name} is a single file, which cannot be typed: make it a package, {name}/, with an "
            f"empty __init__.py, py.typed and plugin.py."
        )
        return
    file = getattr(package, "__file__", None)
    if file is None:
        yield f"{name} has no __init__.py: add an empty one."
        return
    folder = Path(file).parent
    if not (folder / "py.typed").is_file():
        yield f"{name} has no py.typed, so type checkers overlook its types: add an empty file."
    # The core's own says which names are public; a plugin's would be imported with every hook.
    if not _is_core(entry_point) and inspect.cleandoc((folder / "__init__.py").read_text()):
        yield f"{file} is not empty: users import modules, and each start would run it. Empty it."


def _is_core(entry_point: importlib_metadata.EntryPoint) -> bool:
    dist: Any = entry_point.dist
    return dist is not None and canonicalize_name(dist.name) == CORE
