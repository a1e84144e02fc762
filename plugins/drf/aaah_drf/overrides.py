"""Methods that a view of DRF's overrides, and that are called as DRF calls them."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction

from aaah_core import ConfigurationError

__all__ = ["require_sync"]

# What DRF's actions call without `await`: an async one does nothing, and its client is told 201.
_NOT_AWAITED = (
    *("perform_create", "perform_update", "perform_destroy", "get_queryset", "get_object"),
    *("get_serializer", "get_serializer_class", "get_serializer_context", "filter_queryset"),
    *("paginate_queryset", "get_paginated_response", "check_object_permissions"),
)


def require_sync(view: type) -> None:
    """Refuse a viewset, or a handler like one, with an async method that nobody awaits.

    Raises:
        ConfigurationError: It has one.
    """
    for name in _NOT_AWAITED:
        if iscoroutinefunction(getattr(view, name, None)):
            raise ConfigurationError(
                f"{view.__qualname__} has an async {name}(), which nobody awaits, as in DRF: "
                f"make it a plain `def`, which runs in a worker thread and may use the ORM."
            )
