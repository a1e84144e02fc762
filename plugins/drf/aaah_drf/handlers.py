"""`GenericAsyncAPIActionHandler`: what DRF's `GenericAPIView` is to HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response

from aaah_core import ACTION_MARK, AsyncAPIActionHandler, ConfigurationError, ValidationError
from aaah_drf.conf import Default
from aaah_drf.keys import matchable, require_key
from aaah_drf.overrides import require_sync
from aaah_drf.pages import let_links_be_routes, set_page_size
from aaah_drf.request import CallRequest, request_of, see_again

__all__ = ["GenericAsyncAPIActionHandler"]

_PAGINATOR = "aaah_drf.paginator"
#: What views override, and nobody would ask here: what it guards would stand open.
_NOT_ASKED = {
    "get_permissions": "name them in permission_classes; a permission knows view.action",
    "check_permissions": "write a permission class",
    "permission_denied": "set `message` and `code` on the permission class",
    "get_throttles": "name them in throttle_classes; a throttle knows view.action",
    "check_throttles": "write a throttle class",
    "initial": "write a permission class, or a middleware (the hook aaah_middleware)",
}


class GenericAsyncAPIActionHandler(AsyncAPIActionHandler):
    """A handler over a queryset and its serializer.

    Its methods are DRF's, and like them they are sync: call them from a sync action, or with
    `run_sync` from an async one. What is left unset is what ``REST_FRAMEWORK`` says, and
    ``AAAH["PLUGIN_SETTINGS"]["drf"]`` before it.

    Attributes:
        queryset: What `get_queryset` begins with.
        serializer_class: What `get_serializer` makes.
        lookup_field: The field, or lookup, that `get_object` finds an object by.
        lookup_url_kwarg: What the route, or else the message, calls its value; `lookup_field`
            if None.
        lookup_value_regex: What that value must match whole, as text of 256 characters at most,
            where the message brings it; `serve` puts it into the route.
        permission_classes: All must pass.
        throttle_classes: All must pass, the rates of `throttle_scope` among them.
        filter_backends: What `filter_queryset` asks, in turn.
        pagination_class: What `paginate_queryset` makes; None for no pages.
        http_methods: The HTTP methods that custom actions stand for, by action; POST if not named.
    """

    queryset: ClassVar[QuerySet[Any] | None] = None
    serializer_class: ClassVar[type[Any] | None] = None
    lookup_field: ClassVar[str] = "pk"
    lookup_url_kwarg: ClassVar[str | None] = None
    lookup_value_regex: ClassVar[str | None] = None
    permission_classes: ClassVar[Sequence[Any]] = cast(Any, Default("DEFAULT_PERMISSION_CLASSES"))
    throttle_classes: ClassVar[Sequence[Any]] = cast(Any, Default("DEFAULT_THROTTLE_CLASSES"))
    filter_backends: ClassVar[Sequence[Any]] = cast(Any, Default("DEFAULT_FILTER_BACKENDS"))
    pagination_class: ClassVar[Any] = Default("DEFAULT_PAGINATION_CLASS")
    http_methods: ClassVar[Mapping[str, str | Sequence[str]]] = {}
    #: Some of DRF's classes look for it in a view.
    format_kwarg: ClassVar[str | None] = None
    #: Whether the route may capture the key of the object; `serve` denies it for a collection.
    route_has_key: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, instead in _NOT_ASKED.items():
            if hasattr(cls, name) and not hasattr(getattr(cls, name), ACTION_MARK):
                raise ConfigurationError(
                    f"{cls.__qualname__} has {name}(), and nobody calls it: {instead}."
                )
        require_sync(cls)

    @property
    def request(self) -> CallRequest:
        """The running call as a DRF request."""
        return request_of(self.call)

    def get_queryset(self) -> Any:
        """Return the objects that this handler is about.

        Raises:
            ConfigurationError: The class has no `queryset`.
        """
        if self.queryset is None:
            raise ConfigurationError(
                f"{type(self).__qualname__} has no queryset: set it, or override get_queryset()."
            )
        # Evaluated once, a queryset of the class would answer the same for ever.
        return self.queryset.all()

    def get_object(self) -> Any:
        """Return the object that the call is about, once the checks let the call have it.

        Raises:
            Http404: There is none, or the value to look for is of a wrong type.
            PermissionDenied: A check refused.
            ValidationError: Neither the route nor the message says which object.
        """
        queryset = self.filter_queryset(self.get_queryset())
        found = get_object_or_404(queryset, **{self.lookup_field: self._lookup_value()})
        self.check_object_permissions(found)
        return found

    def check_object_permissions(self, obj: Any) -> None:
        """Ask every check about an object; see `AsyncAPIActionHandler`.

        Raises:
            PermissionDenied: A check refused.
        """
        super().check_object_permissions(obj)
        see_again(self.call)

    def _lookup_value(self) -> Any:
        name = self.lookup_url_kwarg or self.lookup_field
        if self.route_has_key and name in self.kwargs:
            return self.kwargs[name]
        if name not in self.call.params:
            raise ValidationError("This parameter is required.", code="required", field=[name])
        value = self.call.params[name]
        require_key(value)
        # What the route could not bring, no message may bring.
        regex = self.lookup_value_regex
        if regex and not re.fullmatch(regex, matchable(value)):
            raise Http404
        return value

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return a serializer for this call: the class's, with the class's context."""
        serializer_class = self.get_serializer_class()
        kwargs.setdefault("context", self.get_serializer_context())
        return serializer_class(*args, **kwargs)

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
        """Return what serializers may look at: DRF's `request`, `view` and `format`, and `handler`
        and `scope`.
        """
        return {
            "request": self.request,
            "view": self,
            "format": self.format_kwarg,
            "handler": self,
            "scope": self.scope,
        }

    def filter_queryset(self, queryset: Any) -> Any:
        """Return a queryset as the filter backends leave it, by the query of the route."""
        for backend in self.filter_backends:
            queryset = backend().filter_queryset(self.request, queryset, self)
        return queryset

    @property
    def paginator(self) -> Any:
        """The paginator of this call, or None."""
        # The instance of a consumer outlives the call.
        if _PAGINATOR not in self.call.state:
            made = self.pagination_class and self.pagination_class()
            if made is not None:
                set_page_size(made)
            self.call.state[_PAGINATOR] = made
        return self.call.state[_PAGINATOR]

    def paginate_queryset(self, queryset: Any) -> Any:
        """Return the page that the query of the route asks for; None without pagination."""
        if self.paginator is None:
            return None
        let_links_be_routes(self.paginator, self.call.route or "")
        return self.paginator.paginate_queryset(queryset, self.request.linking_routes(), view=self)

    def get_paginated_response(self, data: Any) -> Response:
        """Return a page with its links, which are routes: a client sends them as they come."""
        response: Response = self.paginator.get_paginated_response(data)
        return response
