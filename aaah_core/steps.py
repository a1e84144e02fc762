"""Goes on with an awaitable whose first step was taken by hand: most need no other."""

from __future__ import annotations

from collections.abc import Generator
from types import coroutine
from typing import Any

__all__ = ["finish"]


@coroutine
def finish(steps: Generator[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Go on with an awaitable after ``waits_for = next(steps)``, its first step.

    A timeout in that step is the timeout of the task that took it, and so is its cancel: it is for
    the code of servers and layers, never for a user's.

    Args:
        steps: What its `__await__` gave.
        waits_for: What it waits for.
    """
    while True:
        error: BaseException | None = None
        try:
            yield waits_for
        except BaseException as caught:  # noqa: BLE001 - a cancel is for what waits inside
            error = caught
        try:
            waits_for = next(steps) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
