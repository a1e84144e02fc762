"""``aaah new-plugin``: a distribution with one plugin, ready to be tested and published."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import importlib_metadata
from django.core.management.base import BaseCommand, CommandError
from packaging.utils import canonicalize_name

import aaah_core
from aaah_core import discovery
from aaah_core.conf import nearest

__all__ = ["DESCRIPTION", "HELP", "add_arguments", "run"]

HELP = "write a distribution with a plugin"
DESCRIPTION = """\
Write a distribution with one plugin: pyproject.toml, a typed example of each hook, tests that pass,
README, CHANGELOG, LICENSE and a file for GitHub Actions. It needs no project."""

#: The folder of each hook's example; two hooks make a wire.
_EXAMPLES = {
    "aaah_select_codec": "selection",
    "aaah_route_resolver": "routes",
    "aaah_permission_check": "permissions",
    "aaah_response_shaper": "wire",
    "aaah_request_parser": "wire",
    "aaah_codecs": "codecs",
    "aaah_actions": "actions",
    "aaah_middleware": "middleware",
    "aaah_exception_handlers": "exceptions",
    "aaah_connection": "connections",
}
_SKELETON = Path(__file__).with_name("skeleton")
#: What PEP 503 and PEP 508 let a distribution be called.
_NAME = re.compile(r"[A-Z0-9]([A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE)
_RESERVED = ("core", "testing")


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``aaah new-plugin`` takes."""
    parser.add_argument(
        "name", metavar="NAME", help="the plugin's name, such as audit: the distribution aaah-audit"
    )
    parser.add_argument(
        "--hook",
        metavar="HOOK",
        action="append",
        help="a hook to implement, such as aaah_middleware (the default); may be repeated",
    )
    parser.add_argument(
        "--directory", metavar="D", default=".", help="where its folder goes; here if left out"
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Write the distribution, and say what to do next.

    Raises:
        CommandError: The name, a hook or the folder cannot be.
    """
    name = _checked_name(options["name"])
    examples = _examples(options["hook"] or ["aaah_middleware"])
    folder = Path(options["directory"]) / f"aaah-{name.replace('_', '-')}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"{folder} is there already: remove it, or give another --directory.")
    try:
        for path, text in _files(name, examples):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error}.") from error
    command.stdout.write(
        f"{folder} is written. Next:\n"
        f"    cd {folder}\n"
        f'    pip install -e ".[test,lint]"\n'
        f"    pytest\n"
        f"    aaah plugins"
    )


def _checked_name(given: str) -> str:
    """Return the plugin's name: one word for entry point, settings and, with `aaah_`, package."""
    if not _NAME.fullmatch(given):
        raise CommandError(
            f"{given!r} is no name of a distribution (PEP 503): use letters, digits and hyphens, "
            f"with a letter first{_hint(re.sub(r'[^a-z0-9]+', '-', given.lower()).strip('-'))}"
        )
    name = canonicalize_name(given).removeprefix("aaah-").replace("-", "_")
    if not name.isidentifier():
        raise CommandError(
            f"{given!r} cannot be a package, aaah_{name}, with the key {name!r} in settings: begin "
            f"it with a letter{_hint(name.lstrip('0123456789_'))}"
        )
    if given not in (name, name.replace("_", "-"), f"aaah-{name.replace('_', '-')}"):
        raise CommandError(f"{given!r} is not written as names are (PEP 503){_hint(name)}")
    _require_free(name)
    return name


def _hint(name: str) -> str:
    return f"; did you mean {name!r}?" if name.replace("-", "_").isidentifier() else "."


def _require_free(name: str) -> None:
    distribution = f"aaah-{name.replace('_', '-')}"
    remedy = f"choose another name, such as my_{name}"
    if name in _RESERVED:
        raise CommandError(f"{distribution} is a name of AAAH's own: {remedy}.")
    if found := discovery.installed().get(name):
        plugin, _ = found
        raise CommandError(
            f"A plugin {name!r} is installed, from {plugin.distribution} {plugin.version}, and two "
            f"of one name stop the start: {remedy}."
        )
    try:
        importlib_metadata.distribution(distribution)
    except importlib_metadata.PackageNotFoundError:
        return
    raise CommandError(f"A distribution {distribution} is installed: {remedy}.")


def _examples(hooks: Sequence[str]) -> list[str]:
    """Return the folders of examples, in the order of the hooks' specifications."""
    wanted = []
    for given in hooks:
        hook = given if given.startswith("aaah_") else f"aaah_{given}"
        if hook not in _EXAMPLES:
            raise CommandError(
                f"There is no hook {given!r}{nearest(hook, _EXAMPLES)} The hooks are: "
                f"{', '.join(_EXAMPLES)}."
            )
        wanted.append(_EXAMPLES[hook])
    return [folder for folder in dict.fromkeys(_EXAMPLES.values()) if folder in wanted]


def _files(name: str, examples: Sequence[str]) -> Iterator[tuple[Path, str]]:
    package, distribution = f"aaah_{name}", f"aaah-{name.replace('_', '-')}"
    words = {"name": name, "package": package, "distribution": distribution}
    words["year"] = str(datetime.now(UTC).year)
    words["summary"] = f"A plugin of AAAH: {', '.join(examples)}"
    words["description"] = "\n".join(
        _filled(f"hooks/{each}/README.txt", words) for each in examples
    )
    hooks = "\n\n".join(_filled(f"hooks/{each}/hook.txt", words) for each in examples)
    words |= {"hooks": hooks.rstrip(), "imports": _imports(hooks)}
    root = _SKELETON / "project"
    for path in sorted(root.rglob("*.txt")):
        place = path.relative_to(root).with_suffix("")
        parts = [package if part == "package" else part for part in place.parts]
        yield Path(*parts), _filled(str(path.relative_to(_SKELETON)), words)
    for each in examples:
        yield Path(package, f"{each}.py"), _filled(f"hooks/{each}/module.txt", words)
        yield Path("tests", f"test_{each}.py"), _filled(f"hooks/{each}/test.txt", words)


def _filled(path: str, words: dict[str, str]) -> str:
    return Template((_SKELETON / path).read_text("utf-8")).substitute(words)


def _imports(hooks: str) -> str:
    """Return the imports of a module with these hooks: types for checkers only, as they cost."""
    used = sorted(set(re.findall(r"\w+", hooks)) & {*aaah_core.__all__} - {"hookimpl"})
    typing = "TYPE_CHECKING, Any" if re.search(r"\bAny\b", hooks) else "TYPE_CHECKING"
    one_line = f"    from aaah_core import {', '.join(used)}"
    many = "".join(f"        {each},\n" for each in used)
    imported = one_line if len(one_line) <= 100 else f"    from aaah_core import (\n{many}    )"
    return (
        f"from typing import {typing}\n\nfrom aaah_core import hookimpl\n\n"
        f"if TYPE_CHECKING:\n{imported}\n"
    )
