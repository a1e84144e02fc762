"""Generic handlers at routes: served, or written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings
from django.urls import path
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIClient
from rest_framework.viewsets import ModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, describe, run_sync
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class Groups(ModelAPIActionHandler):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer

    @async_action
    async def copy(self) -> Any:
        """Create beside an object, and list."""
        made, status = await self.create(data={"name": "copy"})
        everything, _ = await self.list()
        return {"made": made["name"], "status": status, "all": len(everything)}


class Served(AsyncAPIConsumer):
    routepatterns = (path("groups/", serve(Groups)),)


async def test_an_action_of_an_object_may_call_those_of_its_collection() -> None:
    await run_sync(Group.objects.create, pk=1, name="anna")
    async with connect(Served.as_asgi()) as client:
        for number, route in ((2, "groups/1/"), (3, "groups/")):
            answer = await client.call("copy", route=route)
            assert answer["data"] == {"made": "copy", "status": 201, "all": number}
            await run_sync(Group.objects.filter(name="copy").update, name=f"copy {number}")


async def test_the_route_of_an_object_offers_nothing_of_the_collection() -> None:
    collection, single = describe(Served)["routes"][1:]
    assert {each["name"] for each in collection["actions"]} - {
        each["name"] for each in single["actions"]
    } == {"create", "list"}
    async with connect(Served.as_asgi()) as client:
        for action in ("create", "list"):
            answer = await client.call(action, route="groups/1/", data={"name": "x"})
            assert answer["status"] == 405


class OverHTTP(ModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer


urlpatterns = [
    path("shelves/<int:pk>/groups/", OverHTTP.as_view({"get": "retrieve", "delete": "destroy"}))
]


@override_settings(ROOT_URLCONF=__name__)
async def test_a_capture_of_the_keys_name_is_the_key_of_a_route_written_by_hand_as_in_http() -> (
    None
):
    class ByHand(AsyncAPIConsumer):
        routepatterns = (path("shelves/<int:pk>/groups/", Groups.as_aaah()),)

    for pk, name in ((1, "anna"), (2, "boris")):
        await run_sync(Group.objects.create, pk=pk, name=name)
    http = await run_sync(APIClient().get, "/shelves/1/groups/")
    async with connect(ByHand.as_asgi()) as client:
        # The route wins over the message, which no URL has.
        answer = await client.call("retrieve", route="shelves/1/groups/", pk=2)
    assert answer["data"] == http.data == {"id": 1, "name": "anna"}
