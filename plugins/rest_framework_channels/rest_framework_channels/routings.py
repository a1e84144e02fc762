"""Routes: each may match a prefix, and what matches none is the handler's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.urls import Resolver404, URLPattern, URLResolver
from django.urls.resolvers import RegexPattern, RoutePattern

from aaah_core import Call, Match, Scope
from rest_framework_channels.exceptions import RouteMissingException

if TYPE_CHECKING:
    from rest_framework_channels.base_handlers import AsyncActionHandler

__all__ = ["Resolver", "RoutingEntry", "RoutingManager", "prefix", "scope_below", "way"]


#: The rest of a route, and what was captured of it without and with names.
Matched: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]


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

    def find(self, route: str) -> tuple[RoutingEntry, Matched] | None:
        """Return the first entry that matches the beginning of a route, and what it matched."""
        for entry in self.entries:
            try:
                matched = entry.pattern.pattern.match(route)
            except Resolver404:  # a pattern of somebody's own may say so
                continue
            if matched:
                return entry, matched
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
        entry, (rest, args, kwargs) = found
        lookup, route = entry.parent_group_send_lookup_kwargs, scope.get("route") or route
        callback: Any = entry.pattern.callback
        own = scope_below(scope, (rest, args, kwargs), route, lookup)
        handler: AsyncActionHandler = await callback(own, receive, send)
        return handler


def scope_below(scope: Scope, matched: Matched, route: str | None, lookup: Any) -> Scope:
    """Return the scope of a handler that a route led to from the handler of another scope."""
    rest, args, kwargs = matched
    outer = scope.get("url_route", {})
    return {
        **scope,
        "path_remaining": rest,
        "url_route": {
            "args": (*outer.get("args", ()), *args),
            "kwargs": {**outer.get("kwargs", {}), **kwargs},
        },
        "route": route,
        "parent_group_send_lookup_kwargs": lookup,
    }


def prefix(route: Any) -> URLPattern:
    """Return a copy of a pattern that also matches the beginning of a route.

    Raises:
        ImproperlyConfigured: It is an `include()`.
        ValueError: Its pattern is neither a `path` nor a `re_path`.
    """
    if isinstance(route, URLResolver):
        raise ImproperlyConfigured(f"{route}: include() is not supported.")
    own: Any = route.pattern
    if not isinstance(own, (RegexPattern, RoutePattern)):
        raise ValueError(f"Unsupported pattern type: {type(own)}")
    pattern = type(own)(str(own), own.name, is_endpoint=False)
    return URLPattern(pattern, route.callback, route.default_args, route.name)


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
        if found is None:
            return self._own
        (pattern, _), (rest, args, kwargs) = found
        callback: Any = pattern.callback
        kwargs = {**kwargs, **pattern.default_args}
        # The class itself is what is listed; what was given to `as_aaah` makes another of it.
        handler_class = getattr(callback, "made_class", callback.handler_class)
        match = Match(handler_class, args, kwargs, rest)
        call.state[_WAY] = (*way(call), match)
        return match


#: Where the matches stand that lead to the handler of the action: parents are asked about it too.
_WAY = "rest_framework_channels.way"


def way(call: Call) -> tuple[Match, ...]:
    """Return the matches of all routes that led to the handler of the action."""
    matches: tuple[Match, ...] = call.state.get(_WAY, ())
    return matches
