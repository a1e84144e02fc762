"""Users who are connected, what becomes of them, and what they may see."""

from __future__ import annotations

import asyncio

import pytest
from channels.auth import AuthMiddlewareStack
from channels.layers import InMemoryChannelLayer, channel_layers
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, Permission, User
from django.test import Client as Browser
from django.urls import path

from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, BasePermission, IsAuthenticated
from aaah_core.looks import Round
from aaah_core.testing import Refused, connect
from tests.conftest import action


@pytest.fixture(autouse=True)
def layer():
    layer = InMemoryChannelLayer()
    before = channel_layers["default"]
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)


@pytest.fixture
def often(settings):
    settings.AAAH = {"IDENTITY_INTERVAL": 0.05}


@pytest.fixture
def never(settings):
    settings.AAAH = {"IDENTITY_INTERVAL": None}


class Person:
    def __init__(self, name):
        self.user = User.objects.create_user(name, password="secret")
        self.browser = Browser()
        self.browser.force_login(self.user)

    @property
    def headers(self):
        name = django_settings.SESSION_COOKIE_NAME
        return {"Cookie": f"{name}={self.browser.cookies[name].value}"}

    def connect(self, application):
        return connect(application, headers=self.headers)


@pytest.fixture
def anna():
    return Person("anna")


@pytest.fixture
def bert():
    return Person("bert")


def permission():
    return Permission.objects.get(codename="view_session")


class MayView(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return scope["user"].has_perm("sessions.view_session")


async def join(self, group):
    consumer = self.consumer
    await consumer.channel_layer.group_add(group, consumer.channel_name)


async def who(self):
    return self.user.username if self.user.is_authenticated else None


join, who = action(join), action(who)


class Viewing(AsyncAPIActionHandler):
    permission_classes = (MayView,)
    join = join


class Mine(AsyncAPIActionHandler):
    permission_classes = (IsAuthenticated,)
    join = join


class Chat(AsyncAPIConsumer):
    who = who
    routepatterns = (path("viewing/", Viewing.as_aaah()), path("mine/", Mine.as_aaah()))


def served(consumer_class=Chat):
    return AuthMiddlewareStack(consumer_class.as_asgi())


async def code_of_end(client):
    with pytest.raises(Refused) as refused:
        await client.receive()
    return refused.value.code


def log_out(person):
    person.browser.logout()


def deactivate(person):
    person.user.is_active = False
    person.user.save()


def delete(person):
    person.user.delete()


def deactivate_quietly(person):
    User.objects.filter(pk=person.user.pk).update(is_active=False)


def grant(user, by_group):
    if by_group:
        group = Group.objects.create(name="viewers")
        group.permissions.add(permission())
        user.groups.add(group)
    else:
        user.user_permissions.add(permission())


def looks(monkeypatch):
    """Return what waits for so many looks to end."""
    original, done = Round._run, asyncio.Condition()

    async def counted(self):
        await original(self)
        if self._look.__name__ == "_look_at_users":
            async with done:
                done.notify_all()

    monkeypatch.setattr(Round, "_run", counted)

    async def wait(times):
        async with asyncio.timeout(5), done:
            for _ in range(times):
                await done.wait()

    return wait
