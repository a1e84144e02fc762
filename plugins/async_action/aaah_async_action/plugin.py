"""The hook: collects the methods that `@async_action` marked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import connections, transaction

from aaah_async_action.binding import Binding, compile_binding
from aaah_async_action.broadcast import broadcasting, broadcasting_sync
from aaah_async_action.decorators import Marked, marked
from aaah_core import Action, AsyncAPIConsumer, Call, ConfigurationError, hookimpl

if TYPE_CHECKING:
    from aaah_core import AsyncActionHandler

__all__ = ["aaah_actions"]


@hookimpl
def aaah_actions(handler_class: type[AsyncActionHandler]) -> dict[str, Action]:
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
    return actions


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
    if sync:
        run = _runner(_in_transactions(function, mark.method), binding)
    else:
        run = _async_runner(function, binding)
    if options.mode == "broadcast":
        run = broadcasting_sync(run, options) if sync else broadcasting(run, options)
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
    def run(handler: Any, call: Call) -> Any:
        args, kwargs = binding.arguments(handler, call)
        return function(handler, *args, **kwargs)

    return run


def _async_runner(function: Callable[..., Any], binding: Binding) -> Callable[[Any, Call], Any]:
    async def run(handler: Any, call: Call) -> Any:
        args, kwargs = binding.arguments(handler, call)
        return await function(handler, *args, **kwargs)

    return run


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
