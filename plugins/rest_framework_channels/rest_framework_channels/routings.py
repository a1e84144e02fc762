"""Routes: each may match a prefix, and what matches none is the handler's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RegexPattern

from aaah_core import Call, Match, Scope
from rest_framework_channels.exceptions import RouteMissingException

if TYPE_CHECKING:
    from rest_framework_channels.base_handlers import AsyncActionHandler

__all__ = ["Resolver", "RoutingEntry", "RoutingManager", "prefix"]


class RoutingEntry(NamedTuple):
    """A route, and what names the group in the handler it belongs to."""

    pattern: URLPattern
    parent_group_send_lookup_kwargs: str | None = None


class RoutingManager:
    """The routes of a handler, in their order."""

    def __init__(self) -> None:
        self.entries: list[RoutingEntry] = []

    @property
    def routes(self) -> list[URLPattern]:
        """The patterns."""
        return [entry.pattern for entry in self.entries]

    def append(
        self, pattern: URLPattern, parent_group_send_lookup_kwargs: str | None = None
    ) -> None:
        """Add a route."""
        self.entries.append(RoutingEntry(pattern, parent_group_send_lookup_kwargs))

    def find(self, route: str) -> tuple[RoutingEntry, Match] | None:
        """Return the first entry that matches the beginning of a route, and its match."""
        for entry in self.entries:
            found = _matched(entry.pattern.pattern, route)
            if found is not None:
                rest, args, kwargs = found
                kwargs = {**kwargs, **entry.pattern.default_args}
                callback: Any = entry.pattern.callback
                return entry, Match(callback.handler_class, args, kwargs, rest)
        return None

    async def resolve(
        self, route: str, scope: Scope, receive: Any, send: Any
    ) -> AsyncActionHandler:
        """Return a new handler for a route, with a scope of its own.

        Raises:
            RouteMissingException: No route matches.
        """
        found = self.find(route)
        if found is None:
            raise RouteMissingException(f"No route found: {route}")
        entry, match = found
        outer = scope.get("url_route", {})
        own = {
            "path_remaining": match.rest,
            "url_route": {
                "args": (*outer.get("args", ()), *match.args),
                "kwargs": {**outer.get("kwargs", {}), **match.kwargs},
            },
            "route": scope.get("route") or route,
            "parent_group_send_lookup_kwargs": entry.parent_group_send_lookup_kwargs,
        }
        callback: Any = entry.pattern.callback
        handler: AsyncActionHandler = await callback({**scope, **own}, receive, send)
        return handler


def prefix(route: Any) -> URLPattern:
    """Return a copy of a pattern that also matches the beginning of a route.

    Raises:
        ImproperlyConfigured: It is an `include()`.
    """
    if isinstance(route, URLResolver):
        raise ImproperlyConfigured(f"{route}: include() is not supported.")
    own: Any = route.pattern
    pattern = type(own)(str(own), own.name, is_endpoint=False)
    return URLPattern(pattern, route.callback, route.default_args, route.name)


def _matched(pattern: Any, route: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
    if isinstance(pattern, RegexPattern):
        # Django searches: it would also find the pattern amid the route.
        if (found := pattern.regex.match(route)) is None:
            return None
        named = {key: value for key, value in found.groupdict().items() if value is not None}
        return route[found.end() :], () if found.groupdict() else found.groups(), named
    matched: tuple[str, tuple[Any, ...], dict[str, Any]] | None = pattern.match(route)
    return matched


class Resolver:
    """Resolves the routes of one handler class of this package.

    The default resolver, which comes after it, lists them.
    """

    def __init__(self, handler_class: Any) -> None:
        self._own = Match(handler_class)
        self._find = handler_class.routing.find

    def __call__(self, route: str, call: Call) -> Match:
        """Return the first match; without one, the handler runs the action itself."""
        found = self._find(route)
        return self._own if found is None else found[1]
