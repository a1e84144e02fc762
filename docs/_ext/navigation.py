"""The navigation: what the lists of `index.md` link to, a section a caption.

Pages stay plain Markdown: a code host shows the links, the site makes its navigation of them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["linked_pages", "setup"]

_SECTION = re.compile(r"^## +(.+)$", re.MULTILINE)
_PAGE = re.compile(r"\]\((?!\w+:)([\w./-]+)\.md(?:#[\w-]*)?\)")

#: What stands outside docs/ in the repository, and where it is in the site.
_ELSEWHERE = [
    (re.compile(r"\]\((?:\.\./)*plugins/(\w+)/README\.md"), r"](/reference/\1.markdown"),
    (re.compile(r"\]\((?:\.\./)*(README|CHANGELOG)\.md"), r"](/reference/\1.markdown"),
    (re.compile(r"\]\((?:\.\./)*docs/"), "](/"),
]


def linked_pages(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each section's heading, and the pages below this one's folder that it links to first.

    Args:
        text: An `index.md`.
    """
    seen: set[str] = set()
    parts = ["", *_SECTION.split(text)]  # what stands before the first section has no heading
    for heading, body in zip(parts[::2], parts[1::2], strict=True):
        pages = [page for page in _PAGE.findall(body) if _is_next_below(page)]
        if new := [page for page in dict.fromkeys(pages) if page not in seen]:
            seen.update(new)
            yield heading.strip(), new


def _is_next_below(page: str) -> bool:
    folder, name = posixpath.split(page)
    return not folder or (name == "index" and folder.strip(".").isidentifier())


def _add(app: Sphinx, docname: str, source: list[str]) -> None:
    for link, page in _ELSEWHERE:
        source[0] = link.sub(page, source[0])
    if posixpath.basename(docname) != "index":
        return
    source[0] += "".join(_tree(*section) for section in linked_pages(source[0]))
    if docname == "index":
        source[0] += _tree("Reference", ["reference/index"])


def _tree(heading: str, pages: list[str]) -> str:
    caption = f":caption: {heading}\n" if heading else ""
    return "\n\n```{toctree}\n:hidden:\n" + caption + "\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the navigation when a page is read."""
    app.connect("source-read", _add)
    return {"parallel_read_safe": True}
