"""A DRF request that stands for a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.utils.datastructures import MultiValueDict
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

from aaah_core import MISSING, Call
from aaah_drf.pages import route_for_links

__all__ = ["CallRequest", "let_have_request", "request_of", "see_again"]

#: What each action of the generic handlers is in HTTP; any other is a POST unless its handler's
#: `http_methods` says otherwise.
METHODS: Mapping[str, str] = {
    "retrieve": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "partial_update": "PATCH",
    "remove": "DELETE",
    "destroy": "DELETE",
}
_SCHEMES = {"ws": "http", "wss": "https"}
_KEY = "aaah_drf.request"
_JSON = JSONRenderer()


def request_of(call: Call) -> CallRequest:
    """Return the request of a call, made when somebody first asks for it.

    What it says of the view is of the handler that asks: while a parent's checks run, that parent.
    """
    request: CallRequest | None = call.state.get(_KEY)
    if request is None:
        request = call.state[_KEY] = CallRequest(call)
    request.seen_by(call.handler)
    return request


def see_again(call: Call) -> None:
    """Let the request of a call, if there is one, have the method that it has to the handler that
    runs, and not to a parent that was asked.
    """
    if _KEY in call.state:
        request_of(call)


def let_have_request(handler_class: Any) -> None:
    """Let permissions and throttles read `view.request` of any handler, as of a view.

    An instance's own attribute wins, and so does whatever the class has under that name.
    """
    if not hasattr(handler_class, "request"):
        handler_class.request = _RequestOfCall()


class _RequestOfCall:
    def __get__(self, handler: Any, handler_class: type[Any]) -> Any:
        return self if handler is None else request_of(handler.call)


class CallRequest(Request):
    """A call, as DRF's permissions and serializers know requests.

    The method is the one that the action stands for, or POST; `data` is the call's data,
    `query_params` the query of its route, `user` the connection's, the headers are those of the
    handshake, and the path is the socket's followed by the route.
    """

    def __init__(self, call: Call) -> None:
        authenticators = [_ConnectionAuthentication(call)]
        super().__init__(_http_request(call), authenticators=authenticators)
        self._call = call
        self._links_are_routes = False
        # What a view sets on its request. The codec is chosen; who asks is told of JSON.
        self.version = self.versioning_scheme = None
        self.accepted_renderer, self.accepted_media_type = _JSON, _JSON.media_type
        # No parser: the codec has read the data, and the headers of a handshake describe no body.
        self._data = self._full_data = {} if call.data is MISSING else call.data
        self._files: MultiValueDict[str, Any] = MultiValueDict()

    def seen_by(self, handler: Any) -> None:
        """Let the method, and what parsers are told of the view, be those of a handler."""
        self._request.method = self._request.META["REQUEST_METHOD"] = _method(self._call, handler)
        args, kwargs = getattr(handler, "args", ()), getattr(handler, "kwargs", {})
        self.parser_context.update(view=handler, args=args, kwargs=kwargs)

    def stand_at(self, rest: str) -> None:
        """Let the path go on: caches tell what was asked for by the path of a request."""
        if rest:
            for name in ("path", "path_info"):
                before = getattr(self._request, name).removesuffix("/")
                setattr(self._request, name, f"{before}/{rest}")

    def build_absolute_uri(self, location: str | None = None) -> str:
        """Return the absolute URI of a location, or of the socket, as clients reach this server."""
        if location is None and self._links_are_routes:
            return route_for_links(self._call.route or "")
        return self._request.build_absolute_uri(location)

    def linking_routes(self) -> CallRequest:
        """Return this request for a paginator: it makes its links of the call's own route."""
        linking = copy(self)
        linking._links_are_routes = True
        return linking


class _ConnectionAuthentication(BaseAuthentication):
    """Who connected is who asks."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        if not _is_authenticated(self._call.user):
            return None
        return self._call.user, self._call.scope.get("auth")


def _is_authenticated(user: Any) -> bool:
    # Nothing but True will do: of the class AnonymousUser the attribute is a property, and true.
    # Who was locked out is nobody, as to all authenticators of DRF's.
    return getattr(user, "is_authenticated", False) is True and bool(
        getattr(user, "is_active", True)
    )


def _method(call: Call, handler: Any) -> str:
    action = call.action or ""
    said: str | Sequence[str] = getattr(handler, "http_methods", {}).get(action) or METHODS.get(
        action, "POST"
    )
    if isinstance(said, str):
        return said.upper()
    # One action for several methods: a call that brings data is not one that only reads.
    writing = [each for each in said if each.upper() not in SAFE_METHODS]
    return (writing[0] if writing and call.data is not MISSING else said[0]).upper()


def _http_request(call: Call) -> ASGIRequest:
    scope = call.scope
    scheme = _SCHEMES.get(scope.get("scheme", "ws"), "http")
    # Django would read `x_user` as `x-user`, which a proxy may be trusted to set.
    headers = [(name, value) for name, value in scope.get("headers", ()) if b"_" not in name]
    route, _, query = (call.route or "").partition("?")
    request = ASGIRequest(
        {
            **scope,
            # Caches, logs and links tell requests apart by their path.
            "path": f"{scope['path'].removesuffix('/')}/{route}",
            "method": "POST",
            "scheme": scheme,
            "query_string": query,
            "headers": headers,
            # What a test's client has, which connected to no server.
            "server": scope.get("server") or ("localhost", 443 if scheme == "https" else 80),
        },
        BytesIO(),
    )
    # Where the app of Django's users is not installed, neither is an AnonymousUser to import.
    nobody: Any = api_settings.UNAUTHENTICATED_USER
    request.user = call.user if _is_authenticated(call.user) else nobody and nobody()
    if "session" in scope:
        request.session = scope["session"]
    return request
