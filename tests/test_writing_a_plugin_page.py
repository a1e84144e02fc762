"""docs/writing-a-plugin.md: what it shows is a plugin that loads, works and passes its tests."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tomllib

import pytest
from django.core.management import call_command

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer
from aaah_core import registry as registries
from aaah_core.cli.command import Command
from aaah_core.testing import connect
from tests.moth import install, refusal
from tests.pages import DOCS, blocks
from tests.test_mistakes import LOADING
from tests.test_wrong_answers import ANSWERS
from tests.test_wrong_hooks import HOOKS

__all__ = ["install"]  # a fixture

PAGE = DOCS / "writing-a-plugin.md"
TEXT = PAGE.read_text("utf-8")

#: By path: the blocks that are, or stand in, a file.
FILES = {re.match(r"# (?:in )?(\S+)\n", code)[1]: code for code in blocks(PAGE, "python")}
PROJECT, _, RANGE = map(tomllib.loads, blocks(PAGE, "toml"))


def table(head):
    rows = re.findall(r"^\| *(.*?) *\|$", TEXT[TEXT.index(head) :].split("\n\n")[0], re.MULTILINE)
    return [re.split(r" *\| *", row) for row in rows[2:]]


def installed(folder, project):
    """Write the metadata of a distribution, as an installer would."""
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    needs = "".join(f"Requires-Dist: {each}\n" for each in project["dependencies"])
    (info / "METADATA").write_text(head + needs)
    points = [f"{name} = {module}" for name, module in project["entry-points"]["aaah"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[aaah]", *points, ""]))


def write(folder, paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(FILES[path])


@pytest.fixture
def slow(tmp_path):
    """The folder of the page's plugin: what the command wrote, and what the page has instead."""
    (command, shown) = blocks(PAGE, "console")[1].split("\n", 1)
    _, name, *arguments = command.removeprefix("$ aaah ").split()
    out = io.StringIO()
    options = ["--directory", str(tmp_path), *arguments]
    call_command(Command(), "new-plugin", name, *options, stdout=out)
    assert out.getvalue().replace(f"{tmp_path}/", "") == shown
    folder = tmp_path / f"aaah-{name}"
    listed = {row[0].strip("`") for row in table("| file | is for")}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert listed == found
    write(folder, [path for path in FILES if not path.startswith("shop/")])
    installed(folder, tomllib.loads((folder / "pyproject.toml").read_text())["project"])
    return folder


@pytest.fixture
def loaded(monkeypatch):
    """Put a folder on the path, and take it and its modules off again."""
    known = set(sys.modules)
    yield monkeypatch.syspath_prepend
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("shop", "aaah_slow"):
            del sys.modules[name]


class Chat(AsyncAPIConsumer):
    @async_action
    async def count(self):
        return 3


async def test_the_plugin_of_a_project_is_found_and_works(tmp_path, loaded, caplog):
    write(tmp_path, ["shop/plugin.py"])
    installed(tmp_path, PROJECT["project"])
    loaded(tmp_path)
    caplog.set_level("INFO", "shop")
    with registries.use(registries.build()) as found:
        assert found.problems() == []
        assert found.plugins["shop"].hooks == ["aaah_middleware"]
        async with connect(Chat.as_asgi()) as client:
            await client.call("count")
    assert "'count': 200" in caplog.text


async def test_the_distribution_is_found_and_works(slow, loaded, caplog, settings):
    loaded(slow)
    settings.AAAH = {"PLUGIN_SETTINGS": {"slow": {"milliseconds": 0.0}}}
    with registries.use(registries.build()) as found:
        assert found.problems() == []
        async with connect(Chat.as_asgi()) as client:
            await client.call("count")
    assert "count took" in caplog.text


@pytest.mark.programme
def test_the_tests_of_the_page_pass(slow, tmp_path):
    shop = tmp_path / "project"
    write(shop, ["shop/plugin.py", "shop/test_plugin.py"])
    (shop / "pyproject.toml").write_text("\n".join(blocks(PAGE, "toml")[:2]))
    known = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    pytest_alone = ["pytest", "-q", "-p", "no:cacheprovider"]
    for folder, path, command in (
        (shop, "", pytest_alone),  # nothing is installed
        (slow, slow, pytest_alone),
        (slow, slow, ["mypy"]),
    ):
        ran = subprocess.run(
            # With -P, as with the command, the folder is on no path by itself.
            [sys.executable, "-P", "-m", *command],
            cwd=folder,
            env=known | {"PYTHONPATH": str(path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_range_is_that_of_the_skeleton(slow):
    written = tomllib.loads((slow / "pyproject.toml").read_text())["project"]
    assert written["dependencies"] == RANGE["project"]["dependencies"]
    assert written["dependencies"] == PROJECT["project"]["dependencies"]


@pytest.mark.parametrize(("mistake", "says"), table("| mistake | it says"))
def test_a_mistake_says_what_the_page_shows(install, mistake, says):
    source, _ = {**HOOKS, **ANSWERS, **LOADING}[mistake]
    install("moth", source)
    assert re.fullmatch(r"`+(.*?)`+", says)[1].strip() in str(refusal())
