from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from django.contrib.auth.models import User
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    Call,
    CallNext,
    IsAuthenticated,
    Reply,
    apublish,
    describe,
    hookimpl,
)
from aaah_core.testing import Client, Refused, connect, registry
from aaah_simplejwt.consumers import JWTConsumer
from aaah_simplejwt.middleware import JWTAuthMiddleware

Make = Callable[..., str]


class Inner(AsyncAPIActionHandler):
    @async_action
    async def hello(self) -> str:
        return "hello"


class Chat(JWTConsumer):
    groups = ["news"]
    routepatterns = [path("inner/", Inner.as_aaah())]

    @async_action
    async def who(self) -> dict[str, Any]:
        return {"user": self.user.username, "scope": repr(dict(self.scope))}

    @async_action
    async def leave(self) -> None:
        from django.contrib.auth.models import AnonymousUser

        await self.set_user(AnonymousUser())

    @async_action
    async def join(self, group: str) -> None:
        await self.channel_layer.group_add(group, self.channel_name)


class Guarded(Chat):
    permission_classes = [IsAuthenticated]


class Hurried(Chat):
    authentication_deadline = 0.1


@pytest.fixture(autouse=True)
def layer() -> Iterator[InMemoryChannelLayer]:
    layer = InMemoryChannelLayer()
    before = channel_layers["default"]
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)


@asynccontextmanager
async def open_to(consumer: type[JWTConsumer] = Chat, **given: Any) -> AsyncIterator[Client]:
    async with connect(JWTAuthMiddleware(consumer.as_asgi()), **given) as client:
        yield client


async def log_in(client: Client, token: str) -> Any:
    return await client.call("authenticate", token=token)


def status(reply: Any) -> tuple[int, str | None]:
    return reply["status"], reply["errors"][0]["code"] if reply["errors"] else None


async def code_of_end(client: Client) -> int:
    with pytest.raises(Refused) as refused:
        await client.receive()
    return refused.value.code


@pytest.mark.parametrize("consumer", [Chat, Guarded])
async def test_a_token_in_a_message_says_who_it_is(
    consumer: type[JWTConsumer], emma: User, token: Make
) -> None:
    encoded = token(emma)
    async with open_to(consumer) as client:
        reply = await log_in(client, encoded)
        assert status(reply) == (200, None)
        assert 55 <= reply["data"]["expires_in"] <= 60
        data = (await client.call("who"))["data"]
        assert data["user"] == "emma"
        for part in encoded.split("."):
            assert part not in data["scope"]
        assert (await client.call("hello", route="inner/"))["data"] == "hello"


@pytest.mark.parametrize("consumer", [Chat, Guarded])
async def test_until_a_token_came_nothing_else_runs_or_is_learned(
    consumer: type[JWTConsumer], emma: User, token: Make
) -> None:
    calls: list[dict[str, Any]] = [
        {"action": "who"},
        {"action": "nothing"},
        {"action": "hello", "route": "inner/"},
        {"action": "authenticate", "route": "inner/", "token": token(emma)},
        {"action": "hello", "route": "nowhere/"},
        {"action": "join", "group": "x"},
        {"route": "inner/"},
        {},
    ]
    async with open_to(consumer) as client:
        for call in calls:
            await client.send(call)
            assert status(await client.receive()) == (401, "not_authenticated"), call
        assert status(await log_in(client, token(emma))) == (200, None)
        assert status(await client.call("nothing")) == (405, "action_not_found")
        assert status(await client.call("hello", route="nowhere/")) == (404, "not_found")


class Clock:
    """The time of day, which credentials end by; a test may let it pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, make_token: Callable[[int], str]) -> None:
        self._passed = 0.0
        self._make_token = make_token
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + self._passed)

    async def let_pass(self, seconds: int) -> None:
        """Let time pass, and each connection be looked at: so is one that ends by that."""
        headers = {"Authorization": f"Bearer {self._make_token(seconds - 1)}"}
        async with open_to(headers=headers) as witness:
            self._passed += seconds
            assert await code_of_end(witness) == 4401


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, emma: User, token: Make) -> Clock:
    return Clock(monkeypatch, lambda seconds: token(emma, seconds=seconds))


async def test_who_logged_in_at_the_handshake_needs_no_message(
    emma: User, token: Make, clock: Clock
) -> None:
    async with open_to(headers={"Authorization": f"Bearer {token(emma)}"}) as client:
        assert (await client.call("who"))["data"]["user"] == "emma"
        await clock.let_pass(11)
        assert (await client.call("who"))["data"]["user"] == "emma"


async def test_without_a_token_in_time_the_socket_is_closed_whatever_else_it_sends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "aaah")
    async with open_to(Hurried) as client:
        assert status(await client.call("who")) == (401, "not_authenticated")
        assert status(await log_in(client, "a.b.c")) == (401, "token_not_valid")
        assert await code_of_end(client) == 4401
    assert "Hurried ends a connection: no token came in time" in caplog.text


async def test_who_brought_a_token_in_time_stays(emma: User, token: Make, clock: Clock) -> None:
    async with open_to() as client:
        await log_in(client, token(emma))
        await clock.let_pass(11)
        assert (await client.call("who"))["data"]["user"] == "emma"


@pytest.mark.parametrize("sent", [None, 5, ["x"], {"a": 1}, "", "x", "a.b.c", "\u00e9.b.c"])
async def test_what_is_no_token_is_a_401_and_the_next_try_is_another(
    sent: Any, emma: User, token: Make
) -> None:
    async with open_to() as client:
        assert status(await client.call("authenticate", token=sent)) == (401, "token_not_valid")
        assert status(await client.call("authenticate")) == (401, "token_not_valid")
        assert status(await client.call("who")) == (401, "not_authenticated")
        assert status(await log_in(client, token(emma))) == (200, None)


async def test_a_socket_ends_with_its_token(
    emma: User, token: Make, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aaah")
    async with open_to() as client:
        await log_in(client, token(emma))
        await clock.let_pass(61)
        assert await code_of_end(client) == 4401
    assert "Chat ends a connection: the token expired" in caplog.text


async def test_the_next_token_lets_it_go_on_beyond_the_end_of_the_last(
    emma: User, token: Make, clock: Clock
) -> None:
    async with open_to(headers={"Authorization": f"Bearer {token(emma)}"}) as client:
        reply = await log_in(client, token(emma, seconds=600))
        assert 590 <= reply["data"]["expires_in"] <= 600
        await clock.let_pass(61)
        assert (await client.call("who"))["data"]["user"] == "emma"


async def test_a_next_token_that_is_not_valid_leaves_what_held(
    emma: User, token: Make, clock: Clock
) -> None:
    async with open_to() as client:
        await log_in(client, token(emma))
        expired = token(emma, seconds=-1)
        assert status(await log_in(client, expired)) == (401, "token_not_valid")
        assert (await client.call("who"))["data"]["user"] == "emma"
        await clock.let_pass(61)
        assert await code_of_end(client) == 4401


async def test_another_users_token_is_refused_and_changes_nothing(
    emma: User, bert: User, token: Make, clock: Clock
) -> None:
    async with open_to() as client:
        await log_in(client, token(emma))
        assert status(await log_in(client, token(bert))) == (403, "another_user")
        assert (await client.call("who"))["data"]["user"] == "emma"
        await clock.let_pass(61)
        assert await code_of_end(client) == 4401


async def test_of_several_tokens_at_once_one_user_wins(emma: User, bert: User, token: Make) -> None:
    class Wide(Chat):
        concurrency = 4

    async with open_to(Wide) as client:
        for number, user in enumerate((emma, bert, emma, bert)):
            await client.send(
                {"action": "authenticate", "token": token(user), "request_id": number}
            )
        replies = [await client.receive() for _ in range(4)]
        let_in = {reply["request_id"] % 2 for reply in replies if reply["status"] == 200}
        assert len(let_in) == 1
        user = (await client.call("who"))["data"]["user"]
        assert user == ("emma", "bert")[let_in.pop()]


async def test_who_is_logged_out_is_asked_for_a_token_again(emma: User, token: Make) -> None:
    async with open_to() as client:
        await log_in(client, token(emma))
        await client.call("leave")
        assert status(await client.call("who")) == (401, "not_authenticated")
        assert status(await log_in(client, token(emma))) == (200, None)


async def test_nothing_that_groups_are_sent_reaches_who_has_not_brought_a_token(
    emma: User, token: Make, layer: InMemoryChannelLayer
) -> None:
    async with open_to() as client:
        assert status(await client.call("who")) == (401, "not_authenticated")
        assert "news" not in layer.groups
        await apublish("news", "news", 1)
        await log_in(client, token(emma))
        await apublish("news", "news", 2)
        assert (await client.receive())["data"] == 2


async def test_the_next_token_keeps_the_groups_that_every_connection_is_in(
    emma: User, token: Make
) -> None:
    class NoneMayAuthenticate(IsAuthenticated):
        async def has_permission(self, scope: Any, handler: Any, action: str, **kw: Any) -> bool:
            assert action != "authenticate"
            return True

    class Picky(Chat):
        permission_classes = [NoneMayAuthenticate]

    async with open_to(Picky) as client:
        await log_in(client, token(emma))
        await log_in(client, token(emma))
        await apublish("news", "news", 1)
        assert (await client.receive()).get("data") == 1


async def test_a_user_who_is_deleted_loses_the_socket(
    emma: User, token: Make, settings: Any
) -> None:
    settings.AAAH = {"IDENTITY_INTERVAL": None}
    async with open_to() as client:
        await log_in(client, token(emma))
        await emma.adelete()
        assert await code_of_end(client) == 4401


async def test_no_log_reply_or_middleware_of_others_has_a_token(
    emma: User, token: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = []

    async def audit(call: Call, call_next: CallNext) -> Reply:
        seen.append((call.action, dict(call.params)))
        return await call_next(call)

    audited = ModuleType("audited")
    audited.aaah_middleware = hookimpl(lambda handler_class, action: audit)  # type: ignore[attr-defined]  # a module made on the spot
    tokens = token(emma), token(emma, seconds=-1), token(emma)[:-3] + "abc", "x" * 5000
    with registry("simplejwt", "async_action", audited):
        async with open_to() as client:
            replies = [await log_in(client, encoded) for encoded in tokens]
            replies.append(await client.call("who"))
    for encoded in tokens:
        for part in [part for part in encoded.split(".") if len(part) > 8]:
            assert part not in caplog.text
            assert part not in repr(replies)
    assert seen == [("who", {})]


async def test_it_is_described_as_any_action() -> None:
    described = describe(Chat)
    actions = described["routes"][0]["actions"]
    [action] = [each for each in actions if each["name"] == "authenticate"]
    assert action["params"]["properties"]["token"] == {"type": "string", "writeOnly": True}
