"""The hooks: Django REST framework's permissions, throttles, exceptions and viewsets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from aaah_core import (
    Action,
    Call,
    CallNext,
    Check,
    ConfigurationError,
    DefaultPermissions,
    ExceptionHandler,
    Middleware,
    Reply,
    hookimpl,
)
from aaah_drf.conf import Settings

__all__ = [
    "Settings",
    "aaah_actions",
    "aaah_exception_handlers",
    "aaah_middleware",
    "aaah_permission_check",
]


@hookimpl
def aaah_permission_check(handler_class: type[Any], permission: Any) -> Check | None:
    """Return the check of one of DRF's permission classes, of a composition, or of a throttle."""
    if permission is DefaultPermissions:
        from aaah_drf.conf import default_permissions

        return default_permissions()
    from aaah_drf.permissions import check_of
    from aaah_drf.request import let_have_request
    from aaah_drf.throttles import throttle_check

    check = check_of(permission) or throttle_check(handler_class, permission)
    if check is not None:
        let_have_request(handler_class)
    return check


@hookimpl
def aaah_exception_handlers(
    handler_class: type[Any],
) -> Mapping[type[Exception], ExceptionHandler]:
    """Return what answers for DRF's exceptions, and for Django's that DRF answers for."""
    # Without an import: where nobody wrote such a class, half of DRF is not loaded for the asking.
    generic = sys.modules.get("aaah_drf.handlers")
    if generic is not None and issubclass(handler_class, generic.GenericAsyncAPIActionHandler):
        from aaah_drf.exception_handler import replies

        return replies()
    from aaah_drf.exceptions import REPLIES

    return REPLIES


@hookimpl
def aaah_actions(handler_class: type[Any]) -> Mapping[str, Action] | None:
    """Return the actions of a viewset that `serve` made a handler of.

    Raises:
        ConfigurationError: The class has `authentication_classes`, which would not be asked.
    """
    if hasattr(handler_class, "authentication_classes"):
        raise ConfigurationError(
            f"{handler_class.__qualname__} has authentication_classes, and nobody asks them: who "
            f"connected is who calls. Take them away, and let them say at the handshake who that "
            f"is, in asgi.py: aaah_drf.authentication.AuthenticationMiddleware(sockets, [...])."
        )
    return getattr(handler_class, "viewset_actions", None)


@hookimpl
def aaah_middleware(handler_class: type[Any], action: Action | None) -> Middleware | None:
    """Let `destroy` of a viewset be `remove` to the parents' permissions, as of any handler."""
    actions: Mapping[str, Action] = getattr(handler_class, "viewset_actions", {})
    is_other_name = (
        action is not None
        and action.name == "destroy"
        and "remove" in actions
        and actions["remove"].run == actions["destroy"].run  # else an `@action` has that name
    )
    return _removing if is_other_name else None


async def _removing(call: Call, call_next: CallNext) -> Reply:
    # A permission that asks for the action's name must not be passed by under another.
    called, call.action = call.action, "remove"
    try:
        return await call_next(call)
    finally:
        call.action = called
