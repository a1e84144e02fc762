"""The public surface as text: names, signatures, hooks and their arguments.

``python -m tests.public_surface`` writes it into tests/public_surface.txt; docs/stability.md says
what may change in it, and when. It is read from the sources, so that every Python says the same.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import aaah_core
from aaah_core import hookspecs, testing

COMMITTED = Path(__file__).with_suffix(".txt")


def surface():
    """Return a line for each name, attribute and method that others may use."""
    lines = [line for name in _hooks() for line in _lines("hook ", hookspecs.__name__, name)]
    for package, module_of in ((aaah_core, _in_core), (testing, _in_testing)):
        for name in sorted(package.__all__):
            lines += _lines(f"{package.__name__}.", module_of(name), name)
    return "\n".join([*lines, ""])


def _hooks():
    return [name for name in vars(hookspecs) if name.startswith("aaah_")]


def _in_core(name):
    return f"aaah_core.{aaah_core._MODULES[name]}"


def _in_testing(name):
    return getattr(testing, name).__module__


@cache
def _definitions(module):
    """Return what a module defines by name; of what is defined twice, the last."""
    return _by_name(ast.parse(Path(import_module(module).__file__).read_text("utf-8")).body)


def _by_name(body):
    found = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        for name in [*names, *([node.name] if hasattr(node, "name") else [])]:
            found[name] = node
    return found


def _lines(prefix, module, name):
    node = _definitions(module)[name]
    yield _line(prefix, name, node)
    if isinstance(node, ast.ClassDef):
        for member, inner in _by_name(node.body).items():
            if not member.startswith("_") or member == "__init__":
                yield _line(f"{prefix}{name}.", member, inner)


def _line(prefix, name, node):
    where = f"{prefix}{name}"
    if isinstance(node, ast.ClassDef):
        return f"class {where}({', '.join(map(ast.unparse, [*node.bases, *node.keywords]))})"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
        marks = "".join(f"@{ast.unparse(mark)} " for mark in node.decorator_list)
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"{marks}{kind}{where}({ast.unparse(node.args)}){returns}"
    if isinstance(node, ast.AnnAssign):
        value = f" = {ast.unparse(node.value)}" if node.value else ""
        return f"{where}: {ast.unparse(node.annotation)}{value}"
    return f"{where} = {ast.unparse(node.value)}"


if __name__ == "__main__":
    COMMITTED.write_text(surface(), "utf-8")
    sys.stdout.write(f"{COMMITTED} is written.\n")
