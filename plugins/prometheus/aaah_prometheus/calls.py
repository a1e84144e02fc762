"""How many calls there were, how they ended, and how long they took."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import perf_counter

from prometheus_client import Counter, Histogram

from aaah_core import Action, AsyncActionHandler, Call, CallNext, Middleware, Reply
from aaah_prometheus import collector  # noqa: F401 - who counts calls shows the rest too

__all__ = ["BUCKETS", "CALLS", "SECONDS", "counting"]

#: Seconds. An action that returns at once takes a fraction of a millisecond; 30 is the deadline.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

CALLS = Counter(
    "aaah_calls",
    "Calls that were answered; the action is empty where no action was reached.",
    ["handler", "action", "status"],
)
SECONDS = Histogram(
    "aaah_call_seconds",
    "Seconds from the middleware to the reply: checks and action, not the frame.",
    ["handler", "action"],
    buckets=BUCKETS,
)


def counting(handler_class: type[AsyncActionHandler], action: Action | None) -> Middleware:
    """Return a middleware that counts the calls of one action.

    What its labels can be is known when it is made: classes, actions and statuses, and nothing that
    a client sends.

    Args:
        handler_class: Whose action it is.
        action: The action; None for what fails before an action is known.
    """
    labels = (
        f"{handler_class.__module__}.{handler_class.__qualname__}",
        action.name if action else "",
    )
    took = SECONDS.labels(*labels)

    @cache
    def answered(status: str) -> Callable[[], None]:
        return CALLS.labels(*labels, status).inc

    async def count(call: Call, call_next: CallNext) -> Reply:
        began = perf_counter()
        reply = await call_next(call)
        took.observe(perf_counter() - began)
        answered(str(reply.status) if 100 <= reply.status <= 599 else "other")()
        return reply

    return count
