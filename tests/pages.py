"""Pages of the documentation as projects: a block that begins with `# a/path.py` is that file
(`<!-- a/path.html -->` in HTML)."""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r"(?:# |<!-- )(?!/)([\w./-]+\.\w+)(?: -->)?\n")


def blocks(page, kind=None):
    """Return the blocks of a page in order, of one language or as pairs of language and text."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return found if kind is None else [text for each, text in found if each == kind]


def files(page):
    """Return the files that a page shows, by path; shown again, a file is what it was last."""
    return {title: text for _, text in blocks(page) if (title := titled(text)) is not None}


def titled(text):
    """Return the path of the file that a block is, or None."""
    title = _TITLE.match(text)
    return None if title is None else title[1]


def suites(page):
    """Return the paths of a page's files that hold tests."""
    return [
        path for path in files(page) if re.fullmatch(r"test_\w+\.py|tests\.py", Path(path).name)
    ]


def written(page, folder):
    """Write the files of a page below a folder."""
    for path, text in files(page).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


@contextmanager
def importable(folder):
    """Let what is below a folder be imported; what was is forgotten afterwards."""
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if _place(sys.modules[name]).startswith(str(folder)):
                del sys.modules[name]


def _place(module):
    # A package without an `__init__.py` has no file.
    return str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), ""))


@contextmanager
def imported(folder, path):
    """Import a file below a folder; what it imports from there is forgotten afterwards."""
    with importable(folder):
        yield importlib.import_module(path.removesuffix(".py").replace("/", "."))
