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
from rest_framework.throttling import BaseThrottle

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Check,
    IsOwner,
    hookimpl,
)
from aaah_core.testing import connect, registry
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


class AsyncThrottle(BaseThrottle):
    async def allow_request(self, request: Any, view: Any) -> bool:  # type: ignore[override]  # on purpose
        return False


class LaterThrottle(BaseThrottle):
    """No `async def`, and no answer either."""

    def allow_request(self, request: Any, view: Any) -> Any:
        return AsyncThrottle().allow_request(request, view)


class LaterPermission(drf.BasePermission):
    def has_permission(self, request: Any, view: Any) -> Any:
        return self._ask()

    async def _ask(self) -> bool:
        return False


class LaterOfObjects(LaterPermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return True

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> Any:
        return self._ask()


class Asked(AsyncAPIActionHandler):
    @async_action
    async def destroy(self) -> None: ...


@pytest.mark.parametrize(
    "names",
    [
        {"throttle_classes": (AsyncThrottle,)},
        {"throttle_classes": (LaterThrottle,)},
        {"permission_classes": (LaterPermission,)},
        {"permission_classes": (LaterOfObjects,)},
        {"permission_classes": (drf.AllowAny & LaterPermission,)},
        {"permission_classes": (~LaterPermission,)},
    ],
)
async def test_rule_a_view_takes_no_coroutine_for_a_yes(
    names: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    viewset = type("Asking", (GroupViewSet,), names)
    async with connect(consumer(path("groups/", serve(viewset)))) as client:
        assert (await client.call("destroy", route="groups/1/"))["status"] == 500
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [TypeError]


async def test_rule_an_instance_that_is_asked_again_takes_no_coroutine_for_a_yes() -> None:
    once = [LaterPermission()]
    methods = {"get_permissions": lambda self: once}
    viewset = type("Asking", (GroupViewSet,), methods)
    async with connect(consumer(path("groups/", serve(viewset)))) as client:
        for _ in range(3):
            assert (await client.call("destroy", route="groups/1/"))["status"] == 500


@pytest.mark.parametrize("throttle", [AsyncThrottle, LaterThrottle])
async def test_rule_a_handler_takes_no_coroutine_of_a_throttle_for_a_yes(throttle: Any) -> None:
    handler = type("Throttled", (Asked,), {"throttle_classes": (throttle,)})
    async with connect(consumer(path("asked/", handler.as_aaah()))) as client:  # type: ignore[attr-defined]  # made by type()
        assert (await client.call("destroy", route="asked/"))["status"] == 500


class NeverAgain(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return False


class OfAnotherPlugin:
    @staticmethod
    @hookimpl
    def aaah_permission_check(permission: Any) -> Check | None:
        return Check() if permission is OfAnotherPlugin else None


async def test_rule_a_throttle_counts_behind_one_of_another_plugin() -> None:
    class Throttled(Asked):
        throttle_classes = (OfAnotherPlugin, NeverAgain)

    with registry("drf", "async_action", OfAnotherPlugin()):
        async with connect(consumer(path("asked/", Throttled.as_aaah()))) as client:
            assert (await client.call("destroy", route="asked/"))["status"] == 429
