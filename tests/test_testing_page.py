"""docs/testing.md: its blocks are one suite, and each of its tests passes."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from aaah_core import testing

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def suite():
    """Return what the blocks define."""
    names = {}
    for block in BLOCKS:
        exec(block, names)
    return names


@pytest.mark.parametrize("name", re.findall(r"^(?:async )?def (test_\w+)", PAGE, re.MULTILINE))
async def test_the_tests_of_the_page_pass(suite, name):
    found = suite[name]()
    if inspect.isawaitable(found):
        await found


def test_the_page_tells_of_all_that_a_test_calls():
    functions = {name for name in testing.__all__ if inspect.isfunction(getattr(testing, name))}
    assert {
        name for name in functions if f"`{name}" not in PAGE and f"{name}(" not in PAGE
    } == set()


def test_the_settings_of_the_page_are_those_of_the_plugins():
    text, text_of_an_app = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    wanted = tomllib.loads(text)["tool"]["pytest"]["ini_options"]
    own = tomllib.loads((ROOT / "plugins/msgpack/pyproject.toml").read_text())
    assert wanted.items() <= own["tool"]["pytest"]["ini_options"].items()
    of_an_app = tomllib.loads(text_of_an_app)["tool"]["pytest"]["ini_options"]
    assert of_an_app == wanted | {
        "pythonpath": ["."],
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
