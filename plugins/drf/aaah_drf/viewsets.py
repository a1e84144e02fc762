"""Serves what a project has, as it is: viewsets, routers, and handlers with all six actions."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from django.db import connections, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.routers import BaseRouter, SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from aaah_core import (
    Action,
    AsyncActionHandler,
    AsyncAPIActionHandler,
    Call,
    ConfigurationError,
    Reply,
    ValidationError,
)
from aaah_drf.request import CallRequest, request_of

__all__ = ["ViewSetHandler", "serve"]

_COLLECTION = {"list": "GET", "create": "POST"}
_DETAIL = {"retrieve": "GET", "update": "PUT", "partial_update": "PATCH", "destroy": "DELETE"}
_ANY = "[^/.]+"
#: What `path` takes in the place of one view, as from `include`.
Included = tuple[list[URLPattern], None, None]


def serve(served: Any) -> Included:
    """Return what stands for a viewset, a router or a handler in `routepatterns`.

    ``path("books/", serve(BookViewSet))`` gives ``books/`` and ``books/<pk>/``, each with the
    actions that its HTTP methods stand for, and every `@action` by its name: there, and at the path
    it has in HTTP. The actions of one object can also be called at ``books/`` with its key in the
    message. A call makes a new instance of the viewset and passes through its `dispatch`: its own
    permissions, throttles, filters, pages and decorators apply, with the socket's user as the user.

    Args:
        served: A viewset class, a router of DRF's with viewsets, or a handler class.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(served, BaseRouter):
        return list(_router_patterns(served)), None, None
    if inspect.isclass(served) and issubclass(served, ViewSetMixin) and issubclass(served, APIView):
        return list(_viewset_patterns(served, _basename(served), SimpleRouter())), None, None
    if inspect.isclass(served) and issubclass(served, AsyncActionHandler):
        return list(_handler_patterns(served)), None, None
    raise ConfigurationError(
        f"serve() takes a viewset class, a router or a handler class, and was given {served!r}."
    )


def _handler_patterns(handler_class: Any) -> Iterator[URLPattern]:
    name = _lookup_name(handler_class)
    value = getattr(handler_class, "lookup_value_regex", _ANY)
    yield re_path(r"^$", handler_class.as_aaah())
    yield re_path(rf"^(?P<{name}>{value})/$", handler_class.as_aaah())


def _lookup_name(view_class: Any) -> str:
    name: str = getattr(view_class, "lookup_url_kwarg", None) or ""
    return name or str(getattr(view_class, "lookup_field", "pk"))


def _router_patterns(router: Any) -> Iterator[URLPattern]:
    for prefix, viewset, basename in router.registry:
        yield from _viewset_patterns(viewset, basename, router, prefix)


def _viewset_patterns(
    viewset: Any, basename: str | None, router: Any, prefix: str = ""
) -> Iterator[URLPattern]:
    end = router.trailing_slash
    base = f"{prefix}/" if prefix else ""
    own = f"{prefix}{end}" if prefix else ""
    # As a regex, whatever the router writes: its converters only say which text a key may be.
    lookup = SimpleRouter.get_lookup_regex(SimpleRouter(), viewset)
    collection = _endpoints(viewset, basename, _COLLECTION, detail=False)
    single = _endpoints(viewset, basename, _DETAIL, detail=True)
    extras = list(_extras(viewset, basename))
    for extra, url_path in extras:
        if "(" not in url_path:
            (single if extra.detail else collection)[extra.name] = extra
    yield _pattern(rf"^{own}$", viewset, {**single, **collection})
    for detail, start in ((False, base), (True, f"{base}{lookup}/")):
        if detail:
            yield _pattern(rf"^{base}{lookup}{end}$", viewset, single)
        for url_path in dict.fromkeys(path for extra, path in extras if extra.detail is detail):
            here = {e.name: e for e, path in extras if (e.detail, path) == (detail, url_path)}
            yield _pattern(rf"^{start}{url_path}{end}$", viewset, here)


def _pattern(regex: str, viewset: Any, endpoints: Mapping[str, _Endpoint]) -> Any:
    named = dict(endpoints)
    if "destroy" in named:
        named.setdefault("remove", named["destroy"])
    namespace = {
        "__module__": viewset.__module__,
        "__doc__": viewset.__doc__,
        "viewset_actions": {name: each.action(name) for name, each in named.items()},
        "http_methods": {name: each.methods for name, each in named.items()},
    }
    handler_class: Any = type(viewset.__name__, (ViewSetHandler,), namespace)
    return re_path(regex, handler_class.as_aaah())


def _endpoints(
    viewset: Any, basename: str | None, methods: Mapping[str, str], *, detail: bool
) -> dict[str, _Endpoint]:
    served = _served_class(viewset)
    options = {"basename": basename, "detail": detail, "suffix": "Instance" if detail else "List"}
    return {
        name: _Endpoint(served, name, (method,), options, detail)
        for name, method in methods.items()
        if hasattr(viewset, name) and method.lower() in viewset.http_method_names
    }


def _extras(viewset: Any, basename: str | None) -> Iterator[tuple[_Endpoint, str]]:
    """Give every `@action` with its path: each method it maps is an action by its own name."""
    served = _served_class(viewset)
    for method in viewset.get_extra_actions():
        by_name: dict[str, list[str]] = {}
        for http_method, name in method.mapping.items():
            if http_method in viewset.http_method_names:
                by_name.setdefault(name, []).append(http_method.upper())
        options = {"basename": basename, "detail": method.detail, **method.kwargs}
        for name, http_methods in by_name.items():
            endpoint = _Endpoint(served, name, tuple(http_methods), options, method.detail)
            yield endpoint, method.url_path


def _basename(viewset: Any) -> str | None:
    queryset = getattr(viewset, "queryset", None)
    return None if queryset is None else queryset.model._meta.object_name.lower()


class ViewSetHandler(AsyncAPIActionHandler):
    """What stands at one route of a viewset; `serve` makes a child for each.

    It has no permissions of its own: the viewset asks its own, and the parents' are asked first.

    Attributes:
        viewset_actions: The actions here, by name.
        http_methods: The HTTP methods that they stand for.
    """

    viewset_actions: ClassVar[Mapping[str, Action]] = {}
    http_methods: ClassVar[Mapping[str, Iterable[str]]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class _Endpoint:
    """One action of a viewset."""

    view_class: Any
    name: str
    methods: tuple[str, ...]
    options: Mapping[str, Any]
    detail: bool

    def action(self, name: str) -> Action:
        method = getattr(self.view_class, self.name)
        doc, _, _ = inspect.cleandoc(method.__doc__ or "").partition("\n\n")
        writes = any(each not in SAFE_METHODS for each in self.methods)
        return Action(name, self.run, " ".join(doc.split()), writes=writes, sync=True)

    def run(self, handler: Any, call: Call) -> Any:
        run = self._run
        # As Django does for a view.
        exempt = getattr(self.view_class.dispatch, "_non_atomic_requests", ())
        for alias, database in connections.settings.items():
            if database["ATOMIC_REQUESTS"] and alias not in exempt:
                run = transaction.atomic(using=alias)(run)
        return run(handler, call)

    def _run(self, handler: Any, call: Call) -> Any:
        kwargs = {**handler.kwargs, **self._lookup(handler, call)}
        view = self.view_class(**self.options)
        request = request_of(call)
        method = str(request.method).lower()
        view.aaah_handler, view.aaah_request = handler, request
        # What `as_view` of a viewset does, with the one method that this call stands for.
        view.action_map = {method: self.name}
        setattr(view, method, getattr(view, self.name))
        view.request, view.args, view.kwargs = request._request, handler.args, kwargs
        return _reply(view.dispatch(request._request, *handler.args, **kwargs))

    def _lookup(self, handler: Any, call: Call) -> dict[str, str]:
        """Return the key of the object, where it came in the message and not in the route."""
        if not self.detail:
            return {}
        name = _lookup_name(self.view_class)
        if name in handler.kwargs:
            return {}
        if name not in call.params:
            raise ValidationError("This parameter is required.", code="required", field=[name])
        value = call.params[name]
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise Http404
        # What no URL could have brought, no message may bring.
        if not re.fullmatch(getattr(self.view_class, "lookup_value_regex", _ANY), str(value)):
            raise Http404
        return {name: str(value)}


def _served_class(viewset: Any) -> Any:
    """Return a child of a viewset that takes a call for its request."""
    # `_Passage` is an APIView, so it comes right before that, after all of the viewset's own.
    return type(viewset.__name__, (_Front, viewset, _Passage), {"__module__": viewset.__module__})


class _Front:
    """What goes before anything of the viewset's."""

    # `as_view` sets these on a viewset's class, and nothing calls it here.
    name = description = suffix = detail = basename = None
    aaah_handler: Any
    aaah_request: CallRequest
    request: Any

    def check_object_permissions(self, request: Any, obj: Any) -> None:
        self.aaah_handler.check_object_permissions(obj)  # the parents' checks
        super().check_object_permissions(request, obj)  # type: ignore[misc]  # the viewset's

    def paginate_queryset(self, queryset: Any) -> Any:
        request = self.request
        if not isinstance(request, CallRequest):
            return super().paginate_queryset(queryset)  # type: ignore[misc]  # the viewset's
        self.request = request.linking_routes()
        try:
            return super().paginate_queryset(queryset)  # type: ignore[misc]  # the viewset's
        finally:
            self.request = request


class _Passage(APIView):
    """What goes in the place of `APIView`'s own."""

    aaah_request: CallRequest

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self.aaah_request

    def handle_exception(self, exc: Exception) -> NoReturn:
        raise exc  # to the handlers of exceptions, which know what a reply looks like

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        # The codec is chosen. A viewset that asks is told that its client reads JSON.
        renderers = self.get_renderers()
        chosen = next((each for each in renderers if each.format == "json"), renderers[0])
        return chosen, chosen.media_type


def _reply(response: Any) -> Any:
    if isinstance(response, Response):
        return Reply(_evaluated(response.data), response.status_code)
    if not isinstance(response, HttpResponseBase):
        raise TypeError(f"a viewset returned {type(response).__name__} and no response")
    return _plain_reply(response)


def _evaluated(data: Any) -> Any:
    """Read what would ask the database while it is encoded, which no event loop may."""
    if isinstance(data, QuerySet):
        return [*data]
    if type(data) is dict:
        return {key: _evaluated(value) for key, value in data.items()}
    if type(data) is list:
        return [_evaluated(value) for value in data]
    return data


def _plain_reply(response: Any) -> Reply:
    """Return the reply for a response of Django's own, as decorators and `JsonResponse` give."""
    status: int = response.status_code
    if getattr(response, "streaming", False):
        raise TypeError("a viewset returned a stream, which no reply carries")
    text = response.content.decode(response.charset)
    if status >= 400:
        return Reply(status=status, errors=[{"code": "error", "detail": response.reason_phrase}])
    if "Location" in response:
        return Reply({"location": response["Location"]}, status)
    if response.get("Content-Type", "").partition(";")[0] == "application/json":
        return Reply(json.loads(text), status)
    return Reply(text or None, status)
