"""`GenericAsyncAPIActionHandler`: what DRF's `GenericAPIView` is to HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.http import Http404
from rest_framework.settings import api_settings

from aaah_core import AsyncAPIActionHandler, ConfigurationError, ValidationError
from aaah_drf.request import CallRequest, request_of

__all__ = ["GenericAsyncAPIActionHandler"]


class _DefaultPermissions:
    """Stands for ``REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"]`` until a class says otherwise."""

    def __get__(self, instance: object, owner: type[Any]) -> Sequence[Any]:
        return cast(Sequence[Any], api_settings.DEFAULT_PERMISSION_CLASSES)


class GenericAsyncAPIActionHandler(AsyncAPIActionHandler):
    """A handler over a queryset and its serializer.

    Its methods are DRF's, and like them they are sync: call them from a sync action, or with
    `run_sync` from an async one.

    Attributes:
        queryset: What `get_queryset` begins with.
        serializer_class: What `get_serializer` makes.
        lookup_field: The field, or lookup, that `get_object` finds an object by.
        lookup_url_kwarg: What the route, or else the message, calls its value; `lookup_field`
            if None.
        permission_classes: ``REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"]`` if unset.
    """

    queryset: ClassVar[QuerySet[Any] | None] = None
    serializer_class: ClassVar[type[Any] | None] = None
    lookup_field: ClassVar[str] = "pk"
    lookup_url_kwarg: ClassVar[str | None] = None
    permission_classes: ClassVar[Sequence[Any]] = cast(Any, _DefaultPermissions())

    @property
    def request(self) -> CallRequest:
        """The running call as a DRF request."""
        return request_of(self.call)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the objects that this handler is about.

        Raises:
            ConfigurationError: The class has no `queryset`.
        """
        if self.queryset is None:
            raise ConfigurationError(
                f"{type(self).__qualname__} has no queryset: set it, or override get_queryset()."
            )
        return self.queryset.all()

    def get_object(self) -> Any:
        """Return the object that the call is about, once the checks let the call have it.

        Raises:
            Http404: There is none, or the value to look for is of a wrong type.
            PermissionDenied: A check refused.
            ValidationError: Neither the route nor the message says which object.
        """
        queryset = self.get_queryset()
        try:
            found = queryset.get(**{self.lookup_field: self._lookup_value()})
        except (queryset.model.DoesNotExist, TypeError, ValueError, DjangoValidationError):
            raise Http404 from None
        self.check_object_permissions(found)
        return found

    def _lookup_value(self) -> Any:
        name = self.lookup_url_kwarg or self.lookup_field
        if name in self.kwargs:
            return self.kwargs[name]
        if name not in self.call.params:
            raise ValidationError("This parameter is required.", code="required", field=[name])
        value = self.call.params[name]
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise Http404  # a field would make a key of it: int(True) is 1, and so is int(1.9)
        return value

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return a serializer for this call: the class's, with the class's context."""
        kwargs.setdefault("context", self.get_serializer_context())
        return self.get_serializer_class()(*args, **kwargs)

    def get_serializer_class(self) -> type[Any]:
        """Return the class of the serializer.

        Raises:
            ConfigurationError: The class has no `serializer_class`.
        """
        if self.serializer_class is None:
            raise ConfigurationError(
                f"{type(self).__qualname__} has no serializer_class: set it, or override "
                f"get_serializer_class()."
            )
        return self.serializer_class

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what serializers may look at: `request`, `view` (and `handler`), `scope`."""
        return {"request": self.request, "view": self, "handler": self, "scope": self.scope}
