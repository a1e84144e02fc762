"""A DRF request that stands for a call."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from aaah_core import MISSING, Call

__all__ = ["CallRequest", "request_of"]

_METHODS = {
    "retrieve": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "partial_update": "PATCH",
    "remove": "DELETE",
}
_SCHEMES = {"ws": "http", "wss": "https"}
_KEY = "aaah_drf.request"


def request_of(call: Call) -> CallRequest:
    """Return the request of a call, made when somebody first asks for it."""
    request: CallRequest | None = call.state.get(_KEY)
    if request is None:
        request = call.state[_KEY] = CallRequest(call)
    return request


class CallRequest(Request):
    """A call, as DRF's permissions and serializers know requests.

    The method is the one that the action stands for, or POST; `data` is the call's data,
    `query_params` the query of its route, `user` the connection's, and the headers are those of the
    handshake.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(_http_request(call), authenticators=[_ConnectionAuthentication(call)])
        self._call_data = {} if call.data is MISSING else call.data

    @property
    def data(self) -> Any:
        """The call's data; an empty dict if it brought none."""
        return self._call_data


class _ConnectionAuthentication(BaseAuthentication):
    """Who connected is who asks."""

    def __init__(self, call: Call) -> None:
        self._user = call.user

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        return None if self._user is None else (self._user, None)


def _http_request(call: Call) -> ASGIRequest:
    scope = call.scope
    # Django would read `x_user` as `x-user`, which a proxy may be trusted to set.
    headers = [(name, value) for name, value in scope.get("headers", ()) if b"_" not in name]
    request = ASGIRequest(
        {
            **scope,
            "method": _METHODS.get(call.action or "", "POST"),
            "scheme": _SCHEMES.get(scope.get("scheme", "ws"), "http"),
            "query_string": (call.route or "").partition("?")[2].encode(),
            "headers": headers,
        },
        BytesIO(),
    )
    if "session" in scope:
        request.session = scope["session"]
    return request
