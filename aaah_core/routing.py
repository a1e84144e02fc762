"""A table of Django's patterns, `path`, `re_path` and `include`, with handlers for views."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aaah_core.errors import ConfigurationError
from aaah_core.interfaces import Match
from aaah_core.messages import Call

__all__ = ["Table", "require_reachable"]


class Table:
    """A route resolver over `routepatterns`.

    A pattern matches from the start of the route to its end, and the first that matches wins, as in
    Django. A handler with `routepatterns` of its own takes the rest. Only the patterns that share a
    route's literal segments are tried, so a table of a thousand costs what a table of one does.

    Args:
        owner: The class that the patterns belong to, for errors.
        routepatterns: The patterns.

    Raises:
        ConfigurationError: An entry is no pattern, or leads to something that is no handler.
    """

    def __init__(self, owner: type[Any], routepatterns: Sequence[Any]) -> None:
        self.leaves = list(_leaves(owner, routepatterns))
        self.routes = [(leaf.text, leaf.handler_class) for leaf in self.leaves]
        #: By what a route begins with: the matches of the leaves that may be meant, in their order.
        self._index: dict[str, list[Callable[[str], Match | None]]] = {"": []}
        self._index.update({leaf.key: [] for leaf in self.leaves})
        for key, found in self._index.items():
            keys = {key, *_shorter(key)}
            found += [leaf.match for leaf in self.leaves if leaf.key in keys]

    def __call__(self, route: str, call: Call) -> Match | None:
        """Return the first match."""
        key, index = route, self._index
        while (found := index.get(key)) is None:
            key = key[: key.rfind("/", 0, -1) + 1]  # at last "", which is always there
        for match in found:
            if (answer := match(route)) is not None:
                return answer
        return None


def require_reachable(owner: type[Any], table: Table) -> None:
    """Refuse a table with an empty route to a handler: a dispatcher never looks that one up.

    Raises:
        ConfigurationError: There is one, and it does not lead on to a handler's own routes.
    """
    for text, handler_class in table.routes:
        if not handler_class.routepatterns and not ANCHOR.sub("", text):
            raise ConfigurationError(
                f"{owner.__qualname__}.routepatterns leads to {handler_class.__qualname__} by an "
                f"empty route, and nothing reaches it: the empty route is {owner.__qualname__} "
                f"itself. Give the pattern a text, or write the actions in {owner.__qualname__}."
            )


def _shorter(key: str) -> Iterator[str]:
    while key:
        yield (key := key[: key.rfind("/", 0, -1) + 1])


#: What a regular expression has, and what it matches has not.
ANCHOR = re.compile(r"\^|\$|\\A|\\Z")
#: A pattern of Django's, and the values that are given with it.
Given: TypeAlias = tuple[Any, dict[str, Any]]


@dataclass(slots=True)
class Step:
    """One pattern on the way to a handler."""

    pattern: re.Pattern[str]
    #: Its method that matches from the start of a route; the last step of a way to its end, too.
    matches: Callable[[str], re.Match[str] | None]
    converters: tuple[tuple[str, Callable[[str], Any]], ...]
    #: The values that are given with it.
    extra: dict[str, Any]
    #: Whether a group may match without capturing anything.
    optional: bool
    #: Whether what it captures without a name counts.
    unnamed: bool


@dataclass(slots=True)
class Leaf:
    """One handler, and what every route to it begins with."""

    text: str
    key: str
    handler_class: type[Any]
    steps: Sequence[Step]
    #: Returns the match of a route, with what it captured and what it leaves.
    match: Callable[[str], Match | None]


def _match_value(step: Step, handler_class: type[Any]) -> Callable[[str], Match | None]:
    """Return what matches one `path()` with one value to its end: the common case, and quickest."""
    matches, ((name, convert),) = step.matches, step.converters

    def match(route: str) -> Match | None:
        if (found := matches(route)) is None:
            return None
        try:
            return Match(handler_class, (), {name: convert(found[name])}, "")
        except ValueError:
            return None

    return match


def _match_one(step: Step, handler_class: type[Any]) -> Callable[[str], Match | None]:
    """Return what matches one `path()`, which needs less than others."""
    matches, converters, extra = step.matches, step.converters, step.extra
    if len(converters) == 1 and not extra and not handler_class.routepatterns:
        return _match_value(step, handler_class)

    def match(route: str) -> Match | None:
        if (found := matches(route)) is None:
            return None
        kwargs: dict[str, Any] = {}
        try:
            for name, convert in converters:
                kwargs[name] = convert(found[name])
        except ValueError:
            return None
        if extra:
            kwargs.update(extra)
        return Match(handler_class, (), kwargs, route[found.end() :])

    return match


def _match_all(steps: Sequence[Step], handler_class: type[Any]) -> Callable[[str], Match | None]:
    """Return what matches patterns one after another."""

    def match(route: str) -> Match | None:
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        for step in steps:
            if (found := step.matches(route)) is None:
                return None
            values: dict[str, Any] = found.groupdict()
            try:
                for name, convert in step.converters:
                    values[name] = convert(values[name])
            except ValueError:
                return None
            if step.optional:
                values = {name: value for name, value in values.items() if value is not None}
            values.update(step.extra)
            if values:
                kwargs.update(values)
                args = ()  # as in Django: names drop what was captured before without one
            if step.unnamed:
                args += found.groups()
            route = route[found.end() :]
        return Match(handler_class, args, kwargs, route)

    return match


def _leaves(
    owner: type[Any], entries: Sequence[Any], above: tuple[Given, ...] = ()
) -> Iterator[Leaf]:
    for entry in entries:
        if hasattr(entry, "url_patterns"):  # an include()
            steps = (*above, (entry.pattern, entry.default_kwargs))
            yield from _leaves(owner, entry.url_patterns, steps)
            continue
        if not hasattr(entry, "callback"):
            raise ConfigurationError(
                f"{owner.__qualname__}.routepatterns has {entry!r}, which is no pattern. Write "
                f'path("…", SomeHandler.as_aaah()).'
            )
        handler_class = getattr(entry.callback, "handler_class", None)
        if handler_class is None:
            raise ConfigurationError(
                f"{owner.__qualname__}.routepatterns: {str(entry.pattern)!r} leads to "
                f"{entry.callback!r}, which is no handler. Write SomeHandler.as_aaah()."
            )
        yield _leaf((*above, (entry.pattern, entry.default_args)), handler_class)


def _leaf(patterns: tuple[Given, ...], handler_class: type[Any]) -> Leaf:
    *prefixes, (last, extra) = patterns
    steps = [
        # As in Django: values that an include() is given drop what it captured without a name.
        _step(prefix, prefix.regex.match, more, not (prefix.regex.groupindex or more))
        for prefix, more in prefixes
    ]
    if handler_class.routepatterns:
        last = type(last)(str(last), is_endpoint=False)
    regex = last.regex
    matches = regex.match if handler_class.routepatterns else regex.fullmatch
    steps.append(_step(last, matches, extra, not regex.groupindex))
    key, whole = "", True
    for pattern, _ in patterns:
        if whole:
            literal, whole = _literal(pattern)
            key += literal
    if not whole or handler_class.routepatterns:
        key = key[: key.rfind("/") + 1]
    text = "".join(str(pattern) for pattern, _ in patterns)
    simple = len(steps) == 1 and not steps[0].optional
    match = _match_one(steps[0], handler_class) if simple else _match_all(steps, handler_class)
    return Leaf(text, key, handler_class, steps, match)


def _step(pattern: Any, matches: Any, extra: dict[str, Any], unnamed: bool) -> Step:
    from django.urls.resolvers import RoutePattern

    converters = tuple((name, each.to_python) for name, each in pattern.converters.items())
    optional = not isinstance(pattern, RoutePattern)
    return Step(pattern.regex, matches, converters, extra, optional, unnamed)


#: A run of characters that stand for themselves, with no quantifier behind the last.
LITERAL = re.compile(r"\^?((?:(?:[A-Za-z0-9_/-]|\\[-./])(?![*+?{]))*)(.*)", re.DOTALL)


def _literal(pattern: Any) -> tuple[str, bool]:
    """Return the text a pattern's matches are certain to begin with, and whether that is all."""
    # Imported here: django.urls is more than half of what importing the core would cost.
    from django.urls.resolvers import RoutePattern

    text = str(pattern)
    if isinstance(pattern, RoutePattern):
        head, bracket, _ = text.partition("<")
        return head, not bracket
    if "|" in text or re.search(r"\(\?(?!P<)", text):
        return "", False  # an alternative or a flag: nothing is certain
    literal, rest = LITERAL.findall(text)[0]
    return literal.replace("\\", ""), rest in ("", "$", r"\Z")
