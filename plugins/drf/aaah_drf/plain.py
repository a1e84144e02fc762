"""Refuses answers that nobody waits for: as it is, a coroutine is as good as a yes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["require_plain"]


def require_plain(asked: Any, *names: str) -> None:
    """Let methods raise a TypeError where their answer would have to be awaited.

    Args:
        asked: An instance of DRF's, or a composition of them.
        names: The methods.
    """
    for name in names:
        method = getattr(asked, name, None)
        # Who gives the same instance each time has it from the call before.
        if method is not None and getattr(method, "func", None) is not _plain:
            setattr(asked, name, partial(_plain, method))
    for operand in ("op1", "op2"):
        if hasattr(asked, operand):
            require_plain(getattr(asked, operand), *names)


def _plain(method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    answer = method(*args, **kwargs)
    if not inspect.isawaitable(answer):
        return answer
    if inspect.iscoroutine(answer):
        answer.close()  # or Python tells of it, too
    raise TypeError(
        f"{getattr(method, '__qualname__', method)}() answers with something to await, and DRF "
        f"waits for nobody: make it sync."
    )
