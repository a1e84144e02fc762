"""DRF's default permissions, for whoever names none: plain handlers and consumers, too."""

from __future__ import annotations

from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.urls import path
from rest_framework import permissions as drf
from rest_framework import viewsets
from rest_framework.response import Response

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    ConfigurationError,
    IsAuthenticated,
    apublish,
    describe,
)
from aaah_core.testing import connect, registry
from aaah_drf.viewsets import serve

EMMA = User(pk=1, username="emma")


class Closed(drf.BasePermission):
    message = "The library is closed."

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user.is_authenticated)

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj != "secret")


class Acts(AsyncAPIActionHandler):
    @async_action
    async def act(self) -> str:
        return "done"

    @async_action
    def take(self, what: str) -> str:
        self.check_object_permissions(what)
        return what


class Unset(Acts):
    pass


class Open(Acts):
    permission_classes = ()


class OwnChild(Open):
    pass


class Free(viewsets.ViewSet):
    permission_classes = [drf.AllowAny]

    def list(self, request: Any) -> Response:
        return Response([])


class Mixin:
    """Comes first and says nothing."""


class Outer(Mixin, Acts):
    routepatterns = (
        path("unset/", Unset.as_aaah()),
        path("open/", Open.as_aaah()),
        path("child/", OwnChild.as_aaah()),
        path("free/", serve(Free)),
    )


def consumer() -> Any:
    return type(
        "Site", (Acts, AsyncAPIConsumer), {"routepatterns": (path("outer/", Outer.as_aaah()),)}
    )


ROUTES = ("", "outer/", "outer/unset/", "outer/open/", "outer/child/")


async def statuses(user: Any) -> dict[str, int]:
    async with connect(consumer().as_asgi(), user=user) as client:
        found = {route: (await client.call("act", route=route))["status"] for route in ROUTES}
        found["outer/free/"] = (await client.call("list", route="outer/free/"))["status"]
    return found


ALL_OPEN = dict.fromkeys((*ROUTES, "outer/free/"), 200)
UNSET_CLOSED = {**ALL_OPEN, "": 403, "outer/": 403, "outer/unset/": 403}


@pytest.fixture
def closed(settings: Any) -> None:
    names = ["rest_framework.permissions.AllowAny", f"{__name__}.Closed"]
    settings.REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": names}


async def test_drfs_own_default_lets_everyone_pass_and_asks_nothing() -> None:
    assert await statuses(None) == ALL_OPEN
    assert describe(consumer())["routes"][0]["permissions"] == []


@pytest.mark.usefixtures("closed")
async def test_a_class_that_names_none_asks_the_default_about_its_own_actions() -> None:
    assert await statuses(None) == UNSET_CLOSED
    assert await statuses(EMMA) == ALL_OPEN
    async with connect(consumer().as_asgi()) as client:
        answer = await client.call("act")
    assert answer["errors"][0]["detail"] == "The library is closed."


@pytest.mark.usefixtures("closed")
async def test_the_default_is_asked_about_objects() -> None:
    async with connect(consumer().as_asgi(), user=EMMA) as client:
        for route, secret in (("", 403), ("outer/unset/", 403), ("outer/open/", 200)):
            assert (await client.call("take", route=route, what="book"))["status"] == 200
            assert (await client.call("take", route=route, what="secret"))["status"] == secret


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(("user", "first"), [(None, "after"), (EMMA, "news")])
async def test_the_default_is_asked_about_events(user: Any, first: str) -> None:
    class Room(AsyncAPIConsumer):
        groups = ["room"]

        async def after(self, event: Any) -> None:
            await self.send_json({"event": "after"})

    async with connect(Room.as_asgi(), user=user) as client:
        await apublish("room", "news", {})
        # Events come in order: this one, which asks nobody, ends the wait for the other.
        await get_channel_layer().group_send("room", {"type": "after"})  # type: ignore[union-attr]  # there is one
        assert (await client.receive())["event"] == first


async def test_the_plugins_setting_wins_and_may_name_any_permission(settings: Any) -> None:
    settings.AAAH = {"PLUGIN_SETTINGS": {"drf": {"DEFAULT_PERMISSION_CLASSES": [IsAuthenticated]}}}
    assert await statuses(None) == UNSET_CLOSED
    assert await statuses(EMMA) == ALL_OPEN
    assert describe(consumer())["routes"][0]["permissions"] == ["DefaultPermissions"]


async def test_a_default_that_nobody_knows_stops_the_start(settings: Any) -> None:
    settings.AAAH = {"PLUGIN_SETTINGS": {"drf": {"DEFAULT_PERMISSION_CLASSES": [object]}}}
    with pytest.raises(ConfigurationError, match="the default of permission_classes of Site"):
        consumer().as_asgi()


@pytest.mark.usefixtures("closed")
async def test_without_the_plugin_there_is_no_default() -> None:
    with registry("async_action"):
        application = type("Site", (Acts, AsyncAPIConsumer), {})
        async with connect(application.as_asgi()) as client:  # type: ignore[attr-defined]  # made by type()
            assert (await client.call("act"))["status"] == 200
