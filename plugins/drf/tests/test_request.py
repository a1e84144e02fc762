from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import DisallowedHost
from django.utils.functional import SimpleLazyObject
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticatedOrReadOnly
from rest_framework.request import Request

from aaah_async_action.decorators import async_action
from aaah_core import MISSING, Call
from aaah_core.testing import connect
from aaah_drf import request as module
from aaah_drf.consumers import GenericAsyncAPIConsumer
from aaah_drf.request import request_of


def request(action: str = "run", *, scope: dict[str, Any] | None = None, **fields: Any) -> Any:
    call = Call(action, **fields)
    call.scope = {"type": "websocket", "path": "/ws/", "headers": [], **(scope or {})}
    return request_of(call)


@pytest.mark.parametrize(
    ("action", "method"),
    [
        ("retrieve", "GET"),
        ("list", "GET"),
        ("create", "POST"),
        ("update", "PUT"),
        ("partial_update", "PATCH"),
        ("remove", "DELETE"),
        ("destroy", "DELETE"),
        ("anything_else", "POST"),
    ],
)
def test_the_method_is_the_one_that_the_action_stands_for(action: str, method: str) -> None:
    assert request(action).method == method


def test_a_request_has_what_the_call_brought() -> None:
    got = request(route="books/?page=2&tag=a&tag=b%20c", data={"title": "Emma"})
    assert isinstance(got, Request)
    assert got.data == {"title": "Emma"}
    assert got.query_params.dict() == {"page": "2", "tag": "b c"}
    assert got.query_params.getlist("tag") == ["a", "b c"]
    assert got.path == "/ws/books/"
    assert request().path == "/ws/"
    assert got.auth is None


def test_a_call_without_data_gives_a_request_without_data() -> None:
    assert request(data=MISSING).data == {}
    assert request(data=None).data is None


def test_a_request_has_what_a_view_would_have_set() -> None:
    got = request()
    assert (got.version, got.versioning_scheme) == (None, None)
    assert got.accepted_renderer.format == "json"
    assert got.accepted_media_type == "application/json"


def test_the_user_is_the_connections() -> None:
    emma = User(username="emma")
    got = request(scope={"user": emma, "auth": "a token"})
    assert got.user is emma
    assert got._request.user is emma
    assert got.auth == "a token"
    assert got.successful_authenticator is not None
    assert got.user is emma


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"user": None},
        {"user": AnonymousUser()},
        {"user": AnonymousUser(), "auth": "x"},
        {"user": AnonymousUser},
        {"user": User},
        {"user": SimpleLazyObject(AnonymousUser)},
        {"user": object()},
        {"user": "emma"},
        {"user": SimpleNamespace(is_authenticated=lambda: False)},
        {"user": SimpleNamespace(is_authenticated="no")},
        {"user": User(is_active=False)},
        {"user": SimpleLazyObject(lambda: User(is_active=False))},
    ],
)
def test_without_a_user_there_is_an_anonymous_one(scope: dict[str, Any]) -> None:
    assert isinstance(request(scope=scope).user, AnonymousUser)
    assert isinstance(request(scope=scope)._request.user, AnonymousUser)
    assert request(scope=scope).successful_authenticator is None
    assert request(scope=scope).auth is None


def test_the_headers_are_those_of_the_handshake_and_none_with_underscores() -> None:
    headers = [
        (b"host", b"example.org"),
        (b"x-user", b"emma"),
        (b"x_user", b"mallory"),
        (b"content-type", b"text/plain"),
        (b"cookie", b"a=1"),
    ]
    got = request(scope={"headers": headers, "client": ["10.0.0.1", 5], "scheme": "wss"})
    assert got.headers["X-User"] == "emma"
    assert got.META["HTTP_X_USER"] == "emma"
    assert got.META["CONTENT_TYPE"] == "text/plain"
    assert got.META["REMOTE_ADDR"] == "10.0.0.1"
    assert got.COOKIES == {"a": "1"}
    assert got.build_absolute_uri("/books/5/") == "https://example.org/books/5/"


@pytest.mark.parametrize(
    "name", [b"x_user", b"http_x_user", b"http-x-user", b"X_USER", b"x-user_", b"remote-user"]
)
def test_no_other_name_of_a_header_passes_for_one_that_a_proxy_sets(name: bytes) -> None:
    got = request(scope={"headers": [(name, b"mallory")]})
    assert got.META.get("HTTP_X_USER") is None
    assert got.META.get("REMOTE_USER") is None
    assert got.headers.get("X-User") is None


def test_the_bytes_of_a_header_survive_though_they_are_no_utf_8() -> None:
    got = request(scope={"headers": [(b"x-name", b"caf\xe9 \xff")]})
    assert got.META["HTTP_X_NAME"].encode("latin-1") == b"caf\xe9 \xff"


def test_the_headers_of_a_handshake_say_nothing_of_the_data() -> None:
    headers = [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", b"7")]
    got = request(scope={"headers": headers}, data={"title": "Emma"})
    assert got.data == {"title": "Emma"}
    assert not got.FILES


@pytest.mark.parametrize(
    ("scope", "uri"),
    [
        ({}, "http://localhost/books/"),
        ({"scheme": "wss"}, "https://localhost/books/"),
        ({"server": ["127.0.0.1", 8000]}, "http://127.0.0.1:8000/books/"),
        ({"headers": [(b"host", b"localhost:8000")]}, "http://localhost:8000/books/"),
        ({"scheme": "wss", "headers": [(b"host", b"a.localhost")]}, "https://a.localhost/books/"),
    ],
)
def test_an_absolute_uri_needs_no_allowed_hosts_while_debugging(
    scope: dict[str, Any], uri: str, settings: Any
) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []
    assert request(scope=scope).build_absolute_uri("/books/") == uri


def test_an_absolute_uri_without_a_location_is_the_sockets_and_the_route() -> None:
    got = request(route="books/?page=2").build_absolute_uri()
    assert got == "http://localhost/ws/books/?page=2"


def test_a_host_that_is_not_allowed_is_refused_as_over_http(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.org"]
    with pytest.raises(DisallowedHost):
        request(scope={"headers": [(b"host", b"evil.example")]}).build_absolute_uri("/")


class Custom(GenericAsyncAPIConsumer):
    http_methods = {"report": "get", "both": ("GET", "POST")}
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @async_action
    def report(self) -> str:
        return str(self.request.method)

    @async_action
    def both(self) -> str:
        return str(self.request.method)

    @async_action
    def other(self) -> str:
        return str(self.request.method)


async def test_a_custom_action_says_which_method_it_stands_for() -> None:
    async with connect(Custom.as_asgi()) as client:
        assert (await client.call("report"))["data"] == "GET"
        assert (await client.call("both"))["data"] == "GET"
        assert (await client.call("both", data={}))["status"] == 403
        assert (await client.call("other"))["status"] == 403
    async with connect(Custom.as_asgi(), user=User(username="emma")) as client:
        assert (await client.call("both", data={}))["data"] == "POST"
        assert (await client.call("other"))["data"] == "POST"


async def test_what_parsers_are_told_of_the_view_is_of_the_running_handler() -> None:
    class Consumer(GenericAsyncAPIConsumer):
        @async_action
        def run(self) -> bool:
            context = self.request.parser_context
            return context["view"] is self and context["kwargs"] == self.kwargs

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("run"))["data"] is True


def test_the_session_is_the_connections() -> None:
    session = {"basket": 1}
    assert request(scope={"session": session}).session is session
    assert not hasattr(request(), "session")


class Remember(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        view.call.state["seen"] = request
        return True


class Asked(GenericAsyncAPIConsumer):
    permission_classes = (Remember,)

    @async_action
    async def run(self) -> bool:
        return self.request is self.request is self.call.state["seen"]


class NeverAsked(GenericAsyncAPIConsumer):
    permission_classes = (AllowAny,)

    @async_action
    async def run(self) -> bool:
        return True


@pytest.mark.parametrize(("consumer_class", "built"), [(Asked, 1), (NeverAsked, 0)])
async def test_a_call_has_one_request_and_only_if_somebody_asks(
    consumer_class: type[GenericAsyncAPIConsumer], built: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Counted(module.CallRequest):
        def __init__(self, call: Call) -> None:
            made.append(call)
            super().__init__(call)

    monkeypatch.setattr(module, "CallRequest", Counted)
    async with connect(consumer_class.as_asgi()) as client:
        assert (await client.call("run"))["data"] is True
    assert len(made) == built
