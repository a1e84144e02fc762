"""Finds the consumers of an ASGI application that any web page may open a socket to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aaah_core.consumers import AsyncAPIConsumer
from aaah_core.security import Protected

__all__ = ["unprotected"]

#: Where middleware keeps what it goes around.
_INNER = ("inner", "application", "app", "func", "__wrapped__", "callback")


def unprotected(application: Any) -> Iterator[type[AsyncAPIConsumer]]:
    """Give each consumer that can be reached without passing `protect`."""
    seen: set[int] = set()
    yield from dict.fromkeys(_consumers(application, seen))


def _consumers(application: Any, seen: set[int]) -> Iterator[type[AsyncAPIConsumer]]:
    if id(application) in seen or isinstance(application, Protected):
        return
    seen.add(id(application))
    consumer_class = getattr(application, "consumer_class", None)
    if consumer_class is not None:
        if isinstance(consumer_class, type) and issubclass(consumer_class, AsyncAPIConsumer):
            yield consumer_class
        return
    for inner in _inside(application):
        yield from _consumers(inner, seen)


def _inside(application: Any) -> Iterator[Any]:
    protocols = getattr(application, "application_mapping", None)
    if isinstance(protocols, dict):
        yield protocols.get("websocket")
    for name in ("routes", "url_patterns"):
        routes = getattr(application, name, None)
        if isinstance(routes, (list, tuple)):
            yield from routes
    for name in _INNER:
        yield getattr(application, name, None)
    # Of middleware that is a function within a function.
    for cell in getattr(application, "__closure__", None) or ():
        try:
            held = cell.cell_contents
        except ValueError:  # nothing yet
            continue
        if callable(held):
            yield held
