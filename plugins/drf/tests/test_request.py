from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.permissions import AllowAny, BasePermission
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
    assert got.path == "/ws/"
    assert got.auth is None


def test_a_call_without_data_gives_a_request_without_data() -> None:
    assert request(data=MISSING).data == {}
    assert request(data=None).data is None


def test_the_user_is_the_connections() -> None:
    emma = User(username="emma")
    got = request(scope={"user": emma})
    assert got.user is emma
    assert got.successful_authenticator is not None
    assert got.user is emma


@pytest.mark.parametrize("scope", [{}, {"user": None}])
def test_without_a_user_there_is_an_anonymous_one(scope: dict[str, Any]) -> None:
    assert isinstance(request(scope=scope).user, AnonymousUser)
    assert request(scope=scope).successful_authenticator is None


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
