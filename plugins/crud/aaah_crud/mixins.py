"""The six actions on models, each in a mixin for `GenericAsyncAPIActionHandler`.

They are DRF's mixins: what an action stands for in HTTP is what it does and answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

from django.db import DEFAULT_DB_ALIAS, router, transaction

from aaah_async_action.decorators import Alias, async_action
from aaah_drf.handlers import GenericAsyncAPIActionHandler

__all__ = [
    "CreateModelMixin",
    "DestroyModelMixin",
    "ListModelMixin",
    "RetrieveModelMixin",
    "UpdateModelMixin",
]

#: A call without data is one with nothing in it, as a request without a body is.
_NO_DATA: Mapping[str, Any] = MappingProxyType({})


def _transaction(source: Any) -> AbstractContextManager[Any]:
    """Return a transaction on the database that is written to.

    The action's own is on the default one, which need not be that.

    Args:
        source: A queryset, a manager, a model, or None where none is known.
    """
    model = getattr(source, "model", source)
    if model is None:
        return nullcontext()
    alias = getattr(source, "_db", None) or router.db_for_write(model)
    return nullcontext() if alias == DEFAULT_DB_ALIAS else transaction.atomic(using=alias)


class CreateModelMixin(GenericAsyncAPIActionHandler):
    """The action `create`, for POST."""

    @async_action(atomic=True)
    def create(self, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Create an object from `data` and answer it, with 201."""
        serializer = self.get_serializer(data=data)
        # Who creates needs no queryset.
        with _transaction(getattr(getattr(serializer, "Meta", None), "model", None)):
            serializer.is_valid(raise_exception=True)
            self.perform_create(serializer)
            return serializer.data, 201

    def perform_create(self, serializer: Any) -> None:
        """Save a new object."""
        serializer.save()


class ListModelMixin(GenericAsyncAPIActionHandler):
    """The action `list`, for GET without a key."""

    @async_action
    def list(self, *args: Any, **kwargs: Any) -> Any:
        """Answer the objects that the filters leave, or the page of them that is asked for."""
        queryset = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(queryset)
        if page is None:
            return self.get_serializer(queryset, many=True).data, 200
        return self.get_paginated_response(self.get_serializer(page, many=True).data).data, 200


class RetrieveModelMixin(GenericAsyncAPIActionHandler):
    """The action `retrieve`, for GET."""

    @async_action
    def retrieve(self, *args: Any, **kwargs: Any) -> Any:
        """Answer an object."""
        return self.get_serializer(self.get_object()).data, 200


class UpdateModelMixin(GenericAsyncAPIActionHandler):
    """The actions `update`, for PUT, and `partial_update`, for PATCH."""

    @async_action(atomic=True)
    def update(self, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Change an object to what `data` says, all of it required, and answer the object."""
        with _transaction(self.get_queryset()):
            return self._update(data, partial=False)

    @async_action(atomic=True)
    def partial_update(self, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Change only the fields that `data` names, and answer the object."""
        with _transaction(self.get_queryset()):
            return self._update(data, partial=True)

    def _update(self, data: Any, *, partial: bool) -> Any:
        instance = self.get_object()
        serializer = self.get_serializer(instance, data=data, partial=partial)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        if getattr(instance, "_prefetched_objects_cache", None):
            instance._prefetched_objects_cache = {}  # it is older than what was saved
        return serializer.data, 200

    def perform_update(self, serializer: Any) -> None:
        """Save a changed object."""
        serializer.save()


class DestroyModelMixin(GenericAsyncAPIActionHandler):
    """The action `remove`, for DELETE; clients may call it `destroy`, too."""

    @async_action(atomic=True)
    def remove(self, *args: Any, **kwargs: Any) -> Any:
        """Delete an object and answer 204."""
        with _transaction(self.get_queryset()):
            self.perform_destroy(self.get_object())
        return None, 204

    #: DRF's name for `remove`.
    destroy = Alias("remove")

    def perform_destroy(self, instance: Any) -> None:
        """Delete the object."""
        instance.delete()
