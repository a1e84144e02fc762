"""Ours as a router: tables whose last route is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.scene import PK

__all__ = [
    "included_1",
    "included_1000",
    "prefixed_1",
    "prefixed_1000",
    "routes_1",
    "routes_1000",
]

_PREFIX = "library/v1/"


def _resolving(count: int, prefix: str = "", include: bool = False) -> Callable[[], Any]:
    """Return what resolves the last of so many routes."""
    from django import urls

    from aaah_core import AsyncAPIActionHandler
    from aaah_core.defaults.routes import aaah_route_resolver

    class Child(AsyncAPIActionHandler):
        pass

    written = "" if include else prefix
    patterns: list[Any] = [
        urls.path(f"{written}r{each}/<int:pk>/", Child.as_aaah()) for each in range(count)
    ]
    if include:
        patterns = [urls.path(prefix, urls.include(patterns))]
    parent: Any = type("Parent", (AsyncAPIActionHandler,), {"routepatterns": patterns})
    resolver: Any = aaah_route_resolver(parent)
    route = f"{prefix}r{count - 1}/{PK}/"
    if resolver(route, None).kwargs != {"pk": PK}:
        raise RuntimeError(f"{route} is not resolved")
    return lambda: resolver(route, None)


def routes_1() -> Callable[[], Any]:
    """Return what resolves the only route."""
    return _resolving(1)


def routes_1000() -> Callable[[], Any]:
    """Return what resolves the last of a thousand routes."""
    return _resolving(1000)


def prefixed_1() -> Callable[[], Any]:
    """Return what resolves the only route, behind a prefix."""
    return _resolving(1, _PREFIX)


def prefixed_1000() -> Callable[[], Any]:
    """Return what resolves the last of a thousand routes behind a common prefix."""
    return _resolving(1000, _PREFIX)


def included_1() -> Callable[[], Any]:
    """Return what resolves the only route of an `include()`."""
    return _resolving(1, _PREFIX, include=True)


def included_1000() -> Callable[[], Any]:
    """Return what resolves the last of a thousand routes of an `include()`."""
    return _resolving(1000, _PREFIX, include=True)
