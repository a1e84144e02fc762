"""The documentation as a whole: what leads where, and that nothing public goes without a word."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
from functools import cache
from importlib import import_module

import pytest

import aaah_core
from aaah_core import hookspecs, testing
from aaah_core.testing import connect
from tests import public_surface
from tests.pages import DOCS, ROOT, blocks

HOOKS = [name for name in vars(hookspecs) if name.startswith("aaah_")]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
TESTS = {
    name
    for path in [*ROOT.glob("tests/test_*.py"), *ROOT.glob("plugins/*/tests/test_*.py")]
    for name in [path.stem, *re.findall(r"def (test_\w+)\(", path.read_text("utf-8"))]
}
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))

_OURS = ("aaah_", "rest_framework_channels")
_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)? *$", re.MULTILINE)


def _extension(name):
    """Import a part of the site's making, which needs no Sphinx until it makes it."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _name(path):
    return str(path.relative_to(ROOT))


def _prose(page):
    return _FENCE.sub("", page.read_text("utf-8"))


def _anchors(page):
    """Return the anchors that a code host gives the headings of a page."""
    anchors = []
    for heading in _HEADING.findall(_prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        count = sum(re.fullmatch(rf"{anchor}(-\d+)?", each) is not None for each in anchors)
        anchors.append(f"{anchor}-{count}" if anchor in anchors else anchor)
    return anchors


def _dead(page):
    for link in _LINK.findall(re.sub(r"(`+)[^`]+\1", "", _prose(page))):
        path, _, anchor = link.partition("#")
        if re.match(r"\w+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (anchor and anchor not in _anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    assert list(_dead(page)) == []


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, once\n\n## Twice\n\n## Twice\n\n```sh\n# no-heading [x](no.md)\n```\n\n"
        "[a](#a-title-once) [b](page.md#twice-1) [`c`](https://example.com) `[d](no.md)`\n"
        "[e](no.md) [f](#no-heading) [g](page.md#twice-2) [h\n](.)"
    )
    assert list(_dead(page)) == ["no.md", "#no-heading", "page.md#twice-2", "."]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_test_and_file_of_ours_that_a_page_names_exists(page):
    text = page.read_text("utf-8")
    named = set(re.findall(r"`(test_\w+|(?:plugins|docs|aaah_core)/[\w./-]+\w)`", _prose(page)))
    tests = {name for name in named if "/" not in name}
    assert {name for name in named - tests if not (ROOT / name).exists()} == set()
    assert {name for name in tests if name not in TESTS and f"def {name}(" not in text} == set()


def test_every_page_is_in_the_navigation():
    navigation = _extension("navigation")
    found = {DOCS / "index.md"}
    for index in (DOCS / "index.md", *DOCS.glob("*/index.md")):
        for _, pages in navigation.linked_pages(index.read_text("utf-8")):
            found.update(index.parent / f"{page}.md" for page in pages)
    assert found == set(DOCS.rglob("*.md"))


async def test_the_example_of_the_first_page_answers():
    page = DOCS / "index.md"
    [code], [exchange] = blocks(page, "python"), blocks(page, "text")
    names = {"__name__": "page"}
    exec(compile(code, "index.md", "exec", dont_inherit=True), names)
    sent, answered = re.fullmatch(r"→ (.*)\n← (.*)\n", exchange).groups()
    async with connect(names["Library"].as_asgi()) as client:
        await client.send_frame(sent)
        assert await client.receive() == json.loads(answered)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_what_it_is_and_has_a_page_that_shows_it_at_work(hook):
    assert getattr(hookspecs, hook).__doc__
    page = DOCS / "hooks" / f"{hook.removeprefix('aaah_').replace('_', '-')}.md"
    assert any(f"def {hook}(" in code for code in blocks(page, "python"))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *((public_surface._in_core(name), name) for name in aaah_core.__all__),
        *((public_surface._in_testing(name), name) for name in testing.__all__),
        *(
            (module, name)
            for plugin in PLUGINS
            for module in _extension("reference").public_modules(plugin)
            for name in import_module(module).__all__
        ),
    ],
)
def test_every_public_name_says_what_it_is(module, name):
    assert list(_wordless(module, name)) == []


def _wordless(module, name):
    value = getattr(import_module(module), name)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        if not _commented(import_module(module), name):
            yield name
        return
    if not value.__doc__:
        yield name
    if inspect.isclass(value):
        members = public_surface._by_name(ast.parse(inspect.getsource(value)).body[0].body)
        for member in members:
            if not member.startswith("_") and not _is_said(value, member):
                yield f"{name}.{member}"


def _is_said(owner, member):
    """Whether a method has a docstring, or an attribute a comment or a line in a class's own."""
    if inspect.isfunction(value := getattr(owner, member, None)) or inspect.ismethod(value):
        return bool(inspect.getdoc(value))
    ours = [each for each in owner.__mro__ if each.__module__.startswith(_OURS)]
    return any(
        re.search(rf"^ +{member}: \S", each.__doc__ or "", re.MULTILINE)
        or _commented(each, member)
        or (isinstance(value := vars(each).get(member), property) and value.__doc__)
        for each in ours
    )


def _commented(where, name):
    return re.search(rf"^ *#: ?\S.*\n *{name}(:| =) ", _source(where), re.MULTILINE)


_source = cache(inspect.getsource)
