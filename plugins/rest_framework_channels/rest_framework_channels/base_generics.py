"""`GenericAsyncAPIActionHandler`: a queryset and its serializer."""

from __future__ import annotations

from typing import Any, ClassVar

from asgiref.sync import async_to_sync
from django.db.models import QuerySet
from rest_framework.generics import get_object_or_404

from aaah_core import Call
from aaah_drf.request import CallRequest, request_of
from rest_framework_channels.base_handlers import AsyncAPIActionHandler
from rest_framework_channels.settings import api_settings

__all__ = ["GenericAsyncAPIActionHandler"]


class _FromSettings:
    """Stands for a setting until a class says otherwise."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, instance: object, owner: type[Any]) -> Any:
        return getattr(api_settings, self.key)


class _RouteRequest(CallRequest):
    """A request whose links are routes."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._route = call.route or ""

    def build_absolute_uri(self, location: str | None = None) -> str:
        return self._route if location is None else location


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
    filter_backends: ClassVar[Any] = _FromSettings("DEFAULT_FILTER_BACKENDS")
    pagination_class: ClassVar[Any] = _FromSettings("DEFAULT_PAGINATION_CLASS")

    def __class_getitem__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the class itself, for annotations."""
        return cls

    @property
    def request(self) -> CallRequest:
        """The running call as a DRF request."""
        return request_of(self.call)

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

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return a serializer for this call: the class's, with the class's context."""
        kwargs.setdefault("context", self.get_serializer_context())
        return self.get_serializer_class()(*args, **kwargs)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what serializers may look at: `scope`, `handler` (and `view`), `request`."""
        return {"scope": self.scope, "handler": self, "view": self, "request": self.request}

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

    def filter_queryset(self, queryset: Any) -> Any:
        """Return what the filters leave of a queryset."""
        for backend in self.filter_backends:
            queryset = backend().filter_queryset(self.request, queryset, self)
        return queryset

    @property
    def paginator(self) -> Any:
        """The paginator of this call, or None."""
        if not hasattr(self, "_paginator"):
            self._paginator = self.pagination_class() if self.pagination_class else None
        return self._paginator

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return a page of a queryset, or None without pagination."""
        if self.paginator is None:
            return None
        return self.paginator.paginate_queryset(queryset, _RouteRequest(self.call), view=self)

    def get_paginated_response(self, data: Any) -> Any:
        """Return a page as data and status; its links are routes."""
        response = self.paginator.get_paginated_response(data)
        return response.data, response.status_code
