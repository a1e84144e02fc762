"""Collects the methods that `@async_action` marked."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from aaah_async_action.binding import Binding, compile_binding
from aaah_core import MISSING, Action, Call, ConfigurationError, run_sync, to_plain, to_reply
from rest_framework_channels.decorators import sync_function

__all__ = ["actions_of", "filled_by_position"]

_SHAPE = "write a response shaper (the hook aaah_response_shaper) and set `wire`"
#: What children override in rest_framework_channels, and what stands in its place here.
_REPLACED = {
    "handle_action": "write a middleware (the hook aaah_middleware)",
    "__call__": "write a middleware (the hook aaah_middleware), or override __init__()",
    "reply": f"{_SHAPE}, or a middleware (the hook aaah_middleware) that returns another reply",
    "send_json": _SHAPE,
    "send": "write a codec (the hook aaah_codecs) and name it in `codecs`",
    "encode_json": "set json_encoder_class, or write a codec (the hook aaah_codecs)",
    "decode_json": "write a request parser (the hook aaah_request_parser), or a codec",
}
_WRITTEN_HERE = frozenset(
    {
        "rest_framework_channels.base_consumers",
        "rest_framework_channels.base_handlers",
        "aaah_core.consumers",
        "channels.generic.websocket",
    }
)
#: The type of broadcasts that name none.
GENERAL = "general.broadcast"


def actions_of(handler_class: Any) -> dict[str, Action]:
    """Return the actions of a class by name.

    Raises:
        ConfigurationError: A method whose parameters cannot be bound, or one that would have been
            called for every message, and is not.
    """
    _refuse_what_nobody_calls(handler_class)
    return {
        name: _action(handler_class, name, attribute)
        for name, attribute in handler_class.available_actions.items()
    }


def _refuse_what_nobody_calls(handler_class: Any) -> None:
    for name, instead in _REPLACED.items():
        definer = next((each for each in handler_class.__mro__ if name in vars(each)), None)
        if definer is None or definer.__module__ in _WRITTEN_HERE:
            continue
        if name == "__call__" and hasattr(handler_class, "as_asgi"):
            continue  # a consumer's is called, once for its connection
        raise ConfigurationError(
            f"{handler_class.__qualname__} overrides {name}() (in {definer.__qualname__}), and "
            f"nobody calls it for what comes and goes: {instead}."
        )


def _action(handler_class: Any, name: str, attribute: str) -> Action:
    method = getattr(handler_class, attribute)
    options: dict[str, Any] = handler_class.actions_kwargs[name]
    function = sync_function(method)
    binding = compile_binding(function or method, f"{handler_class.__qualname__}.{attribute}")
    mode, run = options.get("mode", "response"), _runner(function or method, binding)
    sync = function is not None
    if mode == "broadcast":
        run, sync = _broadcasting(run, options, sync), False
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


_binding = cache(compile_binding)


def _runner(function: Callable[..., Any], binding: Binding) -> Callable[[Any, Call], Any]:
    def run(handler: Any, call: Call) -> Any:
        if handler is call.consumer:
            _tell_the_query(call)
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


def _tell_the_query(call: Call) -> None:
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
