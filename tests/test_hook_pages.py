"""The pages of docs/hooks/: there is one for each hook, and what each says of mistakes is true.

Below the heading "Mistakes" a block of code is a mistake, and the text below it what its author
reads: code of a plugin is added to the page's own, code with a consumer is an application.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import shlex
import tomllib

import pytest
from django.core.management import call_command

import aaah_core
from aaah_async_action.decorators import async_action
from aaah_core import AllowAny, AsyncAPIConsumer, ConfigurationError, conf, hookspecs
from aaah_core import registry as registries
from aaah_core.testing import Refused, connect
from aaah_core.verification import HOOKS
from tests.pages import DOCS, blocks, files, importable, written

PAGES = {hook: DOCS / f"hooks/{hook.removeprefix('aaah_').replace('_', '-')}.md" for hook in HOOKS}
INDEX = DOCS / "hooks/index.md"

_PAIR = re.compile(
    r"^```python\n((?!# [\w./-]+\.py).*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


class Desk(AsyncAPIConsumer):
    permission_classes = (AllowAny,)

    @async_action
    async def go(self) -> str:
        return "gone"


def distribution(page):
    """Return what the page's pyproject.toml says, and the path of the module it leads to."""
    tables = [tomllib.loads(text).get("project", {}) for text in blocks(page, "toml")]
    [project] = [table for table in tables if "entry-points" in table]
    [(name, module)] = project["entry-points"]["aaah"].items()
    return project, name, module


def mistakes(page):
    """Return the mistakes of a page, each with what is said of it."""
    told = page.read_text("utf-8").partition("\n## Mistakes\n")[2].partition("\n## ")[0]
    return [(code, " ".join(text.split())) for code, text in _PAIR.findall(told)]


MISTAKES = [
    pytest.param(page, *each, id=f"{page.stem}-{number}")
    for page in (INDEX, *PAGES.values())
    for number, each in enumerate(mistakes(page))
]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_page_with_its_signature(hook):
    signature = inspect.signature(getattr(hookspecs, hook))
    arguments = [str(each).replace("'", "") for each in signature.parameters.values()]
    told = " ".join(blocks(PAGES[hook], "text")[0].split()).replace("( ", "(").replace(", )", ")")
    assert told == f"{hook}({', '.join(arguments)}) -> {signature.return_annotation}"


@pytest.mark.parametrize("hook", HOOKS)
def test_the_index_has_a_line_for_each_hook(hook):
    assert f"[`{hook}`]({PAGES[hook].name})" in INDEX.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES.values(), ids=HOOKS)
def test_an_entry_point_leads_to_a_module_of_its_page(page):
    module = distribution(page)[2]
    assert f"{module.replace('.', '/')}.py" in files(page)


def test_each_page_shows_mistakes():
    assert {each.values[0] for each in MISTAKES} == {INDEX, *PAGES.values()}


@pytest.mark.parametrize(("page", "code", "told"), MISTAKES)
async def test_a_mistake_is_told_as_the_page_says(page, code, told, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(conf, "declared", dict(conf.declared))
    with importable(tmp_path), registries.use(_installed(page, code, tmp_path)):
        said = await _said(_consumer(page, code), caplog)
    said = re.sub(r"(aaah-[a-z-]+ 0\.\d+)[\w.]*", r"\1", re.sub(r" at 0x\w+", "", said))
    assert said == told


def test_the_index_shows_what_explain_prints(tmp_path, monkeypatch):
    [shown] = blocks(INDEX, "console")
    command, _, told = shown.partition("\n")
    monkeypatch.setattr(conf, "declared", dict(conf.declared))
    out = io.StringIO()
    with importable(tmp_path), registries.use(_installed(INDEX, "", tmp_path)):
        call_command("aaah", *shlex.split(command)[2:], stdout=out)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == told.splitlines()


def _installed(page, code, folder):
    """Return a registry with the page's plugin installed in a folder, the mistake in it."""
    written(page, folder)
    project, name, module = distribution(page)
    if "AsyncAPIConsumer" not in code:
        with (folder / f"{module.replace('.', '/')}.py").open("a", encoding="utf-8") as file:
            file.write(f"\n\n{code}")
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    needs = "".join(f"Requires-Dist: {each}\n" for each in project["dependencies"])
    (metadata / "METADATA").write_text(head + needs, "utf-8")
    (metadata / "entry_points.txt").write_text(f"[aaah]\n{name} = {module}\n", "utf-8")
    return registries.build(names=[name, "async_action"])


def _consumer(page, code):
    if "AsyncAPIConsumer" not in code:
        return Desk
    made = {}
    names = {name: getattr(aaah_core, name) for name in aaah_core.__all__}
    exec(code, names, made)
    [consumer] = made.values()
    return consumer


async def _said(consumer, caplog):
    """Return what a start says, or else what two calls leave in the log."""
    try:
        application = consumer.as_asgi()
    except ConfigurationError as error:
        return str(error)
    with contextlib.suppress(Refused):
        async with connect(application) as client:
            await client.call("go")
            await client.call("go", route="somewhere/")
    [error] = {str(record.exc_info[1]) for record in caplog.records if record.exc_info}
    return error
