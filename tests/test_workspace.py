"""What the workspace promises about its distributions, read from their own files."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PROJECTS = [ROOT, *PLUGINS]


def _project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def _package(folder):
    [package] = [path.parent for path in folder.glob("*/py.typed")]
    return package


PACKAGES = {_package(folder).name: _package(folder) for folder in PROJECTS}

every_project = pytest.mark.parametrize("folder", PROJECTS, ids=lambda folder: folder.name)
every_plugin = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)


@every_project
def test_siblings_are_needed_by_range_and_never_by_an_exact_version(folder):
    names = {_project(other)["name"] for other in PROJECTS}
    needs = map(Requirement, _project(folder)["dependencies"])
    ranges = {str(need.specifier) for need in needs if need.name in names}
    assert ranges <= {"<0.2,>=0.1"}


@every_project
def test_every_sibling_that_is_imported_is_needed(folder):
    by_package = {_package(other).name: _project(other)["name"] for other in PROJECTS}
    imported = {module.split(".")[0] for module, _ in _imports(_package(folder))}
    needs = {Requirement(need).name for need in _project(folder)["dependencies"]}
    assert {by_package[name] for name in imported & by_package.keys()} <= (
        needs | {_project(folder)["name"]}
    )


@every_plugin
def test_a_plugin_has_the_files_that_a_stranger_expects(folder):
    files = ["README.md", "LICENSE", f"{_package(folder).name}/py.typed"]
    assert [name for name in files if not (folder / name).is_file()] == []
    assert any((folder / "tests").glob("test_*.py"))


@every_plugin
def test_a_plugins_init_is_empty(folder):
    assert (_package(folder) / "__init__.py").read_text() == ""


@every_plugin
def test_an_entry_point_is_named_after_its_folder(folder):
    entry_points = _project(folder).get("entry-points", {}).get("aaah", {})
    assert entry_points in ({}, {folder.name: f"{_package(folder).name}.plugin"})
    assert bool(entry_points) == (_package(folder) / "plugin.py").is_file()


@every_plugin
def test_a_plugin_imports_the_core_from_its_front_door(folder):
    modules = {module for module, _ in _imports(_package(folder))}
    core = {module for module in modules if module.split(".")[0] == "aaah_core"}
    assert core <= {"aaah_core", "aaah_core.testing"}


@every_plugin
def test_a_plugin_imports_only_public_names_of_others(folder):
    own = _package(folder).name
    private = [
        f"{module}.{name}"
        for module, name in _imports(_package(folder))
        if module.split(".")[0] in PACKAGES.keys() - {own} and not _is_public(module, name)
    ]
    assert private == []


def _imports(package):
    """Return (module, name) of every import; the name is None for ``import module``."""
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {(alias.name, None) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {(node.module, alias.name) for alias in node.names}
    return found


def _is_public(module, name):
    package, *rest = module.split(".")
    if any(part.startswith("_") for part in rest):
        return False
    if _file(package, rest) is None:
        return False
    if name is None or _file(package, [*rest, name]) is not None:
        return not (name or "").startswith("_")
    return name in _all(_file(package, rest))


def _file(package, parts):
    path = PACKAGES[package].joinpath(*parts)
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _all(path):
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return ast.literal_eval(node.value)
    return []
