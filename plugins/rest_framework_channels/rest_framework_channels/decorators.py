"""`@async_action`: says that a method is an action."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, overload

from django.db import transaction

from aaah_core import ACTION_MARK, run_sync

__all__ = ["async_action", "sync_function"]

_MODES = ["response", "broadcast", "none"]
_SYNC = "__rest_framework_channels_sync__"


Async: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]


@overload
def async_action(method: Callable[..., Any], /) -> Async: ...
@overload
def async_action(**kwargs: Any) -> Callable[[Callable[..., Any]], Async]: ...
def async_action(method: Callable[..., Any] | None = None, /, **kwargs: Any) -> Any:
    """Make a method an action: clients call it by name, code awaits it.

    A sync method becomes async, and runs in a worker thread; sync code calls it through
    `async_to_sync`, and then it runs on the caller's thread.

    Args:
        method: The method, where the decorator stands without parentheses.
        kwargs: `mode`: ``"response"`` answers the caller, ``"broadcast"`` sends what the action
            returned to the group, ``"none"`` answers nobody. `broadcast_type`: the type of the
            message to the group, ``"general.broadcast"`` if left out. `send_response_in_broadcast`:
            False for a caller that gets the message of the group only. `name`: what clients call
            the action; the method's name if left out. `atomic`: True runs a sync method in a
            database transaction.

    Raises:
        ValueError: A mode that does not exist.
    """
    mode = kwargs.get("mode", "response")
    if mode not in _MODES:
        raise ValueError(f"The {mode} is invalid. Set mode in {_MODES}")

    def action_wrapper(func: Callable[..., Any]) -> Callable[..., Any]:
        action = func if inspect.iscoroutinefunction(func) else _in_worker(func, kwargs)
        name = kwargs.get("name", func.__name__)
        vars(action).update({"is_action": True, "kwargs": kwargs, ACTION_MARK: name})
        return action

    return action_wrapper if method is None else action_wrapper(method)


def sync_function(action: Any) -> Callable[..., Any] | None:
    """Return the sync method, as it was written, that became this async one; None for others."""
    made, function = getattr(action, _SYNC, (None, None))
    return function if made is action else None


def _in_worker(func: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[..., Any]:
    body = transaction.atomic(func) if kwargs.get("atomic") else func

    @functools.wraps(func)
    async def async_function(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await run_sync(body, self, *args, **kwargs)

    setattr(async_function, _SYNC, (async_function, body))
    return async_function
