"""One span and one measurement a call, by the conventions for RPC servers."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from aaah_core import (
    Action,
    AsyncActionHandler,
    Call,
    CallNext,
    Middleware,
    Reply,
    describe,
)
from aaah_opentelemetry.parents import of_call

__all__ = ["BUCKETS", "NAME", "class_name", "tracing"]

#: Who instruments.
NAME = "aaah_opentelemetry"

#: Seconds, as the conventions have them.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

#: What the conventions call a method that the server does not know.
_OTHER = "_OTHER"


def tracing(handler_class: type[AsyncActionHandler], action: Action | None) -> Middleware:
    """Return a middleware that makes a span of each call of an action, and measures it.

    Names and attributes are made of classes, actions, route patterns and statuses: nothing in them
    is a client's.

    Args:
        handler_class: Whose action it is.
        action: The action; None for what fails before an action is known.
    """
    tracer = trace.get_tracer(NAME)
    duration = metrics.get_meter(NAME).create_histogram(
        "rpc.server.call.duration",
        unit="s",
        description="How long calls take, checks and action.",
        explicit_bucket_boundaries_advisory=BUCKETS,
    )
    handler = class_name(handler_class)
    method = f"{handler}/{action.name}" if action else _OTHER
    fixed = {"rpc.system.name": "aaah", "rpc.method": method}
    named = _naming(handler, action)

    async def measured(call: Call, call_next: CallNext) -> Reply:
        parent, links = of_call(call)
        name, route = named(call)
        attributes = fixed if route is None else {**fixed, "aaah.route": route}
        began = perf_counter()
        with tracer.start_as_current_span(
            name, parent, SpanKind.SERVER, attributes, links=links
        ) as span:
            reply = await call_next(call)
            outcome = _outcome(reply)
            if span.is_recording():
                _tell(span, reply, outcome)
        duration.record(perf_counter() - began, {**fixed, **outcome})
        return reply

    return measured


def class_name(kind: type[Any]) -> str:
    """Return what `describe` calls a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _naming(handler: str, action: Action | None) -> Callable[[Call], tuple[str, str | None]]:
    """Return what names a call's span, and tells the pattern of its route.

    A handler that several routes of a consumer lead to is named itself.
    """
    names: dict[type[Any], tuple[str, str | None]] = {}

    def named(call: Call) -> tuple[str, str | None]:
        if action is None:
            return _OTHER, None
        consumer_class: Any = type(call.consumer)
        if consumer_class not in names:
            routes = _routes(consumer_class).get(handler, ())
            route = routes[0] if len(routes) == 1 else None
            place = handler if route is None else route
            names[consumer_class] = f"{action.name} {place}".strip(), route
        return names[consumer_class]

    return named


@cache
def _routes(consumer_class: type[Any]) -> dict[str, list[str]]:
    """Return the patterns that lead to each handler, by its name."""
    routes: dict[str, list[str]] = {}
    for each in describe(consumer_class)["routes"]:
        routes.setdefault(each["handler"], []).append(each["route"])
    return routes


def _outcome(reply: Reply) -> dict[str, str]:
    # A plugin may answer with any number: it must not make a metric without end.
    status = str(reply.status) if 100 <= reply.status <= 599 else _OTHER
    outcome = {"rpc.response.status_code": status}
    if reply.status >= 400:
        failed = reply.exception if reply.status == 500 else None
        outcome["error.type"] = status if failed is None else class_name(type(failed))
    return outcome


def _tell(span: Span, reply: Reply, outcome: dict[str, str]) -> None:
    span.set_attributes(outcome)
    if reply.status >= 500:  # what is the client's fault is no error of a server's span
        span.set_status(StatusCode.ERROR)
        if reply.exception is not None:
            span.add_event("exception", _told(reply, reply.exception))


def _told(reply: Reply, error: BaseException) -> dict[str, str]:
    # What it says may quote what the client sent; the log has that under the id, cleaned.
    told = {
        "exception.type": class_name(type(error)),
        "exception.stacktrace": "".join(traceback.format_tb(error.__traceback__)),
    }
    ids = [str(each["id"]) for each in reply.errors if "id" in each]
    return {**told, "aaah.error_id": ids[0]} if ids else told
