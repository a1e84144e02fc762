"""Actions that change the very user of their connection."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import path

from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, BasePermission
from aaah_core.testing import Refused, connect
from tests.conftest import action
from tests.person import join, layer, looks, never, often

__all__ = ["layer", "never", "often"]  # fixtures

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.django_db(transaction=True)]


class IsStaff(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return scope["user"].is_staff


class Staff(AsyncAPIActionHandler):
    permission_classes = (IsStaff,)
    join = join


class Own(AsyncAPIConsumer):
    routepatterns = (path("staff/", Staff.as_aaah()),)

    @action
    async def who(self):
        return [self.user.username, self.user.email]

    @action
    async def deactivate(self):
        self.user.is_active = False
        await self.user.asave()

    @action
    async def delete(self):
        await self.user.adelete()

    @action
    async def resign(self):
        self.user.is_staff = False
        await self.user.asave()

    @action
    async def rename(self, email):
        self.user.email = email  # which is not saved yet

    @action
    async def save(self):
        await self.user.asave()


async def code_after_all(client):
    while True:  # a reply may come before
        try:
            await client.receive()
        except Refused as refused:
            return refused.code


@pytest.fixture
async def user():
    return await User.objects.acreate(username="anna", is_staff=True)


@pytest.mark.parametrize("what", ["deactivate", "delete"])
async def test_who_ends_the_own_account_is_closed_with_4401(what, user, never):
    async with connect(Own.as_asgi(), user=user) as client:
        await client.send({"action": what})
        assert await code_after_all(client) == 4401


async def test_who_gives_up_a_right_loses_the_memberships_that_it_gave(user, often, monkeypatch):
    async with connect(Own.as_asgi(), user=user) as client:
        await looks(monkeypatch)(2)  # now it is known what there was
        assert (await client.call("join", route="staff/", group="g"))["status"] == 204
        await client.send({"action": "resign"})
        got = [await client.receive(), await client.receive()]
        assert {each.get("event") or each["action"] for each in got} == {
            "resign",
            "aaah.unsubscribed",
        }


async def test_what_an_action_has_not_saved_yet_survives_a_look(user, often, monkeypatch):
    async with connect(Own.as_asgi(), user=user) as client:
        await client.call("rename", email="new@example.com")
        await looks(monkeypatch)(2)
        assert (await client.call("who"))["data"] == ["anna", "new@example.com"]
        await client.call("save")
    await user.arefresh_from_db()
    assert user.email == "new@example.com"
