"""The hooks: Django REST framework's permissions, and its exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aaah_core import Check, ExceptionHandler, hookimpl

__all__ = ["aaah_exception_handlers", "aaah_permission_check"]


@hookimpl
def aaah_permission_check(permission: Any) -> Check | None:
    """Return the check of one of DRF's permission classes, or of a composition of them."""
    from aaah_drf.permissions import check_of

    return check_of(permission)


@hookimpl
def aaah_exception_handlers() -> Mapping[type[Exception], ExceptionHandler]:
    """Return what answers for DRF's exceptions."""
    from rest_framework.exceptions import APIException

    from aaah_drf.exceptions import reply_to

    return {APIException: reply_to}
