"""Collects the methods that `@async_action` marked."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from asgiref.sync import markcoroutinefunction

from aaah_async_action.binding import Binding, compile_binding
from aaah_core import MISSING, Action, Call, ConfigurationError, run_sync, to_plain, to_reply
from rest_framework_channels.decorators import sync_function
from rest_framework_channels.overrides import refuse_what_nobody_calls

__all__ = ["actions_of", "filled_by_position", "tell_the_query"]

#: The type of broadcasts that name none.
GENERAL = "general.broadcast"


def actions_of(handler_class: Any) -> dict[str, Action]:
    """Return the actions of a class by name.

    Raises:
        ConfigurationError: A method whose parameters cannot be bound, or one that would have been
            called for every message, and is not.
    """
    refuse_what_nobody_calls(handler_class)
    return {
        name: _action(handler_class, name, attribute)
        for name, attribute in handler_class.available_actions.items()
    }


def _action(handler_class: Any, name: str, attribute: str) -> Action:
    method = getattr(handler_class, attribute)
    options: dict[str, Any] = handler_class.actions_kwargs[name]
    function = sync_function(method)
    binding = _binding(function or method, f"{handler_class.__qualname__}.{attribute}")
    mode, run = options.get("mode", "response"), _runner(function or method, binding)
    sync = function is not None
    if mode == "broadcast":
        run, sync = _broadcasting(run, options, sync), False
    if not sync:
        markcoroutinefunction(run)  # nobody need look at what it returns
    doc, _, _ = inspect.cleandoc(method.__doc__ or "").partition("\n\n")
    return Action(
        name=name,
        run=run,
        doc=" ".join(doc.split()),
        params=binding.params,
        returns=binding.returns,
        mode=mode,
        sync=sync,
    )


def filled_by_position(handler_class: Any, action: str) -> list[str]:
    """Return the names that what a route captured without names may fill, in their order."""
    attribute = getattr(handler_class, "available_actions", {}).get(action)
    if attribute is None:  # a handler that is not of this package
        return []
    method = getattr(handler_class, attribute)
    binding = _binding(sync_function(method) or method, attribute)
    return [each.name for each in binding.positional if each.takes_capture]


@cache
def _binding(function: Callable[..., Any], where: str) -> Binding:
    """Read a signature; where an annotation is no type to convert to, for the names alone."""
    try:
        return compile_binding(function, where)
    except ConfigurationError:
        return compile_binding(_without_annotations(function), where)


def _without_annotations(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    empty = inspect.Parameter.empty
    parameters = [each.replace(annotation=empty) for each in signature.parameters.values()]

    def named() -> None: ...

    vars(named)["__signature__"] = inspect.Signature(parameters)
    return named


def _runner(function: Callable[..., Any], binding: Binding) -> Callable[[Any, Call], Any]:
    def run(handler: Any, call: Call) -> Any:
        if handler is call.consumer:
            tell_the_query(call)
        args, kwargs = binding.arguments(handler, call)
        if binding.takes_kwargs:
            _add_what_is_known(kwargs, binding, call)
        return function(handler, *args, **kwargs)

    return run


def _add_what_is_known(kwargs: dict[str, Any], binding: Binding, call: Call) -> None:
    """Let `**kwargs` hold the action's name and the data, and no other key of the client's."""
    if "action" not in binding.names:
        kwargs["action"] = call.action
    if "data" not in binding.names and call.data is not MISSING:
        kwargs.setdefault("data", call.data)


def tell_the_query(call: Call) -> None:
    """Let a consumer's scope have the query of its route, as the scopes of handlers do."""
    query = (call.route or "").partition("?")[2]
    if query:
        call.scope["path_remaining"] = query
    else:
        call.scope.pop("path_remaining", None)


def _broadcasting(
    run: Callable[[Any, Call], Any], options: dict[str, Any], sync: bool
) -> Callable[[Any, Call], Awaitable[Any]]:
    """Return `run` with a message to the handler's group of what it returned."""

    async def run_and_send(handler: Any, call: Call) -> Any:
        group, layer = handler.group_id, handler.channel_layer
        if group is None or layer is None:
            # Before the action runs: what cannot be broadcast must not have changed anything.
            raise ConfigurationError(
                f"The action {call.action!r} of {type(handler).__qualname__} broadcasts to no "
                f"group. Set CHANNEL_LAYERS, and group_send_lookup_kwargs on the handler or its "
                f"parent to a name that the URL or the route captures."
            )
        result = await (run_sync(run, handler, call) if sync else run(handler, call))
        reply = to_reply(result)
        message = {"data": to_plain(reply.data), "status": reply.status}
        await layer.group_send(
            str(group), {"type": options.get("broadcast_type", GENERAL), **message}
        )
        call.wants_reply = options.get("send_response_in_broadcast", True)
        return result

    return run_and_send
