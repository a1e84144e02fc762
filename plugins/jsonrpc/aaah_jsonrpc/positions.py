"""Parameters by position, which only whoever knows the action can name."""

from __future__ import annotations

from aaah_core import Action, Call, CallNext, Middleware, Reply, ValidationError
from aaah_jsonrpc.requests import Request

__all__ = ["naming"]


def naming(action: Action) -> Middleware:
    """Return a middleware that names an action's parameters, in the order it declares them.

    Those that the route gives are left out.
    """
    names = tuple(action.params.get("properties", ()))

    async def name(call: Call, call_next: CallNext) -> Reply:
        request = call.meta
        if isinstance(request, Request) and request.positional is not None:
            free = [each for each in names if each not in call.handler.kwargs]
            if len(request.positional) > len(free):
                raise ValidationError(
                    f"The action {action.name!r} takes {len(free)} parameters here, and "
                    f"{len(request.positional)} came."
                )
            params = dict(zip(free, request.positional, strict=False))
            if "data" in params:
                call.data = params.pop("data")
            call.params = params
        return await call_next(call)

    return name
