"""Rights that users lose while they are connected, and the memberships that they gave."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User

from aaah_core import apublish
from tests.person import anna, grant, layer, looks, never, often, permission, served

__all__ = ["anna", "layer", "never", "often"]  # fixtures

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.django_db(transaction=True)]


def revoke_own(user):
    user.user_permissions.remove(permission())


def revoke_of_permission(user):
    permission().user_set.remove(user)


def clear_of_permission(user):
    permission().user_set.clear()


def clear_own(user):
    user.user_permissions.clear()


def revoke_quietly(user):
    User.user_permissions.through.objects.all().delete()


OWN = [revoke_own, revoke_of_permission, clear_of_permission, clear_own]


def leave_group(user):
    user.groups.clear()


def thrown_out_of_group(user):
    Group.objects.get().user_set.remove(user)


def group_loses_permission(user):
    Group.objects.get().permissions.clear()


def group_is_deleted(user):
    Group.objects.all().delete()


def leave_group_quietly(user):
    User.groups.through.objects.all().delete()


def group_loses_permission_quietly(user):
    Group.permissions.through.objects.all().delete()


BY_GROUP = [leave_group, thrown_out_of_group, group_loses_permission, group_is_deleted]


async def see_revoked(person, revoke, by_group):
    await sync_to_async(grant)(person.user, by_group)
    async with person.connect(served()) as client:
        assert (await client.call("join", "viewing/", group="secret"))["status"] == 204
        assert (await client.call("join", "mine/", group="mine"))["status"] == 204
        await sync_to_async(revoke)(person.user)
        told = await client.receive()
        assert (told["event"], told["data"]["route"]) == ("aaah.unsubscribed", "viewing/")
        await apublish("secret", "news", 1)
        await apublish("mine", "mine", 2)
        assert (await client.receive())["event"] == "mine"
        assert (await client.call("join", "viewing/", group="secret"))["status"] == 403


@pytest.mark.parametrize("revoke", OWN, ids=lambda f: f.__name__)
async def test_a_revoked_permission_ends_what_it_allowed_and_no_more(revoke, anna, never):
    await see_revoked(anna, revoke, by_group=False)


@pytest.mark.parametrize("revoke", BY_GROUP, ids=lambda f: f.__name__)
async def test_so_does_a_group_that_changes(revoke, anna, never):
    await see_revoked(anna, revoke, by_group=True)


@pytest.mark.parametrize(
    ("revoke", "by_group"),
    [
        (revoke_quietly, False),
        (leave_group_quietly, True),
        (group_loses_permission_quietly, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_rights_that_change_quietly_are_seen_by_the_next_look(revoke, by_group, anna, often):
    await see_revoked(anna, revoke, by_group)


async def test_they_are_seen_too_after_a_look_that_found_nothing(anna, often, monkeypatch):
    await sync_to_async(grant)(anna.user, by_group=False)
    async with anna.connect(served()) as client:
        await client.call("join", "viewing/", group="secret")
        looked = looks(monkeypatch)
        await looked(2)
        await sync_to_async(revoke_quietly)(anna.user)
        assert (await client.receive())["event"] == "aaah.unsubscribed"


async def test_a_superuser_who_is_none_any_more_loses_it_too(anna, often):
    await User.objects.filter(pk=anna.user.pk).aupdate(is_superuser=True)
    async with anna.connect(served()) as client:
        assert (await client.call("join", "viewing/", group="secret"))["status"] == 204
        await User.objects.filter(pk=anna.user.pk).aupdate(is_superuser=False)
        assert (await client.receive())["event"] == "aaah.unsubscribed"
