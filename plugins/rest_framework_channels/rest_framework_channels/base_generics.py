"""`GenericAsyncAPIActionHandler`: a queryset and its serializer."""

from __future__ import annotations

from typing import Any, ClassVar

from asgiref.sync import async_to_sync
from django.db.models import QuerySet
from rest_framework.generics import get_object_or_404

import aaah_drf.handlers
from rest_framework_channels.base_handlers import AsyncAPIActionHandler
from rest_framework_channels.settings import FromSettings

__all__ = ["GenericAsyncAPIActionHandler"]

#: What is the same there. These classes are none of those, which ask their permissions otherwise.
_PAGINATOR = "rest_framework_channels.paginator"
_drf: Any = aaah_drf.handlers.GenericAsyncAPIActionHandler


class GenericAsyncAPIActionHandler(AsyncAPIActionHandler):
    """A handler over a queryset and its serializer.

    Attributes:
        queryset: What `get_queryset` begins with.
        serializer_class: What `get_serializer` makes.
        lookup_field: The field that `get_object` finds an object by.
        lookup_url_kwarg: What the route calls its value; `lookup_field` if None.
        filter_backends: DRF's; ``DEFAULT_FILTER_BACKENDS`` of the settings if unset.
        pagination_class: DRF's, or None; ``DEFAULT_PAGINATION_CLASS`` of the settings if unset.
    """

    queryset: ClassVar[Any] = None
    serializer_class: ClassVar[Any] = None
    lookup_field: ClassVar[str] = "pk"
    lookup_url_kwarg: ClassVar[str | None] = None
    filter_backends: ClassVar[Any] = FromSettings("DEFAULT_FILTER_BACKENDS")
    pagination_class: ClassVar[Any] = FromSettings("DEFAULT_PAGINATION_CLASS")

    def __class_getitem__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the class itself, for annotations."""
        return cls

    request = _drf.request
    get_serializer = _drf.get_serializer
    get_serializer_context = _drf.get_serializer_context
    filter_queryset = _drf.filter_queryset
    paginate_queryset = _drf.paginate_queryset
    #: What the context of a serializer has as its `format`.
    format_kwarg = _drf.format_kwarg

    def get_queryset(self) -> Any:
        """Return the objects that this handler is about.

        Raises:
            AssertionError: The class has no `queryset`.
        """
        if self.queryset is None:
            raise AssertionError(
                f"'{type(self).__name__}' should either include a `queryset` attribute, or "
                f"override the `get_queryset()` method."
            )
        # A copy: a queryset keeps what it has read.
        return self.queryset.all() if isinstance(self.queryset, QuerySet) else self.queryset

    def get_object(self, action: str | None = None) -> Any:
        """Return the object that the call is about, once the permissions let the action have it.

        Raises:
            AssertionError: No route captures what to look for.
            Http404: There is none.
            PermissionDenied: A permission refused.
        """
        queryset = self.filter_queryset(self.get_queryset())
        name = self.lookup_url_kwarg or self.lookup_field
        if name not in self.kwargs:
            raise AssertionError(
                f"Expected aaah {type(self).__name__} to be called with a URL keyword argument "
                f'named "{name}". Fix your routepettern, or set the `.lookup_field` attribute on '
                f"the aaah correctly."
            )
        obj = get_object_or_404(queryset, **{self.lookup_field: self.kwargs[name]})
        async_to_sync(self.check_object_permissions)(action or self.call.action or "", obj)
        return obj

    def get_serializer_class(self) -> Any:
        """Return the class of the serializer.

        Raises:
            AssertionError: The class has no `serializer_class`.
        """
        if self.serializer_class is None:
            raise AssertionError(
                f"'{type(self).__name__}' should either include a `serializer_class` attribute, or "
                f"override the `get_serializer_class()` method."
            )
        return self.serializer_class

    @property
    def paginator(self) -> Any:
        """The paginator of this call, or None."""
        # The instance of a consumer outlives the call.
        if _PAGINATOR not in self.call.state:
            made = self.pagination_class() if self.pagination_class else None
            self.call.state[_PAGINATOR] = made
        return self.call.state[_PAGINATOR]

    def get_paginated_response(self, data: Any) -> Any:
        """Return a page as data and status; its links are routes."""
        response = self.paginator.get_paginated_response(data)
        return response.data, response.status_code
