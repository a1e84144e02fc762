"""Sends what an action returned to a group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aaah_async_action.decorators import Options
from aaah_core import Call, ConfigurationError, Reply, apublish, group_name, publish, to_reply

__all__ = ["broadcasting", "broadcasting_sync"]


def broadcasting(
    run: Callable[[Any, Call], Awaitable[Any]], options: Options
) -> Callable[[Any, Call], Awaitable[Any]]:
    """Return `run` with a broadcast of what it returned, if it succeeded."""

    async def run_and_publish(handler: Any, call: Call) -> Any:
        groups = _groups(handler, call, options)
        result = await run(handler, call)
        reply = to_reply(result)
        if _succeeded(reply):
            for group in groups:
                await apublish(group, options.event, reply.data, status=reply.status, call=call)
            _after_publishing(call, options)
        return result

    return run_and_publish


def broadcasting_sync(
    run: Callable[[Any, Call], Any], options: Options
) -> Callable[[Any, Call], Any]:
    """Return what `broadcasting` returns, for a worker thread."""

    def run_and_publish(handler: Any, call: Call) -> Any:
        groups = _groups(handler, call, options)
        result = run(handler, call)
        reply = to_reply(result)
        if _succeeded(reply):
            for group in groups:
                publish(group, options.event, reply.data, status=reply.status, call=call)
            _after_publishing(call, options)
        return result

    return run_and_publish


def _succeeded(reply: Reply) -> bool:
    return reply.status < 400 and not reply.errors


def _after_publishing(call: Call, options: Options) -> None:
    if not options.send_response_in_broadcast:
        call.wants_reply = False


def _groups(handler: Any, call: Call, options: Options) -> Sequence[str]:
    # Asked before the action runs: a broadcast that has no group must not have changed anything.
    if options.group is not None:
        return (options.group,)
    lookups = getattr(handler, "group_send_lookup_kwargs", None)
    lookups = lookups or getattr(call.consumer, "group_send_lookup_kwargs", None)
    groups = _looked_up(handler, lookups) if lookups else getattr(call.consumer, "groups", None)
    if groups:
        return tuple(groups)
    where = f"The action {options.name!r} of {type(handler).__qualname__} broadcasts to no group."
    if lookups:
        raise ConfigurationError(
            f"{where} group_send_lookup_kwargs is {lookups!r}, and neither the route nor the URL "
            f"of the consumer captures that. Capture it in one of them, or correct the name."
        )
    raise ConfigurationError(
        f"{where} Set group= in @async_action, group_send_lookup_kwargs on the handler or its "
        f"consumer, or groups on the consumer."
    )


def _looked_up(handler: Any, lookups: str | Sequence[str]) -> list[str]:
    url = handler.scope.get("url_route", {}).get("kwargs", {})
    captured = {**url, **handler.kwargs}
    names = (lookups,) if isinstance(lookups, str) else lookups
    return [group_name(name, captured[name]) for name in names if name in captured]
