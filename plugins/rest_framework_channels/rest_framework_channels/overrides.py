"""The methods that children override: which of them are called, and what to write instead."""

from __future__ import annotations

from typing import Any

from aaah_core import Call, CallNext, ConfigurationError, Reply
from rest_framework_channels.wire import shape

__all__ = ["overridden", "refuse_what_nobody_calls", "through_reply"]

_WRITTEN_HERE = frozenset(
    {
        "rest_framework_channels.base_consumers",
        "rest_framework_channels.base_handlers",
        "rest_framework_channels.replying",
        "aaah_core.consumers",
        "channels.generic.websocket",
    }
)
#: What children override in rest_framework_channels, and what stands in its place here.
_REPLACED = {
    "handle_action": "write a middleware (the hook aaah_middleware)",
    "__call__": "write a middleware (the hook aaah_middleware), or override __init__()",
    "decode_json": "write a request parser (the hook aaah_request_parser), or a codec",
}


def _definer(handler_class: type[Any], name: str) -> type[Any] | None:
    definer = next((each for each in handler_class.__mro__ if name in vars(each)), None)
    return None if definer is None or definer.__module__ in _WRITTEN_HERE else definer


def overridden(handler_class: type[Any], *names: str) -> bool:
    """Say whether a child has overridden one of the methods."""
    return any(_definer(handler_class, name) for name in names)


def refuse_what_nobody_calls(handler_class: type[Any]) -> None:
    """Stop a class that counts on a method which is not called for messages.

    Raises:
        ConfigurationError: It overrides one.
    """
    for name, instead in _REPLACED.items():
        definer = _definer(handler_class, name)
        if definer is None or (name == "__call__" and hasattr(handler_class, "as_asgi")):
            continue  # a consumer's is called, once for its connection
        raise ConfigurationError(
            f"{handler_class.__qualname__} overrides {name}() (in {definer.__qualname__}), and "
            f"nobody calls it for what comes and goes: {instead}."
        )


async def through_reply(call: Call, call_next: CallNext) -> Reply:
    """Middleware: let the handler's own `reply` send the reply, and what that one calls."""
    reply = await call_next(call)
    if call.wants_reply:
        handler: Any = call.handler
        await handler.reply(**shape(call, reply))
        call.wants_reply = False
    return reply
