"""The pages of docs/ that show tests: each is a project, and its tests pass.

A page that shows a `pyproject.toml` is run as its reader runs it, by `pytest` typed in its folder;
the tests of the others, functions without fixtures, run here.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys

import pytest

from tests.pages import DOCS, ROOT, blocks, files, imported, suites, written

PAGES = sorted(DOCS.rglob("*.md"))
WITH_TESTS = [page for page in PAGES if suites(page)]


def _name(page):
    return str(page.relative_to(DOCS)) if hasattr(page, "name") else None


def _functions(page):
    return [
        (page, path, name)
        for path in suites(page)
        for name in re.findall(r"^(?:async )?def (test_\w+)", files(page)[path], re.MULTILINE)
    ]


SMALL = [
    each for page in WITH_TESTS if "pyproject.toml" not in files(page) for each in _functions(page)
]
WHOLE = [page for page in WITH_TESTS if "pyproject.toml" in files(page)]


@pytest.mark.parametrize(("page", "path", "name"), SMALL, ids=_name)
async def test_a_test_of_a_page_passes(page, path, name, tmp_path):
    written(page, tmp_path)
    with imported(tmp_path, path) as module:
        found = getattr(module, name)()
        if inspect.isawaitable(found):
            await found


@pytest.mark.parametrize("page", WHOLE, ids=_name)
def test_the_tests_of_a_project_pass(page, tmp_path):
    written(page, tmp_path)
    if "django-admin startproject" in page.read_text("utf-8"):
        (tmp_path / "manage.py").touch()  # pytest-django puts the folder that has one on the path
    known = {name: value for name, value in os.environ.items() if not name.startswith("AAAH_")}
    for name in ("DJANGO_SETTINGS_MODULE", "PYTHONPATH"):
        known.pop(name, None)
    finished = subprocess.run(
        # With -P, as with the command `pytest`, the folder is on no path but by what the page says.
        [sys.executable, "-P", "-m", "pytest", "-v", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=known,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [path for path in suites(page) if f"{path}::" not in finished.stdout] == []


def test_every_page_with_code_is_tested():
    tests = "".join(each.read_text("utf-8") for each in ROOT.glob("**/tests/**/test_*.py"))
    untested = {page.name for page in PAGES if blocks(page, "python") and page not in WITH_TESTS}
    assert {name for name in untested if f'"{name}"' not in tests} == set()
