"""Which span a call continues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, get_current_span

from aaah_core import AsyncAPIConsumer, Call, Scope

__all__ = ["of_call", "remember"]

_KEYS = ("traceparent", "tracestate")

#: What the handshakes of open connections said, where they said anything.
_handshakes: WeakKeyDictionary[AsyncAPIConsumer, Context] = WeakKeyDictionary()


def remember(consumer: AsyncAPIConsumer) -> None:
    """Keep what the headers of a connection's handshake say, for its calls."""
    context = extract(_headers(consumer.scope), Context())
    if get_current_span(context).get_span_context().is_valid:
        _handshakes[consumer] = context


def of_call(call: Call) -> tuple[Context | None, tuple[Link, ...]]:
    """Return the context that a call continues, None for the current one, and what it links to.

    What the message says wins, and is linked to what the handshake said.
    """
    handshake = _handshakes.get(call.consumer)
    if "traceparent" not in call.params:
        return handshake, ()
    message = extract(_texts(call.params), Context())
    if not get_current_span(message).get_span_context().is_valid:
        return handshake, ()
    if handshake is None:
        return message, ()
    return message, (Link(get_current_span(handshake).get_span_context()),)


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope.get("headers", ())
    }


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {key: params[key] for key in _KEYS if isinstance(params.get(key), str)}
