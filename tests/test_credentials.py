"""A credential that expires, or ends: the connection goes with it."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from aaah_core import AsyncAPIConsumer, Credential, recheck
from aaah_core.testing import connect
from tests.conftest import action
from tests.person import code_of_end, layer, never, often

__all__ = ["layer", "never", "often"]  # fixtures

pytestmark = pytest.mark.usefixtures("core")

NOBODYS_ROW = SimpleNamespace(pk="emma", is_authenticated=True)


class Pass(Credential):
    """A credential that holds until its name is among the revoked."""

    revoked = set()
    fails = False

    def __init__(self, name, expires=None):
        self.name = name
        self.expires = expires

    @classmethod
    def ended(cls, credentials):
        if cls.fails:
            raise RuntimeError("no answer")
        return {each: "it was revoked" for each in credentials if each.name in cls.revoked}


@pytest.fixture(autouse=True)
def no_memory(monkeypatch):
    monkeypatch.setattr(Pass, "revoked", set())
    monkeypatch.setattr(Pass, "fails", False)


async def hello(self):
    return "hello"


async def renew(self, seconds):
    await self.consumer.set_user(self.user, credential=Pass("b", time.time() + seconds))


async def again(self):
    await self.consumer.set_user(self.user)


class Chat(AsyncAPIConsumer):
    hello, renew, again = action(hello), action(renew), action(again)


def showing(credential):
    application = Chat.as_asgi()

    async def wrapped(scope, receive, send):
        await application({**scope, "aaah.credential": credential}, receive, send)

    return wrapped


@pytest.mark.usefixtures("never")
async def test_a_connection_ends_when_its_credential_expires_whoever_the_user_is(caplog):
    caplog.set_level(logging.INFO, "aaah")
    for user in (NOBODYS_ROW, None):
        async with connect(showing(Pass("a", time.time() + 0.1)), user=user) as client:
            assert await code_of_end(client) == 4401
        assert "Chat ends a connection: the credential expired" in caplog.text


@pytest.mark.usefixtures("never")
async def test_another_credential_takes_its_place_and_a_user_alone_leaves_it_there():
    async with connect(showing(Pass("a", time.time() + 60)), user=NOBODYS_ROW) as client:
        assert (await client.call("renew", seconds=0.1))["status"] == 204
        assert (await client.call("again"))["status"] == 204
        assert await code_of_end(client) == 4401


@pytest.mark.usefixtures("often")
async def test_what_has_ended_is_seen_by_the_next_look_and_what_holds_stays():
    ends, stays = Pass("a"), Pass("b")
    async with (
        connect(showing(ends), user=NOBODYS_ROW) as client,
        connect(showing(stays), user=NOBODYS_ROW) as other,
    ):
        assert (await client.call("hello"))["data"] == "hello"
        Pass.revoked.add("a")
        assert await code_of_end(client) == 4401
        assert (await other.call("hello"))["data"] == "hello"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("never")
async def test_who_says_recheck_has_the_credentials_of_a_user_looked_at_at_once():
    user = await User.objects.acreate(username="emma")
    async with connect(showing(Pass("a")), user=user) as client:
        assert (await client.call("hello"))["data"] == "hello"
        Pass.revoked.add("a")
        await sync_to_async(recheck)(user)
        assert await code_of_end(client) == 4401
    await sync_to_async(recheck)(NOBODYS_ROW)  # nobody knows of one, and nothing is raised


@pytest.mark.usefixtures("often")
async def test_a_kind_that_cannot_say_keeps_no_other_from_being_looked_at(caplog):
    class Other(Pass):
        pass

    Other.fails = True
    async with (
        connect(showing(Other("a")), user=NOBODYS_ROW) as unsure,
        connect(showing(Pass("a")), user=NOBODYS_ROW) as client,
    ):
        assert (await unsure.call("hello"))["data"] == "hello"
        Pass.revoked.add("a")
        assert await code_of_end(client) == 4401
        assert (await unsure.call("hello"))["data"] == "hello"
    assert "Other could not say which hold" in caplog.text


def test_a_credential_shows_nothing_of_what_it_holds():
    assert repr({"aaah.credential": Pass("a secret")}) == "{'aaah.credential': <Pass>}"
