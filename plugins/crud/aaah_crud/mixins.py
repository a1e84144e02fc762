"""The six actions on models, each in a mixin for `GenericAsyncAPIActionHandler`.

They are DRF's mixins: what an action stands for in HTTP is what it does and answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aaah_async_action.decorators import async_action
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


class CreateModelMixin(GenericAsyncAPIActionHandler):
    """The action `create`, for POST."""

    @async_action(atomic=True)
    def create(self, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Create an object from `data` and answer it, with 201."""
        serializer = self.get_serializer(data=data)
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
        """Answer every object."""
        return self.get_serializer(self.get_queryset(), many=True).data, 200


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
        return self._update(data, partial=False)

    @async_action(atomic=True)
    def partial_update(self, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Change only the fields that `data` names, and answer the object."""
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
    """The action `remove`, for DELETE."""

    @async_action(atomic=True)
    def remove(self, *args: Any, **kwargs: Any) -> Any:
        """Delete an object and answer 204."""
        self.perform_destroy(self.get_object())
        return None, 204

    def perform_destroy(self, instance: Any) -> None:
        """Delete the object."""
        instance.delete()
