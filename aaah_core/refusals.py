"""What a check says when it does not say yes, and how a handler hides that there was one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied

from aaah_core.errors import NotFound

__all__ = ["conceal", "status_of"]


def status_of(error: BaseException) -> int:
    """Return the status that an exception of ours, of Django's or of DRF's asks for; else 500."""
    from django.http import Http404  # which loads what an import of ours need not

    if isinstance(error, PermissionDenied):
        return 403
    if isinstance(error, Http404):
        return 404
    # Errors of ours have `status`, those of DRF's `status_code`.
    return int(getattr(error, "status", getattr(error, "status_code", 500)))


def conceal(error: Exception, obj: Any) -> None:
    """Raise what a missing object would, if an error refuses an object; else do nothing.

    Args:
        error: What a check of the object raised.
        obj: The object; a model's instance is missing as `get_object_or_404` says it.

    Raises:
        Http404: The error was a refusal.
        NotFound: The same, of an object that is no model's.
    """
    from django.db.models import Model  # as above
    from django.http import Http404
    from django.shortcuts import get_object_or_404

    if status_of(error) not in (401, 403):
        return
    if not isinstance(obj, Model):
        raise NotFound from None
    try:
        get_object_or_404(type(obj)._default_manager.none())
    except Http404 as missing:
        raise missing from None
