"""The actions on models, each in a mixin for `GenericAsyncAPIActionHandler`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from asgiref.sync import async_to_sync
from rest_framework import status

from rest_framework_channels.decorators import async_action

__all__ = [
    "CreateModelMixin",
    "DestroyModelMixin",
    "ListModelMixin",
    "RetrieveModelMixin",
    "UpdateModelMixin",
]

#: A call without data is one with nothing in it, as a request without a body is.
_NO_DATA: Mapping[str, Any] = MappingProxyType({})


class CreateModelMixin:
    """The action `create`."""

    @async_action(atomic=True)
    def create(self: Any, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Create an object from `data` and answer it, with 201."""
        serializer = self.get_serializer(data=data)
        serializer.is_valid(raise_exception=True)
        self.perform_create(serializer)
        return serializer.data, status.HTTP_201_CREATED

    def perform_create(self, serializer: Any) -> None:
        """Save a new object."""
        serializer.save()


class ListModelMixin:
    """The action `list`."""

    @async_action()
    def list(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer every object, or a page of them."""
        queryset = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(queryset)
        if page is not None:
            return self.get_paginated_response(self.get_serializer(page, many=True).data)
        return self.get_serializer(queryset, many=True).data, status.HTTP_200_OK


class RetrieveModelMixin:
    """The action `retrieve`."""

    @async_action()
    def retrieve(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer an object."""
        instance = self.get_object(kwargs.get("action", "retrieve"))
        return self.get_serializer(instance).data, status.HTTP_200_OK


class UpdateModelMixin:
    """The actions `update` and `partial_update`."""

    @async_action(atomic=True)
    def update(self: Any, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Change an object to what `data` says, all of it required, and answer the object."""
        # Only code can say so: `kwargs` holds nothing that the client named.
        partial = kwargs.pop("partial", False) is True
        instance = self.get_object(kwargs.get("action", "update"))
        serializer = self.get_serializer(instance, data=data, partial=partial)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        if getattr(instance, "_prefetched_objects_cache", None):
            instance._prefetched_objects_cache = {}  # it is older than what was saved
        return serializer.data, status.HTTP_200_OK

    def perform_update(self, serializer: Any) -> None:
        """Save a changed object."""
        serializer.save()

    @async_action(atomic=True)
    def partial_update(self: Any, data: Any = _NO_DATA, *args: Any, **kwargs: Any) -> Any:
        """Change only the fields that `data` names, and answer the object."""
        return async_to_sync(self.update)(data, *args, **{**kwargs, "partial": True})


class DestroyModelMixin:
    """The action `destroy`, which clients may also call `remove`: a permission sees `destroy`."""

    @async_action(atomic=True)
    def destroy(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Delete an object and answer 204."""
        self.perform_destroy(self.get_object(kwargs.get("action", "destroy")))
        return None, status.HTTP_204_NO_CONTENT

    @async_action(atomic=True, under="destroy")
    def remove(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Delete an object and answer 204."""
        return async_to_sync(self.destroy)(*args, **kwargs)

    def perform_destroy(self, instance: Any) -> None:
        """Delete the object."""
        instance.delete()
