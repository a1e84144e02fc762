"""The methods that children override: which are called, and what to write instead of others."""

from __future__ import annotations

from typing import Any

from aaah_core import Action, Call, CallNext, ConfigurationError, Middleware, Reply
from rest_framework_channels.wire import shape

__all__ = ["middleware_of", "overridden", "refuse_what_nobody_calls"]

_WRITTEN_HERE = frozenset(
    {
        "rest_framework_channels.base_consumers",
        "rest_framework_channels.base_handlers",
        "rest_framework_channels.replying",
        "aaah_core.consumers",
        "builtins",
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


def middleware_of(handler_class: Any, action: Action | None) -> Middleware | None:
    """Return what stands around an action with another name, or of a class that sends itself."""
    options = handler_class.actions_kwargs.get(action.name, {}) if action is not None else {}
    called = options.get("under")
    sending = ["reply", "send_json", "encode_json"]
    if not hasattr(handler_class, "as_asgi"):
        sending.append("send")  # a consumer's own is for what is no reply
    sends = overridden(handler_class, *sending)

    async def middleware(call: Call, call_next: CallNext) -> Reply:
        own_name = call.action
        call.action = called or own_name  # nobody is asked about it under another name
        try:
            reply = await call_next(call)
        finally:
            call.action = own_name
        if sends and call.wants_reply:
            handler: Any = call.handler
            await handler.reply(**shape(call, reply))
            call.wants_reply = False
        return reply

    return middleware if called or sends else None
