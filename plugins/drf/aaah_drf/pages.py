"""Pages of DRF's paginators: their size, and links that are routes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from aaah_drf.conf import settings

__all__ = ["let_links_be_routes", "route_for_links", "set_page_size"]

#: Paths that stay as they are where a URL is taken apart and put together again.
_PLAIN = re.compile(r"(?!//)[\w./~-]*")


def set_page_size(paginator: Any) -> None:
    """Give a paginator the size of a page that the settings name, unless its class has one."""
    if settings.PAGE_SIZE is None:
        return
    for name in ("page_size", "default_limit"):
        if _is_drfs_own(type(paginator), name):
            setattr(paginator, name, settings.PAGE_SIZE)


def _is_drfs_own(paginator_class: type[Any], name: str) -> bool:
    for owner in paginator_class.__mro__:
        if name in vars(owner):
            return owner.__module__ == "rest_framework.pagination"
    return False


def route_for_links(route: str) -> str:
    """Return a route as paginators take it for a URL, which they make their links of."""
    path, mark, query = route.partition("?")
    # Nothing of a route is a fragment, which would end up behind the page's number.
    return f"{_quoted(path)}{mark}{query.replace('#', '%23')}"


def let_links_be_routes(paginator: Any, route: str) -> None:
    """Let the links of a paginator lead where the route of the call does: nobody unquotes it."""
    path, _, _ = route.partition("?")
    quoted = _quoted(path)
    if quoted == path:
        return
    for name in ("get_next_link", "get_previous_link"):
        # One that pages twice in a call has them already.
        if hasattr(paginator, name) and name not in vars(paginator):
            setattr(paginator, name, partial(_unquoted, getattr(paginator, name), quoted, path))


def _quoted(path: str) -> str:
    return path if _PLAIN.fullmatch(path) else quote(path, safe="")


def _unquoted(make: Callable[[], str | None], quoted: str, path: str) -> str | None:
    link = make()
    return None if link is None else path + link.removeprefix(quoted)
