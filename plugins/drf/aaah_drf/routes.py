"""What a router of DRF's offers in HTTP: which actions of which viewset, and at which routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, path, re_path
from django.urls.resolvers import RegexPattern
from rest_framework.routers import BaseRouter, DefaultRouter, SimpleRouter
from rest_framework.settings import api_settings
from rest_framework.viewsets import ViewSetMixin

from aaah_core import ConfigurationError

__all__ = ["Offer", "offers"]

_OWN_URLS = (SimpleRouter.get_urls, DefaultRouter.get_urls)


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """An action of a viewset at a route."""

    viewset: Any
    name: str
    methods: tuple[str, ...]
    #: What its view is made with.
    options: Mapping[str, Any]
    #: What the object's key must match, where the message has to bring it; None if the route does.
    key: Any = None
    #: What follows the route, and the key, in the action's own path.
    rest: str = ""


@dataclass(frozen=True, slots=True)
class _Url:
    """A pattern of the router's, in its parts."""

    text: str
    anchor: str
    slash: str
    make: Any
    actions: tuple[Offer, ...]

    def home(self, head: str) -> str:
        """Return the pattern of the collection that begins with `head`."""
        start = head.removesuffix("/")
        return f"{start}{self.slash if start.strip('^') else ''}{self.anchor}"


def offers(router: Any) -> Iterator[tuple[URLPattern, Mapping[str, Offer]]]:
    """Give every pattern with the actions that are offered there, by name.

    They are the router's own patterns, with what its class makes of them. Beyond HTTP, an action
    that captures nothing of its own is offered by its name at the route of its object, and at that
    of the collection.

    Raises:
        ConfigurationError: Not DRF's code alone says what the router offers.
    """
    urls = list(_urls(router))
    found = {url.text: (url.make, {each.name: each for each in url.actions}) for url in urls}
    for url in urls:
        for text, offer in _elsewhere(router, url):
            found.setdefault(text, (url.make, {}))[1].setdefault(offer.name, offer)
    for text, (make, named) in found.items():
        # A view it never becomes: `serve` puts its handler there.
        yield make(text, lambda: None), named


def _urls(router: Any) -> Iterator[_Url]:
    get_urls = getattr(router.get_urls, "__func__", None)
    if get_urls not in _OWN_URLS or type(router).urls is not BaseRouter.urls:
        raise ConfigurationError(
            f"{type(router).__qualname__} makes its URLs by a get_urls() of its own, and what that "
            f"restricts cannot be told. Serve its viewsets one by one, or by a SimpleRouter."
        )
    for _, registered, _ in router.registry:
        _require_drfs_as_view(registered)
    seen = set()
    for url in router.urls:
        viewset: Any = getattr(url.callback, "cls", object)
        text = str(url.pattern)
        # The root view, suffixes of formats, and what HTTP does not reach behind an earlier one.
        suffix = api_settings.FORMAT_SUFFIX_KWARG in url.pattern.regex.groupindex
        if not issubclass(viewset, ViewSetMixin) or suffix or text in seen:
            continue
        seen.add(text)
        is_regex = isinstance(url.pattern, RegexPattern)
        anchor = "$" if is_regex and text.endswith("$") else ""
        slash = router.trailing_slash
        if not text.removesuffix(anchor).endswith(slash):
            slash = ""
        actions = tuple(_actions(viewset, url.callback.actions, url.callback.initkwargs))
        yield _Url(text, anchor, slash, re_path if is_regex else path, actions)


def _require_drfs_as_view(viewset: Any) -> None:
    if getattr(viewset.as_view, "__func__", None) is not vars(ViewSetMixin)["as_view"].__func__:
        raise ConfigurationError(
            f"{viewset.__qualname__} has an as_view() of its own, which no call passes through. "
            f"Put what it guards or adds into dispatch() or initial()."
        )


def _actions(viewset: Any, mapping: Mapping[str, str], options: Any) -> Iterator[Offer]:
    by_name: dict[str, list[str]] = {}
    for method, name in mapping.items():
        # A view that ran adds "head" to its mapping.
        if method in viewset.http_method_names and method != "head":
            by_name.setdefault(name, []).append(method.upper())
    for name, methods in by_name.items():
        yield Offer(viewset, name, tuple(methods), options)


def _elsewhere(router: Any, url: _Url) -> Iterator[tuple[str, Offer]]:
    for each in url.actions:
        if each.options.get("detail"):
            yield from _of_an_object(router.get_lookup_regex(each.viewset), url, each)
        elif (own := _own_path(each)) is not None:
            end = f"{own}{url.slash}{url.anchor}"
            if url.text.endswith(f"/{end}") or url.text.lstrip("^") == end:
                yield url.home(url.text.removesuffix(end)), _moved(each, f"{own}{url.slash}")


def _of_an_object(lookup: str, url: _Url, offer: Offer) -> Iterator[tuple[str, Offer]]:
    head, found, tail = url.text.rpartition(lookup)
    rest = tail.removesuffix(url.anchor)
    if not found or _captures(rest):
        return
    if rest != url.slash:
        single = f"{head}{lookup}{url.slash}{url.anchor}"
        yield single, _moved(offer, rest.removeprefix("/"))
    key = url.make(lookup, lambda: None).pattern
    if len(key.regex.groupindex) == 1:
        yield url.home(head), _moved(offer, rest, key)


def _moved(offer: Offer, rest: str, key: Any = None) -> Offer:
    return Offer(offer.viewset, offer.name, offer.methods, offer.options, key, rest)


def _own_path(offer: Offer) -> str | None:
    """Return the path that an `@action` adds to its collection's, if it captures nothing."""
    for extra in offer.viewset.get_extra_actions():
        if offer.name in extra.mapping.values() and not _captures(extra.url_path):
            return str(extra.url_path)
    return None


def _captures(text: str) -> bool:
    return "(" in text or "<" in text
