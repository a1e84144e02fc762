"""The reference: a page of docstrings for each public module, with its README for a plugin."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aaah_core
from aaah_core import hookspecs, interfaces, messages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["public_modules", "setup"]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"

_CODE = re.compile(r"(?<![`:])`([^`]+)`(?![`_])")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_ENTRY = re.compile(r"    (\w+): (.*)")
_PLACEHOLDER = re.compile(r"TypeAliasForwardRef\('([\w.]+)'\)")


def public_modules(plugin: Path) -> list[str]:
    """Return the modules of a plugin that its README names: those are public.

    Args:
        plugin: The folder of the plugin.
    """
    [package] = [path.parent.name for path in plugin.glob("*/py.typed")]
    named = re.findall(rf"\b{package}(?:\.[a-z_]+)+\b", (plugin / "README.md").read_text("utf-8"))
    files = {name: plugin.joinpath(*name.split(".")).with_suffix(".py") for name in named}
    return sorted(name for name, path in files.items() if path.is_file())


def _pages() -> dict[str, str]:
    plugins = sorted(path.parent for path in ROOT.glob("plugins/*/README.md"))
    readme, changes = ((ROOT / f"{name}.md").read_text("utf-8") for name in ("README", "CHANGELOG"))
    pages = {
        "aaah_core.rst": _core(),
        "hooks.rst": _hooks(),
        "testing.rst": _title("aaah_core.testing") + ".. automodule:: aaah_core.testing\n",
        **{f"{plugin.name}.markdown": _plugin(plugin) for plugin in plugins},
        "README.markdown": readme.replace("# AAAH\n", "# README\n", 1),
        "CHANGELOG.markdown": changes,
    }
    return {**pages, "index.rst": _index(Path(name).stem for name in pages)}


def _core() -> str:
    text = f"{_title('aaah_core')}.. automodule:: aaah_core\n   :no-members:\n\n"
    for submodule, names in aaah_core._NAMES.items():
        module = f"aaah_core.{submodule}"
        text += _title(_first_sentence(module), "-")
        text += "".join(_entry(module, name) for name in names)
    return text


def _first_sentence(module: str) -> str:
    text = inspect.cleandoc(import_module(module).__doc__ or "").partition("\n\n")[0]
    return re.split(r"\.(?:\s|$)", " ".join(text.split()))[0].replace("`", "``")


def _comments(module: str) -> dict[tuple[str, str], list[str]]:
    from sphinx.pycode import ModuleAnalyzer

    return ModuleAnalyzer.for_module(module).find_attr_docs()


def _entry(module: str, name: str) -> str:
    value = getattr(import_module(module), name)
    if inspect.isfunction(value):
        return f".. autofunction:: aaah_core.{name}\n\n"
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        options = "   :undoc-members:\n"  # statuses and codes say what they are
        return f".. auto{kind}:: aaah_core.{name}\n{options}\n"
    comment = _comments(module)["", name]
    body = "\n".join(f"   {line}" for line in _marked(comment))
    return f".. py:data:: aaah_core.{name}\n\n{body}\n\n"


def _hooks() -> str:
    names = [name for name in vars(hookspecs) if name.startswith("aaah_")]
    text = _title("The hooks") + ".. automodule:: aaah_core.hookspecs\n   :no-members:\n\n"
    return text + "".join(f".. autofunction:: {name}\n\n" for name in names)


def _plugin(folder: Path) -> str:
    text = (folder / "README.md").read_text("utf-8")
    if not (modules := public_modules(folder)):
        return text
    parts = "".join(
        f"### `{module}`\n\n```{{eval-rst}}\n{_module(module)}```\n\n" for module in modules
    )
    return f"{text}\n## Reference\n\n{parts}"


def _module(name: str) -> str:
    # The slot `call` of all handlers: autodoc takes it for each class's own.
    return f".. automodule:: {name}\n   :exclude-members: call\n\n"


def _index(pages: Iterable[str]) -> str:
    lines = "".join(f"   {page}\n" for page in pages)
    return f"{_title('Reference')}.. toctree::\n   :maxdepth: 1\n\n{lines}"


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n\n"


def _marked(lines: list[str]) -> list[str]:
    """Docstrings mark code as Markdown does: what is no name would be no role's target."""

    def mark(match: re.Match[str]) -> str:
        return match[0] if _NAME.fullmatch(match[1]) else f"``{match[1]}``"

    return _CODE.sub(mark, "\n".join(lines)).split("\n")


def _mark(app: Sphinx, what: str, *event: Any) -> None:
    _name, obj, _options, lines = event
    if what in ("class", "exception") and "Attributes:" in lines:
        _move_attributes(obj, lines)
    lines[:] = _marked(lines)


def _move_attributes(owner: type, lines: list[str]) -> None:
    """Show what a class says of its attributes beside each of them, as a comment there would be."""
    documented = _comments(owner.__module__)
    start = lines.index("Attributes:")
    end = next((i for i, line in enumerate(lines) if i > start and line[:1].strip()), len(lines))
    for line in lines[start + 1 : end]:
        if (entry := _ENTRY.match(line)) is not None:
            said = documented[owner.__qualname__, entry[1]] = [entry[2]]
        else:
            said.append(line.strip())
    del lines[start:end]


def _plain_names(app: Sphinx, what: str, *event: Any) -> tuple[str | None, ...]:
    """Replace the placeholders that autodoc shows where an annotation is a union of aliases."""
    _name, _obj, _options, *parts = event
    return tuple(part and _PLACEHOLDER.sub(r"\1", part) for part in parts)


def _let_structs_show_signatures() -> None:
    """Their annotations are evaluated, with names that only type checkers import."""
    names = {"Mapping": Mapping, "MutableMapping": MutableMapping}
    names |= {name: getattr(aaah_core, name) for name in ("AsyncAPIConsumer", "AsyncActionHandler")}
    for module in (interfaces, messages):
        vars(module).update(names)


def _write(app: Sphinx) -> None:
    FOLDER.mkdir(exist_ok=True)
    pages = _pages()
    for path in FOLDER.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = FOLDER / name
        if not path.is_file() or path.read_text("utf-8") != text:  # else it would be read anew
            path.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before they are read, into a folder that version control ignores."""
    _let_structs_show_signatures()
    app.connect("builder-inited", _write)
    app.connect("autodoc-process-docstring", _mark, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", _plain_names)
    return {"parallel_read_safe": True}
