"""A table of Django's patterns, `path`, `re_path` and `include`, with handlers for views."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLResolver
from django.urls.resolvers import RoutePattern

from aaah_core.errors import ConfigurationError
from aaah_core.interfaces import Match
from aaah_core.messages import Call

__all__ = ["Table"]


class Table:
    """A route resolver over `routepatterns`.

    A pattern matches from the start of the route to its end, and the first that matches wins, as in
    Django. A handler with `routepatterns` of its own takes the rest. Only the patterns that share a
    route's literal segments are tried, so a table of a thousand costs what a table of one does.

    Args:
        owner: The class that the patterns belong to, for errors.
        routepatterns: The patterns.

    Raises:
        ConfigurationError: A pattern leads to something that is no handler.
    """

    def __init__(self, owner: type[Any], routepatterns: Sequence[Any]) -> None:
        leaves = list(_leaves(owner, routepatterns))
        self.routes = [(leaf.text, leaf.handler_class) for leaf in leaves]
        self._index: dict[str, list[Leaf]] = {"": [], **{leaf.key: [] for leaf in leaves}}
        for key, found in self._index.items():
            keys = {key, *_shorter(key)}
            found += [leaf for leaf in leaves if leaf.key in keys]

    def __call__(self, route: str, call: Call) -> Match | None:
        """Return the first match."""
        if (found := self._index.get(route)) is None:
            found = next(self._index[key] for key in _shorter(route) if key in self._index)
        for leaf in found:
            if (match := leaf.match(route)) is not None:
                return match
        return None


def _shorter(key: str) -> Iterator[str]:
    while key:
        yield (key := key[: key.rfind("/", 0, -1) + 1])


@dataclass(slots=True)
class Leaf:
    """One handler, with the patterns that lead to it and what every route to it begins with."""

    text: str
    key: str
    steps: tuple[tuple[Any, dict[str, Any]], ...]
    extra: dict[str, Any]
    handler_class: type[Any]

    def match(self, route: str) -> Match | None:
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        for matches, converters in self.steps:
            if (found := matches(route)) is None:
                return None
            route = route[found.end() :]
            if named := found.groupdict():
                try:
                    for name, value in named.items():
                        if value is not None:
                            known = name in converters
                            kwargs[name] = converters[name].to_python(value) if known else value
                except ValueError:
                    return None
            else:
                args += found.groups()
        return Match(self.handler_class, () if kwargs else args, {**kwargs, **self.extra}, route)


def _leaves(
    owner: type[Any], entries: Sequence[Any], above: tuple[Any, ...] = (), extra: Any = None
) -> Iterator[Leaf]:
    for entry in entries:
        patterns = (*above, entry.pattern)
        if isinstance(entry, URLResolver):
            more = {**(extra or {}), **entry.default_kwargs}
            yield from _leaves(owner, entry.url_patterns, patterns, more)
            continue
        handler_class = getattr(entry.callback, "handler_class", None)
        if handler_class is None:
            raise ConfigurationError(
                f"{owner.__qualname__}.routepatterns: {str(entry.pattern)!r} leads to "
                f"{entry.callback!r}, which is no handler. Write SomeHandler.as_aaah()."
            )
        more = {**(extra or {}), **entry.default_args}
        yield _leaf(patterns, handler_class, more)


def _leaf(patterns: tuple[Any, ...], handler_class: type[Any], extra: dict[str, Any]) -> Leaf:
    *prefixes, last = patterns
    steps = [(prefix.regex.match, prefix.converters) for prefix in prefixes]
    if handler_class.routepatterns:
        last = type(last)(str(last), is_endpoint=False)
        steps.append((last.regex.match, last.converters))
    else:
        steps.append((last.regex.fullmatch, last.converters))
    key, whole = "", True
    for pattern in patterns:
        if whole:
            literal, whole = _literal(pattern)
            key += literal
    if not whole or handler_class.routepatterns:
        key = key[: key.rfind("/") + 1]
    return Leaf("".join(map(str, patterns)), key, tuple(steps), extra, handler_class)


#: A run of characters that stand for themselves, with no quantifier behind the last.
LITERAL = re.compile(r"\^?((?:(?:[A-Za-z0-9_/-]|\\[-./])(?![*+?{]))*)(.*)", re.DOTALL)


def _literal(pattern: Any) -> tuple[str, bool]:
    """Return the text a pattern's matches are certain to begin with, and whether that is all."""
    text = str(pattern)
    if isinstance(pattern, RoutePattern):
        head, bracket, _ = text.partition("<")
        return head, not bracket
    if "|" in text or re.search(r"\(\?(?!P<)", text):
        return "", False  # an alternative or a flag: nothing is certain
    literal, rest = LITERAL.findall(text)[0]
    return literal.replace("\\", ""), rest in ("", "$", r"\Z")
