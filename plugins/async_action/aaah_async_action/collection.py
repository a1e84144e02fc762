"""Collects the methods of a class that `@async_action` marked, and their other names."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asgiref.sync import markcoroutinefunction
from django.db import connections, transaction

from aaah_async_action.binding import Binding, compile_binding
from aaah_async_action.broadcast import broadcasting, broadcasting_sync
from aaah_async_action.decorators import Alias, Marked, marked
from aaah_core import (
    MISSING,
    Action,
    AsyncAPIConsumer,
    Call,
    CallNext,
    ConfigurationError,
    Middleware,
    Reply,
)

if TYPE_CHECKING:
    from aaah_core import AsyncActionHandler

__all__ = ["actions_of", "middleware_for"]


def actions_of(handler_class: type[AsyncActionHandler]) -> dict[str, Action]:
    """Return the actions of a class by name: its marked methods, as inheritance leaves them.

    Raises:
        ConfigurationError: Two methods with one name, a marked method below another decorator, or
            one whose parameters cannot be bound.
    """
    actions: dict[str, Action] = {}
    attributes: dict[str, str] = {}
    for attribute, mark in _marked_methods(handler_class):
        where, name = f"{handler_class.__qualname__}.{attribute}", mark.options.name
        if name in actions:
            raise ConfigurationError(
                f"{attributes[name]} and {where} are both the action {name!r}. Give one of them "
                f"another name with @async_action(name=...), or set an inherited one to None."
            )
        attributes[name], actions[name] = where, _action(handler_class, mark, where)
    for name, alias in _aliases(handler_class):
        if name not in actions and alias.action in actions:
            actions[name] = replace(actions[alias.action], name=name)
    return actions


def middleware_for(
    handler_class: type[AsyncActionHandler], action: Action | None
) -> Middleware | None:
    """Return what lets a call by another name be a call of the action."""
    alias = None if action is None else inspect.getattr_static(handler_class, action.name, None)
    return _under(alias.action) if isinstance(alias, Alias) else None


def _under(name: str) -> Middleware:
    def middleware(call: Call, call_next: CallNext) -> Awaitable[Reply]:
        return _called_as(name, call, call_next)

    return middleware


async def _called_as(name: str, call: Call, call_next: CallNext) -> Reply:
    # A permission that asks for the action's name must not be passed by under another.
    called, call.action = call.action, name
    try:
        return await call_next(call)
    finally:
        call.action = called


def _aliases(handler_class: type[Any]) -> list[tuple[str, Alias]]:
    """Return the other names that a class has.

    Raises:
        ConfigurationError: A child overrides the other name alone, and the action goes past it.
    """
    found = []
    mro = handler_class.__mro__
    nearest = {name: owner for owner in reversed(mro) for name in vars(owner)}
    for owner in mro:
        for name, alias in vars(owner).items():
            if not isinstance(alias, Alias):
                continue
            current = vars(nearest[name])[name]
            if current is alias:
                found.append((name, alias))
            elif current is not None and nearest.get(alias.action) is owner:
                raise ConfigurationError(
                    f"{handler_class.__qualname__} overrides {name}(), which is another name for "
                    f"the action {alias.action!r} of {owner.__qualname__}: override "
                    f"{alias.action}(), or both."
                )
    return found


def _marked_methods(handler_class: type[Any]) -> list[tuple[str, Marked]]:
    found = []
    inherited = [vars(base) for base in reversed(handler_class.__mro__)]
    for attribute, value in {k: v for namespace in inherited for k, v in namespace.items()}.items():
        mark = marked(getattr(value, "__func__", value))  # also of a staticmethod
        if mark is None:
            continue
        if mark.method is not value:
            raise ConfigurationError(
                f"{handler_class.__qualname__}.{attribute} has a decorator above @async_action, "
                f"which calls from clients would go past. Put @async_action on top."
            )
        found.append((attribute, mark))
    return found


def _action(handler_class: type[Any], mark: Marked, where: str) -> Action:
    function, options = mark.function, mark.options
    binding = compile_binding(function, where)
    _require_fillable(handler_class, binding, where)
    sync = not inspect.iscoroutinefunction(function)
    run = _runner(_in_transactions(function, mark.method) if sync else function, binding)
    if options.mode == "broadcast":
        run = broadcasting_sync(run, options) if sync else broadcasting(run, options)
    if not sync:
        markcoroutinefunction(run)  # nobody need look at what it returns
    return Action(
        name=options.name,
        run=run,
        doc=_first_paragraph(function),
        params=binding.params,
        returns=binding.returns,
        mode=options.mode,
        sync=sync,
    )


def _require_fillable(handler_class: type[Any], binding: Binding, where: str) -> None:
    # A route may capture the value for any other handler; none leads to a consumer.
    if issubclass(handler_class, AsyncAPIConsumer) and (names := binding.route_alone_fills()):
        raise ConfigurationError(
            f"{where} requires {names[0]!r}, which no client may send and no route captures for a "
            f"consumer. Rename the parameter or give it a default; the handler has what it needs "
            f"as self.scope and self.consumer."
        )


def _runner(function: Callable[..., Any], binding: Binding) -> Callable[[Any, Call], Any]:
    """Return what fills in the arguments; of an async action it returns the coroutine."""

    def run_with_all(handler: Any, call: Call) -> Any:
        args, kwargs = binding.arguments(handler, call)
        return function(handler, *args, **kwargs)

    return _written_out(function, binding, run_with_all) if binding.is_plain else run_with_all


#: How one parameter is filled: a value of a type that it takes as it is costs no call.
_FILLED = """
    if {name!r} in route:
        given{place} = route[{name!r}]
        if type(given{place}) not in ready_of_route{place}:
            given{place} = value{place}(route, call)
    else:
        given{place} = params.get({name!r}, MISSING)
        if type(given{place}) not in ready_of_client{place}:
            given{place} = value{place}(route, call)
"""


def _written_out(function: Callable[..., Any], binding: Binding, run_with_all: Any) -> Any:
    """Return what fills positional parameters one after another, as if written by hand for them.

    A loop over them, and a call with their list, would take a message 0.25 µs more.
    """
    names: dict[str, Any] = {"function": function, "run_with_all": run_with_all, "MISSING": MISSING}
    source = """
def run(handler, call):
    if handler.args:
        return run_with_all(handler, call)
    route, params = handler.kwargs, call.params
"""
    arguments = ["handler"]
    for place, each in enumerate(binding.positional):
        source += _FILLED.format(place=place, name=each.name)
        arguments.append(f"given{place}")
        names[f"value{place}"] = each.value
        names[f"ready_of_route{place}"] = each.ready_of_route
        names[f"ready_of_client{place}"] = each.ready_of_client
    source += f"    return function({', '.join(arguments)})"
    # All that a class brings to the text are names of parameters, each as the literal of a string.
    exec(compile(source, f"<parameters of {function.__qualname__}>", "exec"), names)  # noqa: S102 - as above
    return names["run"]


def _in_transactions(
    function: Callable[..., Any], method: Callable[..., Any]
) -> Callable[..., Any]:
    """Honour ``ATOMIC_REQUESTS``, and Django's `non_atomic_requests`, as for a view."""
    exempt = getattr(method, "_non_atomic_requests", ())
    for alias, database in connections.settings.items():
        if database["ATOMIC_REQUESTS"] and alias not in exempt:
            function = transaction.atomic(using=alias)(function)
    return function


def _first_paragraph(function: Callable[..., Any]) -> str:
    paragraph, _, _ = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    return " ".join(paragraph.split())
