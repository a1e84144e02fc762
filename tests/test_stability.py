"""docs/stability.md: the surface is the committed one, and what goes away says so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import aaah_core
from aaah_core import hookimpl, hookspecs, verification
from aaah_core.registry import Registry, build
from aaah_core.testing import registered
from tests.public_surface import COMMITTED, surface

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "stability.md").read_text("utf-8")


def test_the_public_surface_is_the_one_that_was_committed():
    assert surface().splitlines() == COMMITTED.read_text("utf-8").splitlines(), (
        "The public surface has changed. See docs/stability.md; if that is meant, note it in "
        "CHANGELOG.md and run: python -m tests.public_surface"
    )


def test_the_surface_has_every_hook_and_every_public_name():
    text = surface()
    for name in verification.HOOKS:
        assert re.search(rf"^@hookspec.* hook {name}\(", text, re.MULTILINE)
    for name in aaah_core.__all__:
        assert re.search(rf"aaah_core\.{name}\b", text)


def test_a_change_of_an_argument_changes_the_surface(monkeypatch):
    source = (ROOT / "aaah_core/hookspecs.py").read_text("utf-8")
    before = surface()
    from tests import public_surface

    changed = public_surface.ast.parse(source.replace("permission: Any", "entry: Any")).body
    definitions = public_surface._definitions
    monkeypatch.setattr(
        public_surface,
        "_definitions",
        lambda module: (
            public_surface._by_name(changed)
            if module == "aaah_core.hookspecs"
            else definitions(module)
        ),
    )
    [line] = set(surface().splitlines()) - set(before.splitlines())
    assert "hook aaah_permission_check(" in line
    assert "entry: Any" in line


def test_a_plugin_claims_the_range_of_the_page_and_so_do_ours():
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    [need] = tomllib.loads(text)["project"]["dependencies"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert SpecifierSet(need.removeprefix("aaah-core")).contains(version)
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        needs = tomllib.loads(path.read_text())["project"]["dependencies"]
        core = [each for each in needs if re.match(r"aaah-core(\[\w+\])?[^-\w]", each)]
        assert all(each.endswith(need.removeprefix("aaah-core")) for each in core)


def test_the_plugin_of_the_page_is_one():
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    names = {"__name__": "page"}
    exec(code, names)
    plugin = type("Page", (), {"aaah_middleware": staticmethod(names["aaah_middleware"])})()
    with registered(plugin) as whole:
        assert whole.plugins["Page"].hooks == ["aaah_middleware"]


class Old:
    @hookimpl
    def aaah_old(self, handler_class):
        return handler_class


class Older:
    @hookimpl
    def aaah_codecs(self):
        return []


@pytest.fixture
def deprecated(monkeypatch):
    """Add a hook that is about to go."""

    def aaah_old(handler_class, level): ...

    going = DeprecationWarning("aaah_old goes in 0.3: write aaah_codecs instead.")
    marked = hookspecs.hookspec(warn_on_impl=going)(aaah_old)
    monkeypatch.setattr(hookspecs, "aaah_old", marked, raising=False)
    monkeypatch.setattr(verification, "HOOKS", (*verification.HOOKS, "aaah_old"))


def test_a_deprecated_hook_warns_who_implements_it_and_is_asked_as_before(deprecated):
    with pytest.warns(DeprecationWarning, match="write aaah_codecs instead"):
        built = build({"old": Old()}, [])
    assert built.problems() == []
    assert built.manager.hook.aaah_old(handler_class=7, level=1) == [7]


def test_a_deprecated_hook_warns_nobody_else(deprecated):
    assert build({"older": Older()}, []).problems() == []


def test_an_argument_that_goes_warns_who_takes_it(monkeypatch):
    def aaah_old(handler_class, level): ...

    class Takes:
        @hookimpl
        def aaah_old(self, level): ...

    going = {"level": DeprecationWarning("level goes in 0.3.")}
    marked = hookspecs.hookspec(warn_on_impl_args=going)(aaah_old)
    monkeypatch.setattr(hookspecs, "aaah_old", marked, raising=False)
    monkeypatch.setattr(verification, "HOOKS", (*verification.HOOKS, "aaah_old"))
    with pytest.warns(DeprecationWarning, match=r"level goes in 0\.3"):
        build({"takes": Takes()}, [])
    with pytest.warns(DeprecationWarning, match=r"level goes in 0\.3"):
        Registry().manager.register(Takes())
