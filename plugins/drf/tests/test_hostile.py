"""Ways around permissions and throttles, each with the rule that it attacks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import path
from rest_framework import permissions as drf
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from aaah_core import AsyncAPIConsumer, BasePermission, IsOwner
from aaah_core.testing import connect
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db

EMMA = User(pk=2, username="emma")


@pytest.fixture(autouse=True)
def a_group(db: None) -> None:
    Group.objects.create(pk=1, name="a")


class GroupViewSet(viewsets.GenericViewSet[Group]):
    queryset = Group.objects.all()
    permission_classes = ()

    def destroy(self, request: Any, pk: str) -> Response:
        self.get_object()
        return Response([self.action, request.method])


class OwnRemove(GroupViewSet):
    @action(detail=True, methods=["post"])
    def remove(self, request: Any, pk: str) -> Response:
        return Response([self.action, request.method])


def consumer(*patterns: Any, **namespace: Any) -> Any:
    return type("Consumer", (AsyncAPIConsumer,), {"routepatterns": patterns, **namespace}).as_asgi()


class NoRemoving(BasePermission):
    async def has_permission(self, scope: Any, handler: Any, action: str, **kwargs: Any) -> bool:
        return action != "remove"


class NoRemovingAsInDRF(drf.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(view.action != "remove")


class NobodysGroup(IsOwner):
    lookup_field = "name"
    check_actions = ("remove",)


@pytest.mark.parametrize("permission", [NoRemoving, NoRemovingAsInDRF, NobodysGroup])
async def test_rule_no_other_name_passes_the_permission_of_a_viewsets_parent_by(
    permission: Any,
) -> None:
    routes = (path("groups/", serve(GroupViewSet)),)
    async with connect(consumer(*routes, permission_classes=(permission,)), user=EMMA) as client:
        for name in ("remove", "destroy"):
            for route in ("groups/1/", "groups/"):
                answer = await client.call(name, route=route, pk=1)
                assert (answer["status"], answer["action"]) == (403, name)
    async with connect(consumer(*routes), user=EMMA) as client:
        for name in ("remove", "destroy"):
            answer = await client.call(name, route="groups/1/")
            assert answer["data"] == ["destroy", "DELETE"]


async def test_an_action_of_a_viewset_that_is_called_remove_is_not_destroy() -> None:
    routes = (path("groups/", serve(OwnRemove)),)
    async with connect(consumer(*routes, permission_classes=(NoRemoving,))) as client:
        assert (await client.call("remove", route="groups/1/"))["status"] == 403
        answer = await client.call("destroy", route="groups/1/")
        assert answer["data"] == ["destroy", "DELETE"]
