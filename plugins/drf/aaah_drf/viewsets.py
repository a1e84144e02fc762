"""Serves what a project has, as it is: viewsets, routers, and handlers with all six actions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connections, transaction
from django.http import Http404
from django.urls import URLPattern, re_path
from rest_framework.permissions import SAFE_METHODS
from rest_framework.routers import BaseRouter, SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from aaah_core import (
    ACTION_MARK,
    Action,
    AsyncActionHandler,
    AsyncAPIActionHandler,
    Call,
    ConfigurationError,
    ValidationError,
)
from aaah_drf.keys import matchable, require_key
from aaah_drf.request import request_of
from aaah_drf.responses import reply_of
from aaah_drf.routes import Offer, offers
from aaah_drf.views import served_class

__all__ = ["ViewSetHandler", "serve"]

_COLLECTION = ("list", "create")
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
        ConfigurationError: It is something else, or what it restricts in HTTP cannot be told: a
            router with a `get_urls` of its own, a viewset with an `as_view` of its own. Or a
            viewset has an async `perform_create` or the like, which nobody awaits.
    """
    if isinstance(served, BaseRouter):
        return list(_router_patterns(served)), None, None
    if inspect.isclass(served) and issubclass(served, ViewSetMixin) and issubclass(served, APIView):
        return list(_router_patterns(_alone(served))), None, None
    if inspect.isclass(served) and issubclass(served, AsyncActionHandler):
        return list(_handler_patterns(served)), None, None
    raise ConfigurationError(
        f"serve() takes a viewset class, a router or a handler class, and was given {served!r}."
    )


def _handler_patterns(handler_class: Any) -> Iterator[URLPattern]:
    name = getattr(handler_class, "lookup_url_kwarg", None)
    name = name or getattr(handler_class, "lookup_field", "pk")
    value = getattr(handler_class, "lookup_value_regex", None) or _ANY
    # What a parent captured by the same name is not the key of an object here.
    collection = _child(handler_class, {"route_has_key": False})
    yield re_path(r"^$", collection.as_aaah())
    attributes = {
        attribute: _not_offered(method)
        for attribute in dir(handler_class)
        if getattr(method := inspect.getattr_static(handler_class, attribute), ACTION_MARK, None)
        in _COLLECTION
    }
    yield re_path(rf"^(?P<{name}>{value})/$", _child(handler_class, attributes).as_aaah())


def _not_offered(action: Any) -> Any:
    """Return an action as a method that code may call, and no client."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return action(*args, **kwargs)

    return method


def _child(handler_class: Any, namespace: Mapping[str, Any]) -> Any:
    names = {name: getattr(handler_class, name) for name in ("__module__", "__qualname__")}
    doc = handler_class.__doc__
    return type(handler_class.__name__, (handler_class,), {**names, "__doc__": doc, **namespace})


def _router_patterns(router: Any) -> Iterator[URLPattern]:
    classes: dict[Any, Any] = {}
    for pattern, offered in offers(router):
        named = {
            name: _Endpoint(classes.setdefault(each.viewset, served_class(each.viewset)), each)
            for name, each in offered.items()
        }
        if "destroy" in named:
            named.setdefault("remove", named["destroy"])
        if named:
            handler_class = _handler_class(next(iter(offered.values())).viewset, named)
            yield URLPattern(pattern.pattern, handler_class.as_aaah())


def _handler_class(viewset: Any, endpoints: Mapping[str, _Endpoint]) -> Any:
    namespace = {
        "__module__": viewset.__module__,
        "__doc__": viewset.__doc__,
        "viewset_actions": {name: each.action(name) for name, each in endpoints.items()},
        "http_methods": {name: each.offer.methods for name, each in endpoints.items()},
    }
    return type(viewset.__name__, (ViewSetHandler,), namespace)


def _alone(viewset: Any) -> SimpleRouter:
    router = SimpleRouter()
    router.register("", viewset, _basename(viewset))
    return router


def _basename(viewset: Any) -> str:
    queryset = getattr(viewset, "queryset", None)
    named: Any = viewset.__name__ if queryset is None else queryset.model._meta.object_name
    return str(named).lower()


class ViewSetHandler(AsyncAPIActionHandler):
    """What stands at one route of a viewset; `serve` makes a child for each.

    It has no permissions of its own: the viewset asks its own, and the parents' are asked first.

    Attributes:
        viewset_actions: The actions here, by name.
        http_methods: The HTTP methods that they stand for.
    """

    permission_classes = ()
    viewset_actions: ClassVar[Mapping[str, Action]] = {}
    http_methods: ClassVar[Mapping[str, Iterable[str]]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class _Endpoint:
    """One action of a viewset."""

    view_class: Any
    offer: Offer

    def action(self, name: str) -> Action:
        method = getattr(self.view_class, self.offer.name)
        doc, _, _ = inspect.cleandoc(method.__doc__ or "").partition("\n\n")
        writes = any(each not in SAFE_METHODS for each in self.offer.methods)
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
        text, key = self._key(call)
        kwargs = {**handler.kwargs, **key}
        view = self.view_class(**self.offer.options)
        request = request_of(call)
        request.stand_at(f"{text}{self.offer.rest}")
        method = str(request.method).lower()
        view.aaah_handler, view.aaah_request = handler, request
        # What `as_view` of a viewset does, with the one method that this call stands for.
        view.action_map = {method: self.offer.name}
        setattr(view, method, getattr(view, self.offer.name))
        view.request, view.args, view.kwargs = request._request, handler.args, kwargs
        response = view.dispatch(request._request, *handler.args, **kwargs)
        return reply_of(response, view.aaah_raised)

    def _key(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Return the key of the object, as text and as the route captures it, where it came in the
        message: what a parent captured by the same name is the key of something else.
        """
        pattern = self.offer.key
        if pattern is None:
            return "", {}
        (name,) = pattern.regex.groupindex
        if name not in call.params:
            raise ValidationError("This parameter is required.", code="required", field=[name])
        value = call.params[name]
        require_key(value)
        # What no URL could have brought, no message may bring.
        if not (found := pattern.regex.fullmatch(matchable(value))):
            raise Http404
        try:
            converter = pattern.converters.get(name)
            key = converter.to_python(found[name]) if converter else found[name]
        except ValueError:
            raise Http404 from None
        return str(value), {name: key}
