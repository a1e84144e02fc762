"""The hooks: Django REST framework's permissions, throttles, exceptions and viewsets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from aaah_core import Action, Check, DefaultPermissions, ExceptionHandler, hookimpl
from aaah_drf.conf import Settings

__all__ = ["Settings", "aaah_actions", "aaah_exception_handlers", "aaah_permission_check"]


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
    """Return the actions of a viewset that `serve` made a handler of."""
    return getattr(handler_class, "viewset_actions", None)
