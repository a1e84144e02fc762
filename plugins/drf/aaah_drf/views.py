"""Children of a project's viewsets, which take a call for their request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.views import APIView

from aaah_core import AAAHError, conceal
from aaah_drf.conf import Default
from aaah_drf.exception_handler import DRFsAnswer, drfs_answer
from aaah_drf.overrides import require_sync
from aaah_drf.pages import let_links_be_routes, set_page_size
from aaah_drf.plain import require_plain
from aaah_drf.request import CallRequest, see_again
from aaah_drf.throttles import not_counted, with_own_rates

__all__ = ["served_class"]

_SETTINGS = {
    "permission_classes": "DEFAULT_PERMISSION_CLASSES",
    "throttle_classes": "DEFAULT_THROTTLE_CLASSES",
    "filter_backends": "DEFAULT_FILTER_BACKENDS",
    "pagination_class": "DEFAULT_PAGINATION_CLASS",
}


def served_class(viewset: Any) -> Any:
    """Return a child of a viewset that takes a call for its request.

    Raises:
        ConfigurationError: It has an async method that nobody awaits.
    """
    require_sync(viewset)
    # `_Passage` is an APIView, so it comes right before that, after all of the viewset's own.
    namespace = {"__module__": viewset.__module__, **dict(_defaults(viewset))}
    return type(viewset.__name__, (_Front, viewset, _Passage), namespace)


def _defaults(viewset: Any) -> Iterator[tuple[str, Any]]:
    """Give what the viewset has from DRF's views, which is for the settings to say."""
    for name, setting in _SETTINGS.items():
        owner = next((each for each in viewset.__mro__ if name in vars(each)), None)
        if owner in (APIView, GenericAPIView):
            yield name, Default(setting, vars(owner)[name])


class _Front:
    """What goes before anything of the viewset's."""

    # `as_view` sets these on a viewset's class, and nothing calls it here.
    name = description = suffix = detail = basename = None
    aaah_handler: Any
    aaah_request: CallRequest
    #: What DRF would answer to the exception that was last handled.
    aaah_answer: DRFsAnswer | None = None
    #: What its handler of exceptions answered to in its own way.
    aaah_raised: Exception | None = None
    request: Any
    throttle_classes: Any

    def check_object_permissions(self, request: Any, obj: Any) -> None:
        try:
            self.aaah_handler.check_object_permissions(obj)  # the parents' checks
            see_again(self.aaah_handler.call)
            super().check_object_permissions(request, obj)  # type: ignore[misc]  # the viewset's
        except Exception as error:
            if getattr(self, "conceal_objects", False):
                conceal(error, obj)
            raise

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, AAAHError):
            raise exc  # what AAAH refuses: a handler that answers for everything made it a 500
        response = super().handle_exception(exc)  # type: ignore[misc]  # the viewset's
        if self.aaah_answer is not None and self.aaah_answer.is_still(response):
            # To the handlers of exceptions, which know what a reply looks like.
            raise self.aaah_answer.error
        self.aaah_raised = exc
        return response

    def get_authenticate_header(self, request: Any) -> None:
        """Return None: no reply has a header to ask for credentials in, so nothing is a 401."""

    def get_permissions(self) -> Any:
        permissions = super().get_permissions()  # type: ignore[misc]  # the viewset's
        for each in permissions:
            require_plain(each, "has_permission", "has_object_permission")
        return permissions

    def get_throttles(self) -> Any:
        # Past a property of the viewset's, which stays what it is.
        vars(self)["throttle_classes"] = [with_own_rates(each) for each in self.throttle_classes]
        throttles = super().get_throttles()  # type: ignore[misc]  # the viewset's
        for each in throttles:
            require_plain(each, "allow_request")
        return not_counted(self.aaah_handler.call, throttles, self)

    def paginate_queryset(self, queryset: Any) -> Any:
        request = self.request
        if not isinstance(request, CallRequest):
            return super().paginate_queryset(queryset)  # type: ignore[misc]  # the viewset's
        paginator = getattr(self, "paginator", None)
        set_page_size(paginator)
        let_links_be_routes(paginator, self.aaah_handler.call.route)
        self.request = request.linking_routes()
        try:
            return super().paginate_queryset(queryset)  # type: ignore[misc]  # the viewset's
        finally:
            self.request = request


class _Passage(APIView):
    """What goes in the place of `APIView`'s own."""

    aaah_request: CallRequest
    aaah_answer: DRFsAnswer | None

    def handle_exception(self, exc: Exception) -> Any:
        # Before anyone changes what the exception holds; the viewset may ask about another one.
        self.aaah_answer = drfs_answer(exc)
        return super().handle_exception(exc)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self.aaah_request

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        # The codec is chosen. A viewset that asks is told that its client reads JSON.
        renderers = self.get_renderers()
        chosen = next((each for each in renderers if each.format == "json"), renderers[0])
        return chosen, chosen.media_type
