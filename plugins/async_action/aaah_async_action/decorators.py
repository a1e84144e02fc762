"""`@async_action`: says that a method is an action."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, get_args, overload

from django.db import transaction

from aaah_core import ACTION_MARK, ConfigurationError, run_sync

__all__ = ["Alias", "Marked", "Mode", "Options", "async_action", "marked"]

P = ParamSpec("P")
R = TypeVar("R")

#: What happens to the response of an action.
Mode = Literal["response", "broadcast", "none"]

_MARKED = "__aaah_async_action__"
# What every channel layer accepts.
_GROUP = re.compile(r"[a-zA-Z0-9_.-]{1,99}")


@dataclass(frozen=True, slots=True)
class Options:
    """What `@async_action` was given."""

    #: The action's name.
    name: str
    #: What happens to its response.
    mode: Mode = "response"
    #: The name of the event that a broadcast sends; the action's if None.
    broadcast_type: str | None = None
    #: Whether the caller of a broadcast gets a reply besides the event.
    send_response_in_broadcast: bool = True
    #: The group of a broadcast; where None, those that the handler or the consumer names.
    group: str | None = None
    #: Whether a sync method runs in a transaction.
    atomic: bool = False

    @property
    def event(self) -> str:
        """The name of the event that a broadcast sends."""
        return self.broadcast_type or self.name


@dataclass(frozen=True, slots=True)
class Marked:
    """What an action's method remembers."""

    #: The async method that took the function's place.
    method: Callable[..., Any]
    #: The function as it was written, in its transaction if it is atomic.
    function: Callable[..., Any]
    #: What `@async_action` was given.
    options: Options


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for an action, as in ``destroy = Alias("remove")``.

    A call by this name is a call of that action to whatever goes by names, permissions first; only
    the reply repeats the name that was called. In code the name leads to the method.
    """

    #: The name of the action, which is its method's.
    action: str

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        return self if instance is None else getattr(instance, self.action)


def marked(attribute: Any) -> Marked | None:
    """Return what `@async_action` left on a class's attribute, or None."""
    mark = getattr(attribute, _MARKED, None)
    return mark if isinstance(mark, Marked) else None


class _Decorator(Protocol):
    @overload
    def __call__(
        self, method: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, method: Callable[P, R], /) -> Callable[P, Coroutine[Any, Any, R]]: ...


@overload
def async_action(
    method: Callable[P, Coroutine[Any, Any, R]], /
) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def async_action(method: Callable[P, R], /) -> Callable[P, Coroutine[Any, Any, R]]: ...
@overload
def async_action(
    *,
    name: str | None = None,
    mode: Mode = "response",
    broadcast_type: str | None = None,
    send_response_in_broadcast: bool = True,
    group: str | None = None,
    atomic: bool = False,
) -> _Decorator: ...
def async_action(
    method: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    mode: Mode = "response",
    broadcast_type: str | None = None,
    send_response_in_broadcast: bool = True,
    group: str | None = None,
    atomic: bool = False,
    **others: Any,
) -> Any:
    """Make a method an action: clients call it by name, code awaits it.

    A sync method becomes async. Awaited, it runs in a worker thread; called from sync code through
    `async_to_sync`, it runs on the caller's thread, in the caller's transaction::

        @async_action
        def rename(self, pk: int, title: str): ...


        async def elsewhere(self):
            return await self.rename(pk=5, title="Emma")

    Args:
        method: The method, where the decorator stands without parentheses.
        name: What clients call it; the method's name if left out.
        mode: ``"response"`` answers the caller; ``"broadcast"`` also sends what the action
            returned to a group, if it succeeded; ``"none"`` answers nobody.
        broadcast_type: The name of the event; the action's name if left out.
        send_response_in_broadcast: False for a caller that gets the event and no reply.
        group: The group to broadcast to. If it is left out, it is the groups that
            `group_send_lookup_kwargs` of the handler or of its consumer names, else the consumer's
            `groups`.
        atomic: True runs a sync method in a database transaction, also when code calls it.
        others: There are none: each is refused, with what to do instead.

    Raises:
        ConfigurationError: An option that cannot be, or something that is no method.
    """
    if others:
        raise ConfigurationError(_unknown(others))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not inspect.isfunction(function):
            raise ConfigurationError(
                f"@async_action decorates a method, and was given {function!r}. Put it directly "
                f"above `def` or `async def`, below nothing but other functions' decorators; "
                f"options go by name: @async_action(name=...)."
            )
        options = Options(
            name if name is not None else function.__name__,
            mode,
            broadcast_type,
            send_response_in_broadcast,
            group,
            atomic,
        )
        if problem := _problem(function, options):
            raise ConfigurationError(f"@async_action on {function.__qualname__}: {problem}")
        return _mark(function, options)

    return decorate if method is None else decorate(method)


def _unknown(options: Mapping[str, Any]) -> str:
    name = next(iter(options))
    if name in ("permissions", "permission_classes", "throttle_classes"):
        return (
            f"@async_action has no option {name!r}: permissions and throttles are those of a "
            f"handler, for all its actions. Name them in its class, and give what needs others a "
            f"handler of its own; or let the check look at `call.action`."
        )
    known = ", ".join(each.name for each in fields(Options))
    return f"@async_action has no option {name!r}. It has: {known}."


def _mark(function: Callable[..., Any], options: Options) -> Callable[..., Any]:
    body = transaction.atomic(function) if options.atomic else function
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def method(*args: Any, **kwargs: Any) -> Any:
            return await body(*args, **kwargs)

    else:

        @functools.wraps(function)
        async def method(*args: Any, **kwargs: Any) -> Any:
            return await run_sync(body, *args, **kwargs)

    setattr(method, ACTION_MARK, options.name)
    setattr(method, _MARKED, Marked(method, body, options))
    return method


def _problem(function: Callable[..., Any], options: Options) -> str | None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "an action returns one value and cannot yield. Return a list."
    for option in ("name", "broadcast_type"):
        value = getattr(options, option)
        if value is not None and not (isinstance(value, str) and value):
            return f"{option} is {value!r}, and must be text that is not empty."
    for option in ("send_response_in_broadcast", "atomic"):
        value = getattr(options, option)
        if not isinstance(value, bool):
            return f"{option} is {value!r}, and must be True or False."
    if options.atomic and inspect.iscoroutinefunction(function):
        return (
            "atomic=True is for sync methods, as Django has no async transactions. Write it as "
            "`def`, or move what belongs together into a sync action with atomic=True and await it."
        )
    if options.mode not in get_args(Mode):
        return f"mode is {options.mode!r}, and must be 'response', 'broadcast' or 'none'."
    return _problem_of_broadcast(options)


def _problem_of_broadcast(options: Options) -> str | None:
    group: Any = options.group
    if options.mode != "broadcast":
        if options.broadcast_type is None and group is None and options.send_response_in_broadcast:
            return None
        return (
            f"broadcast_type, group and send_response_in_broadcast say how to broadcast, and the "
            f"mode is {options.mode!r}. Add mode='broadcast', or leave them out."
        )
    if options.event.startswith("aaah."):
        return f"the event {options.event!r} has a name of the framework's own. Set broadcast_type."
    if group is None or (isinstance(group, str) and _GROUP.fullmatch(group)):
        return None
    return (
        f"group is {group!r}, and must be text of at most 99 ASCII letters, digits, hyphens, "
        f"underscores and periods. Leave it out for a group that depends on the route."
    )
