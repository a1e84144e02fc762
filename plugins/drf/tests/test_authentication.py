from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.urls import path
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import Refused, connect
from aaah_drf.authentication import AuthenticationMiddleware
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.request import request_of
from aaah_drf.viewsets import serve


class KeyAuthentication(BaseAuthentication):
    """Keys in a header, as `rest_framework.authtoken` has them in a table."""

    keys: dict[str, User] = {}
    error: Exception | None = None
    asked = 0

    def authenticate(self, request: Any) -> tuple[User, str] | None:
        KeyAuthentication.asked += 1
        if KeyAuthentication.error is not None:
            raise KeyAuthentication.error
        kind, _, key = get_authorization_header(request).decode().partition(" ")
        if kind != "Key":
            return None
        if key not in self.keys:
            raise AuthenticationFailed(f"There is no key {key}.")
        return self.keys[key], f"auth of {self.keys[key].username}"


class Chat(AsyncAPIConsumer):
    @async_action
    async def who(self) -> dict[str, Any]:
        request = request_of(self.call)
        return {"user": self.user.username, "auth": request.auth, "as": request.user.username}


def app(*classes: type[Any]) -> Any:
    return AuthenticationMiddleware(Chat.as_asgi(), classes)


def key(text: str) -> dict[str, str]:
    return {"Authorization": f"Key {text}"}


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(KeyAuthentication, "keys", {})
    monkeypatch.setattr(KeyAuthentication, "error", None)
    monkeypatch.setattr(KeyAuthentication, "asked", 0)
    before = channel_layers["default"]
    channel_layers.set("default", InMemoryChannelLayer())
    yield
    channel_layers.set("default", before)


@pytest.fixture
def emma(transactional_db: None) -> User:
    return User.objects.create_user("emma", password="secret")


async def test_a_class_says_who_it_is_and_requests_have_what_it_calls_auth(emma: User) -> None:
    KeyAuthentication.keys["k"] = emma
    async with connect(app(KeyAuthentication), headers=key("k")) as client:
        data = (await client.call("who"))["data"]
        assert data == {"user": "emma", "auth": "auth of emma", "as": "emma"}
    async with connect(app(KeyAuthentication)) as client:
        assert (await client.call("who"))["data"]["user"] == ""


async def test_the_list_is_the_law_and_the_first_that_knows_a_user_wins(emma: User) -> None:
    KeyAuthentication.keys["k"] = User(username="bert")
    async with connect(app(KeyAuthentication), user=emma) as client:
        assert (await client.call("who"))["data"]["user"] == ""
    for classes, user in (
        ((SessionAuthentication, KeyAuthentication), "emma"),
        ((KeyAuthentication, SessionAuthentication), "bert"),
    ):
        async with connect(app(*classes), user=emma, headers=key("k")) as client:
            assert (await client.call("who"))["data"]["user"] == user


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationFailed(),
        NotAuthenticated(),
        PermissionDenied(),
        Throttled(wait=5),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_who_is_refused_is_refused_before_accept_and_without_a_traceback(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    KeyAuthentication.error = error
    with pytest.raises(Refused) as refused:
        async with connect(app(KeyAuthentication), headers=key("a secret")):
            pass
    assert refused.value.code == 4401
    assert not [record for record in caplog.records if record.exc_info]
    assert "a secret" not in caplog.text


async def test_what_a_class_says_of_a_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Refused):
        async with connect(app(KeyAuthentication), headers=key("secret-key")):
            pass
    assert "A handshake is refused: AuthenticationFailed" in caplog.text
    assert "secret-key" not in caplog.text


async def test_a_class_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    KeyAuthentication.error = RuntimeError("a bug with secret-key")
    with pytest.raises(Refused) as refused:
        async with connect(app(KeyAuthentication), headers=key("secret-key")):
            pass
    assert refused.value.code == 4503
    assert "an authentication class failed" in caplog.text
    assert "a bug with [removed]" in caplog.text
    assert "secret-key" not in caplog.text


async def test_a_password_is_asked_for_once_and_lets_in(emma: User) -> None:
    for password, let_in in (("secret", True), ("wrong", False)):
        pair = base64.b64encode(f"emma:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        if let_in:
            async with connect(app(BasicAuthentication), headers=headers) as client:
                assert (await client.call("who"))["data"]["user"] == "emma"
        else:
            with pytest.raises(Refused):
                async with connect(app(BasicAuthentication), headers=headers):
                    pass


async def test_a_user_of_a_session_needs_no_csrf_token_as_the_origin_is_asked_instead(
    emma: User,
) -> None:
    async with connect(app(SessionAuthentication), user=emma) as client:
        assert (await client.call("who"))["data"]["user"] == "emma"
    for nobody in (AnonymousUser(), User(username="out", is_active=False)):
        async with connect(app(SessionAuthentication), user=nobody) as client:
            assert (await client.call("who"))["data"]["user"] == ""


async def test_without_classes_those_of_the_settings_are_asked(emma: User, settings: Any) -> None:
    for name, user in (("Session", "emma"), ("Basic", "")):
        classes = [f"rest_framework.authentication.{name}Authentication"]
        settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": classes}
        application = AuthenticationMiddleware(Chat.as_asgi())
        async with connect(application, user=emma) as client:
            assert (await client.call("who"))["data"]["user"] == user


async def test_a_header_with_an_underscore_is_not_the_one_with_a_dash(emma: User) -> None:
    class ByProxy(BaseAuthentication):
        def authenticate(self, request: Any) -> tuple[User, None] | None:
            name = request.META.get("HTTP_X_USER")
            return (User(username=name), None) if name else None

    for header, user in (("X-User", "emma"), ("X_User", "")):
        async with connect(app(ByProxy), headers={header: "emma"}) as client:
            assert (await client.call("who"))["data"]["user"] == user


async def code_of_end(client: Any) -> int:
    with pytest.raises(Refused) as refused:
        await client.receive()
    return refused.value.code


@pytest.mark.parametrize("becomes", ["refused", "another", "nobody"])
async def test_who_is_somebody_else_by_the_next_look_is_closed_and_others_stay(
    becomes: str, emma: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AAAH = {"IDENTITY_INTERVAL": 0.05}
    KeyAuthentication.keys |= {"k": emma, "other": emma}
    async with (
        connect(app(KeyAuthentication), headers=key("k")) as client,
        connect(app(KeyAuthentication), headers=key("other")) as other,
    ):
        assert (await client.call("who"))["data"]["user"] == "emma"
        assert (await other.call("who"))["data"]["user"] == "emma"
        if becomes == "refused":
            del KeyAuthentication.keys["k"]
        elif becomes == "another":
            KeyAuthentication.keys["k"] = User(username="bert", pk=emma.pk + 1)
        else:
            KeyAuthentication.keys["k"] = AnonymousUser()  # type: ignore[assignment]  # on purpose
        assert await code_of_end(client) == 4401
        assert (await other.call("who"))["data"]["user"] == "emma"


async def test_a_class_that_fails_later_closes_nobody(
    emma: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AAAH = {"IDENTITY_INTERVAL": 0.05}
    KeyAuthentication.keys["secret-key"] = emma
    async with connect(app(KeyAuthentication), headers=key("secret-key")) as client:
        KeyAuthentication.error = RuntimeError("a bug with secret-key")
        asked = KeyAuthentication.asked
        while KeyAuthentication.asked < asked + 2:
            assert (await client.call("who"))["data"]["user"] == "emma"
        KeyAuthentication.error = AuthenticationFailed()
        assert await code_of_end(client) == 4401
    assert "an authentication class failed about a connection" in caplog.text
    assert "secret-key" not in caplog.text


async def test_what_is_no_websocket_passes() -> None:
    passed = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    scope = {"type": "http", "headers": []}
    await AuthenticationMiddleware(application, [KeyAuthentication])(scope, None, None)  # type: ignore[arg-type]  # unused
    assert passed == [scope]
    assert not KeyAuthentication.asked


class Signed:
    """What a project's views and handlers may have in common."""

    authentication_classes = (KeyAuthentication,)


@pytest.mark.parametrize("base", [AsyncAPIConsumer, GenericAsyncAPIActionHandler])
def test_authentication_classes_that_nobody_would_ask_stop_the_start(base: Any) -> None:
    shelf: Any = type("Shelf", (Signed, base), {})
    if base is AsyncAPIConsumer:
        library: Any = shelf
    else:
        routes = {"routepatterns": (path("shelf/", shelf.as_aaah()),)}
        library = type("Library", (AsyncAPIConsumer,), routes)
    with pytest.raises(ConfigurationError, match="Shelf has authentication_classes") as refused:
        library.as_asgi()
    assert "aaah_drf.authentication.AuthenticationMiddleware" in str(refused.value)


async def test_those_of_a_served_viewset_are_for_its_views(emma: User) -> None:
    class Users(ReadOnlyModelViewSet[User]):
        authentication_classes = (KeyAuthentication,)
        permission_classes = ()
        queryset = User.objects.all()

        def list(self, request: Any) -> Response:
            return Response([str(request.user)])

    class Library(AsyncAPIConsumer):
        routepatterns = (path("users/", serve(Users)),)

    async with connect(Library.as_asgi(), user=emma) as client:
        assert (await client.call("list", "users/"))["data"] == ["emma"]
    assert not KeyAuthentication.asked
