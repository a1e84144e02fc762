"""The plugin's own settings, for what is served: a viewset keeps what it says itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.urls import path
from rest_framework import permissions, viewsets
from rest_framework.decorators import action
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.throttling import AnonRateThrottle, ScopedRateThrottle, UserRateThrottle

from aaah_core import AsyncAPIConsumer
from aaah_core.testing import connect
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class NotAnna(BaseFilterBackend):
    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.exclude(name="anna")


class Inherits(viewsets.ReadOnlyModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer

    @action(detail=False, permission_classes=[permissions.AllowAny])
    def free(self, request: Any) -> Response:
        return Response("free")


class Mine(PageNumberPagination):
    page_size = 1


class Own(Inherits):
    permission_classes = [permissions.AllowAny]
    filter_backends: Any = []
    pagination_class: Any = Mine
    throttle_classes: Any = []


class OwnChild(Own):
    pass


class Unpaged(Own):
    pagination_class = None


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    cache.clear()
    for pk, name in enumerate(["anna", "boris", "clara"], 1):
        Group.objects.create(pk=pk, name=name)


async def listed(viewset: Any, user: Any = None, times: int = 1, action: str = "list") -> Any:
    class Consumer(AsyncAPIConsumer):
        routepatterns = (path("groups/", serve(viewset)),)

    async with connect(Consumer.as_asgi(), user=user) as client:
        answers = [await client.call(action, route="groups/") for _ in range(times)]
    return answers[-1]["status"], answers[-1]["data"]


def use(settings: Any, **own: Any) -> None:
    settings.AAAH = {"PLUGIN_SETTINGS": {"drf": own}}


async def test_a_viewset_without_permissions_follows_the_plugins_default(settings: Any) -> None:
    emma = User(pk=1, username="emma")
    assert (await listed(Inherits))[0] == 200
    use(settings, DEFAULT_PERMISSION_CLASSES=["rest_framework.permissions.IsAuthenticated"])
    assert (await listed(Inherits))[0] == 403
    assert (await listed(Inherits, emma))[0] == 200
    assert (await listed(Inherits, action="free"))[0] == 200
    for own in (Own, OwnChild):
        assert (await listed(own))[0] == 200


async def test_a_viewset_without_filters_or_pages_follows_the_plugins_default(
    settings: Any,
) -> None:
    use(
        settings,
        DEFAULT_FILTER_BACKENDS=[NotAnna],
        DEFAULT_PAGINATION_CLASS="rest_framework.pagination.LimitOffsetPagination",
        PAGE_SIZE=1,
    )
    status, data = await listed(Inherits)
    assert (status, data["count"], [each["name"] for each in data["results"]]) == (
        200,
        2,
        ["boris"],
    )
    for own in (Own, OwnChild):
        _, data = await listed(own)
        assert (data["count"], [each["name"] for each in data["results"]]) == (3, ["anna"])
    assert len((await listed(Unpaged))[1]) == 3


class Pages(PageNumberPagination):
    """Has no size of its own."""


class Paged(Inherits):
    pagination_class = Pages


async def test_the_plugins_page_size_is_for_paginators_without_one(settings: Any) -> None:
    use(settings, PAGE_SIZE=2)
    assert len((await listed(Paged))[1]["results"]) == 2
    assert len((await listed(Own))[1]["results"]) == 1


class Few(UserRateThrottle):
    rate = "1/hour"


class OwnRates(UserRateThrottle):
    THROTTLE_RATES = {"user": "3/hour"}


class Users(Inherits):
    throttle_classes = [UserRateThrottle]


class Scoped(Inherits):
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "shelf"


class RatedByClass(Inherits):
    throttle_classes = [OwnRates]


class Properly(Inherits):
    @property
    def throttle_classes(self) -> Any:
        return [Few]


async def test_a_viewset_follows_the_plugins_throttles_and_rates(settings: Any) -> None:
    rates = {"user": "2/hour", "anon": "1/hour", "shelf": "1/hour"}
    use(settings, DEFAULT_THROTTLE_CLASSES=[AnonRateThrottle], DEFAULT_THROTTLE_RATES=rates)
    for viewset, allowed in (
        (Inherits, 1),
        (Users, 2),
        (Scoped, 1),
        (RatedByClass, 3),
        (Properly, 1),
    ):
        cache.clear()
        assert (await listed(viewset, times=allowed))[0] == 200
        assert (await listed(viewset))[0] == 429
    assert (await listed(Own, times=5))[0] == 200


async def test_a_throttle_of_the_parent_and_of_a_viewset_counts_once(settings: Any) -> None:
    use(settings, DEFAULT_THROTTLE_RATES={"user": "2/hour"})

    class Consumer(AsyncAPIConsumer):
        throttle_classes = (UserRateThrottle,)
        routepatterns = (path("groups/", serve(Users)),)

    async with connect(Consumer.as_asgi()) as client:
        found = [(await client.call("list", route="groups/"))["status"] for _ in range(3)]
    assert found == [200, 200, 429]
