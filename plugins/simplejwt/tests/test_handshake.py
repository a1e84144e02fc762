from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework_simplejwt import state
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer
from aaah_core.testing import Refused, connect
from aaah_simplejwt import middleware
from aaah_simplejwt.middleware import JWTAuthMiddleware

Make = Callable[..., str]


class Chat(AsyncAPIConsumer):
    @async_action
    async def who(self) -> dict[str, Any]:
        auth = self.scope.get("auth")
        return {
            "user": self.user.username,
            "claim": auth and auth["user_id"],
            "scope": repr(dict(self.scope)),
            "protocols": list(self.scope["subprotocols"]),
            "raw": auth and auth.token,
        }


def app() -> Any:
    return JWTAuthMiddleware(Chat.as_asgi())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def offered(token: str) -> list[str]:
    return ["aaah.json", f"aaah.bearer.{token}"]


async def test_a_token_in_a_header_says_who_it_is(emma: User, token: Make) -> None:
    async with connect(app(), headers=bearer(token(emma))) as client:
        data = (await client.call("who"))["data"]
        # An int until 5.5.1.
        assert (data["user"], str(data["claim"])) == ("emma", str(emma.pk))
        assert client.subprotocol is None


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_token_among_the_subprotocols_says_who_it_is_and_the_codecs_is_accepted(
    emma: User, token: Make, reverse: bool
) -> None:
    protocols = offered(token(emma))
    async with connect(app(), subprotocols=protocols[::-1] if reverse else protocols) as client:
        data = (await client.call("who"))["data"]
        assert (data["user"], data["protocols"]) == ("emma", ["aaah.json"])
        assert client.subprotocol == "aaah.json"


async def test_behind_the_middleware_the_scope_holds_no_token(emma: User, token: Make) -> None:
    encoded = token(emma)
    header = {"Sec-WebSocket-Protocol": ", ".join(offered(encoded)), "X-Other": "kept"}
    for given in (
        {"headers": {**header}, "subprotocols": offered(encoded)},
        {"headers": {**bearer(encoded), "X-Other": "kept"}},
    ):
        async with connect(app(), **given) as client:  # type: ignore[arg-type]  # one of two
            data = (await client.call("who"))["data"]
        assert data["user"] == "emma"
        assert data["raw"] is None
        assert "kept" in data["scope"]
        for part in encoded.split("."):
            assert part not in data["scope"]


async def test_a_client_that_offers_the_token_alone_is_refused_as_nothing_could_be_accepted(
    emma: User, token: Make
) -> None:
    with pytest.raises(Refused):
        async with connect(app(), subprotocols=offered(token(emma))[1:]):
            pass


async def test_two_tokens_are_refused_though_each_of_them_is_valid(emma: User, token: Make) -> None:
    encoded = token(emma)
    twice: list[dict[str, Any]] = [
        {"headers": bearer(encoded), "subprotocols": offered(encoded)},
        {"subprotocols": [*offered(encoded), f"aaah.bearer.{encoded}"]},
    ]
    for given in twice:
        with pytest.raises(Refused):
            async with connect(app(), **given):
                pass


@pytest.mark.parametrize(
    "second", [b"Bearer x.y.z", b"Basic eHg6eHg=", b"Bearer", b"Bearer a b", b""]
)
async def test_two_headers_are_refused_whatever_the_other_one_holds(
    emma: User, token: Make, second: bytes
) -> None:
    headers = [(b"authorization", b"Bearer " + token(emma).encode()), (b"Authorization", second)]
    assert (await answer_to({"headers": headers}))["type"] == "websocket.close"


async def answer_to(scope: dict[str, Any]) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if not sent else {"type": "websocket.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app()({"type": "websocket", "path": "/", **scope}, receive, send)
    return sent[0]


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a.b.c d"])
async def test_a_header_that_holds_no_token_is_refused(value: str) -> None:
    with pytest.raises(Refused):
        async with connect(app(), headers={"Authorization": value}):
            pass


async def test_a_header_of_another_kind_and_a_query_say_nothing_of_who_it_is(
    emma: User, token: Make
) -> None:
    encoded = token(emma)
    for given in ({"headers": {"Authorization": "Basic ZW1tYTpzZWNyZXQ="}}, {}):
        url = f"/?token={encoded}&access_token={encoded}&authorization=Bearer%20{encoded}"
        async with connect(app(), url, **given) as client:  # type: ignore[arg-type]  # headers
            assert (await client.call("who"))["data"]["user"] == ""


async def test_without_a_token_it_is_who_another_middleware_found(emma: User, token: Make) -> None:
    async with connect(app(), user=emma) as client:
        assert (await client.call("who"))["data"]["user"] == "emma"
    async with connect(app(), user=AnonymousUser(), headers=bearer(token(emma))) as client:
        assert (await client.call("who"))["data"]["user"] == "emma"


async def test_the_header_is_the_one_that_simplejwt_is_told_of(
    emma: User, token: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_settings, "AUTH_HEADER_NAME", "HTTP_X_ACCESS_TOKEN", raising=False)
    encoded = token(emma)
    async with connect(app(), headers={"X-Access-Token": f"Bearer {encoded}"}) as client:
        data = (await client.call("who"))["data"]
        assert data["user"] == "emma"
        assert encoded not in data["scope"]
    async with connect(app(), headers=bearer(encoded)) as client:
        assert (await client.call("who"))["data"]["user"] == ""


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(token: str, algorithm: str) -> str:
    return ".".join([part({"alg": algorithm, "typ": "JWT"}), token.split(".")[1], "AAAA"])


HOSTILE: dict[str, Callable[[User, Make], str]] = {
    "expired": lambda user, token: token(user, seconds=-1),
    "that is not valid yet": lambda user, token: token(user, nbf=2**33),
    "from the future": lambda user, token: token(user, iat=2**33),
    "of another key": lambda user, token: token(user, key="somebody else's key, and as long"),
    "of another algorithm": lambda user, token: token(user, algorithm="HS512", key="x" * 64),
    "of the right key and another algorithm": lambda user, token: token(user, algorithm="HS384"),
    "unsigned": lambda user, token: unsigned(token(user), "none"),
    "unsigned, in capitals": lambda user, token: unsigned(token(user), "NONE"),
    "unsigned, with nothing behind the dot": lambda user, token: unsigned(
        token(user), "none"
    ).removesuffix("AAAA"),
    "without its signature": lambda user, token: token(user).rpartition(".")[0],
    "with another signature": lambda user, token: token(user).rpartition(".")[0] + ".AAAA",
    "of another's claims": lambda user, token: ".".join(
        [
            token(user).split(".")[0],
            part({"user_id": user.pk, "token_type": "access", "exp": 2**33, "jti": "x"}),
            token(user).split(".")[2],
        ]
    ),
    "a refresh token": lambda user, token: str(RefreshToken.for_user(user)),
    "of no type": lambda user, token: token(user, token_type=None),
    "of an odd type": lambda user, token: token(user, token_type=["access"]),
    "that never expires": lambda user, token: token(user, exp=None),
    "that expires beyond all dates": lambda user, token: token(user, exp=10**18),
    "without an id": lambda user, token: token(user, jti=None),
    "of nobody": lambda user, token: token(user, user_id=None),
    "of an unknown user": lambda user, token: token(user, user_id="999999"),
    "of a user of an odd kind": lambda user, token: token(user, user_id={"pk": 1}),
    "of a user that is no number": lambda user, token: token(user, user_id="1 OR 1=1"),
    "of a user beyond all numbers": lambda user, token: token(user, user_id=10**30),
    "too long": lambda user, token: token(user, more="x" * 4096),
    "with a header that is too deep": lambda user, token: part(b"[" * 2900) + ".AAAA.AAAA",
    "with a header that is no JSON": lambda user, token: part(b"\xff\x00") + ".AAAA.AAAA",
    "no token": lambda user, token: "x",
    "no token but of its shape": lambda user, token: "a.b.c",
    "with odd characters": lambda user, token: token(user) + "\xe9",
    "in the hands of who is not ASCII": lambda user, token: "\xff.\xff.\xff",
}


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_is_no_valid_token_is_refused_and_no_log_has_it(
    kind: str, emma: User, token: Make, written: pytest.LogCaptureFixture
) -> None:
    encoded = HOSTILE[kind](emma, token)
    with pytest.raises(Refused) as refused:
        async with connect(app(), headers=bearer(encoded)):
            pass
    assert refused.value.code == 4401
    assert not [record for record in written.records if record.levelno > logging.INFO]
    # Not even the claims or the signature of it.
    long = [piece for piece in encoded.split(".") if len(piece) > 8]
    assert not [piece for piece in long if piece in written.text]


async def test_a_token_signed_with_the_public_key_of_another_algorithm_is_refused(
    emma: User, token: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "what everybody may know: a key that is public"
    monkeypatch.setattr(state, "token_backend", TokenBackend("HS512", "s" * 64, key))
    with pytest.raises(Refused):
        async with connect(app(), headers=bearer(token(emma, key=key, algorithm="HS256"))):
            pass


async def test_a_user_who_is_gone_or_locked_out_gets_in_with_no_token(
    emma: User, bert: User, token: Make
) -> None:
    tokens = token(emma), token(bert)
    await emma.adelete()
    bert.is_active = False
    await bert.asave()
    for encoded in tokens:
        with pytest.raises(Refused):
            async with connect(app(), headers=bearer(encoded)):
                pass


async def test_a_token_from_before_the_password_was_changed_is_refused_where_simplejwt_asks(
    emma: User, token: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_settings, "CHECK_REVOKE_TOKEN", True, raising=False)
    encoded = token(emma)
    async with connect(app(), headers=bearer(encoded)) as client:
        assert (await client.call("who"))["data"]["user"] == "emma"
    emma.set_password("another")
    await emma.asave()
    with pytest.raises(Refused):
        async with connect(app(), headers=bearer(encoded)):
            pass


async def test_the_longest_token_that_is_read_is_a_setting(
    emma: User, token: Make, settings: Any
) -> None:
    encoded = token(emma)
    for length, refused in ((len(encoded), False), (len(encoded) - 1, True)):
        settings.AAAH = {"PLUGIN_SETTINGS": {"simplejwt": {"MAX_TOKEN_LENGTH": length}}}
        sent = await answer_to(
            {"headers": [(b"authorization", b"Bearer " + encoded.encode())], "user": None}
        )
        assert (sent["type"] == "websocket.close") is refused


async def test_a_database_that_fails_refuses_the_handshake_and_the_log_has_no_token(
    emma: User,
    token: Make,
    monkeypatch: pytest.MonkeyPatch,
    written: pytest.LogCaptureFixture,
) -> None:
    async def broken(encoded: str) -> None:
        raise OSError(f"no database for {encoded}")

    monkeypatch.setattr(middleware, "authenticate", broken)
    encoded = token(emma)
    with pytest.raises(Refused) as refused:
        async with connect(app(), headers=bearer(encoded)):
            pass
    assert refused.value.code == 4503
    assert "its user could not be found" in written.text
    assert encoded not in written.text
    assert encoded not in written.text


async def test_what_is_no_websocket_passes() -> None:
    passed = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    scope = {"type": "http", "headers": [(b"authorization", b"Bearer x")]}
    await JWTAuthMiddleware(application)(scope, None, None)  # type: ignore[arg-type]  # unused
    assert passed == [scope]
