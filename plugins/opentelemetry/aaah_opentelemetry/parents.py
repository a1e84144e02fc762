"""Which span a call continues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, get_current_span

from aaah_core import AsyncAPIConsumer, Call, Scope

__all__ = ["of_call", "remember"]

#: As the W3C has them. Propagators write what is none into the log as it came, at each call, and
#: not all of them bound its length.
_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,64})?")
_NAME = "[a-z0-9_*/-]"
_MEMBER = re.compile(
    rf"(?:[a-z]{_NAME}{{0,255}}|[a-z0-9]{_NAME}{{0,240}}@[a-z]{_NAME}{{0,13}})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
#: Characters of a `tracestate`, and its members.
_LONGEST, _MOST = 512, 32

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
    message = extract(_w3c(call.params), Context())
    if not get_current_span(message).get_span_context().is_valid:
        return handshake, ()
    if handshake is None:
        return message, ()
    return message, (Link(get_current_span(handshake).get_span_context()),)


def _headers(scope: Scope) -> dict[str, str]:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope.get("headers", ())
    }
    found = _w3c(headers)
    others = {name: headers[name] for name in headers.keys() - {"traceparent", "tracestate"}}
    return {**others, **found}


def _w3c(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the `traceparent` of a client, and its `tracestate`, where they are what they are to
    be.
    """
    parent, state = said.get("traceparent"), said.get("tracestate")
    if not isinstance(parent, str) or _PARENT.fullmatch(parent) is None:
        return {}
    found = {"traceparent": parent}
    if isinstance(state, str) and _is_state(state):
        found["tracestate"] = state
    return found


def _is_state(text: str) -> bool:
    if len(text) > _LONGEST:
        return False
    # Empty ones are allowed, and counted nowhere.
    members = [member for each in text.split(",") if (member := each.strip(" \t"))]
    names = {each.partition("=")[0] for each in members}
    return len(names) == len(members) <= _MOST and all(map(_MEMBER.fullmatch, members))
