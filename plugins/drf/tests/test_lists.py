from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import path
from django_filters import FilterSet, NumberFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import viewsets
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from rest_framework.serializers import ModelSerializer

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_drf.consumers import GenericAsyncAPIConsumer
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db

NAMES = ["anna", "boris", "clara", "david", "emma", "fred", "gerda"]


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class AtLeast(FilterSet):
    at_least = NumberFilter(field_name="pk", lookup_expr="gte")

    class Meta:
        model = Group
        fields = ("name",)


class NotFred(BaseFilterBackend):
    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.exclude(name="fred")


class Base(GenericAsyncAPIActionHandler):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer

    @async_action
    def list(self) -> Any:
        queryset = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(queryset)
        if page is None:
            return self.get_serializer(queryset, many=True).data
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @async_action
    def look(self) -> Any:
        return self.get_serializer(self.get_object()).data


class Filtered(Base):
    filter_backends = (DjangoFilterBackend, SearchFilter, OrderingFilter, NotFred)
    filterset_class = AtLeast
    search_fields = ("name",)
    ordering_fields = ("name",)


class ByPage(PageNumberPagination):
    page_size = 3
    page_size_query_param = "size"
    max_page_size = 4


class ByCursor(CursorPagination):
    page_size = 3
    ordering = "pk"


class ByOffset(LimitOffsetPagination):
    default_limit = 3


class Numbered(Filtered):
    pagination_class = ByPage


class Offset(Filtered):
    pagination_class = ByOffset


class Cursor(Filtered):
    pagination_class = ByCursor


class Groups(AsyncAPIConsumer):
    routepatterns = (
        path("filtered/", Filtered.as_aaah()),
        path("filtered/<int:pk>/", Filtered.as_aaah()),
        path("numbered/", Numbered.as_aaah()),
        path("offset/", Offset.as_aaah()),
        path("cursor/", Cursor.as_aaah()),
    )


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    for pk, name in enumerate(NAMES, 1):
        Group.objects.create(pk=pk, name=name)


def names(answer: Any) -> Any:
    assert answer["status"] == 200, answer
    data = answer["data"]
    return [each["name"] for each in (data["results"] if isinstance(data, dict) else data)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["anna", "boris", "clara", "david", "emma", "gerda"]),
        ("?name=emma", ["emma"]),
        ("?at_least=5", ["emma", "gerda"]),
        ("?search=da", ["gerda", "david"][::-1]),
        ("?ordering=-name&at_least=4", ["gerda", "emma", "david"]),
        ("?ordering=password", ["anna", "boris", "clara", "david", "emma", "gerda"]),
        ("?name=%65mma", ["emma"]),
        ("?name=fred", []),
    ],
)
async def test_a_list_is_filtered_searched_and_ordered_by_the_query_of_its_route(
    query: str, expected: list[str]
) -> None:
    async with connect(Groups.as_asgi()) as client:
        assert names(await client.call("list", route=f"filtered/{query}")) == expected


async def test_a_filter_that_cannot_be_read_is_a_400_that_names_it() -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("list", route="filtered/?at_least=many")
    assert answer["status"] == 400
    assert [each["field"] for each in answer["errors"]] == [["at_least"]]


async def test_an_object_that_the_filters_leave_out_is_a_404() -> None:
    async with connect(Groups.as_asgi()) as client:
        assert (await client.call("look", route="filtered/5/"))["status"] == 200
        assert (await client.call("look", route="filtered/6/"))["status"] == 404
        assert (await client.call("look", route="filtered/5/?at_least=6"))["status"] == 404


@pytest.mark.parametrize("kind", ["numbered", "offset", "cursor"])
@pytest.mark.parametrize("hosts", [[], ["example.org"]])
async def test_the_links_of_a_page_are_routes_that_can_be_sent_as_they_come(
    kind: str, hosts: list[str], settings: Any
) -> None:
    settings.ALLOWED_HOSTS = hosts
    route: str | None = f"{kind}/?search=a"
    forth, back = [], []
    async with connect(Groups.as_asgi()) as client:
        while route:
            answer = await client.call("list", route=route)
            forth.append(names(answer))
            last, route = route, answer["data"]["next"]
        route = last
        while route:
            answer = await client.call("list", route=route)
            back.append(names(answer))
            route = answer["data"]["previous"]
    assert forth == [["anna", "clara", "david"], ["emma", "gerda"]]
    assert back[::-1] == forth


async def test_a_page_says_what_drf_says() -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("list", route="numbered/?page=2&size=2")
    assert answer["data"] == {
        "count": 6,
        "next": "numbered/?page=3&size=2",
        "previous": "numbered/?size=2",
        "results": [{"id": 3, "name": "clara"}, {"id": 4, "name": "david"}],
    }


@pytest.mark.parametrize("page", ["9", "0", "-1", "x"])
async def test_a_page_that_is_not_there_is_a_404(page: str) -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("list", route=f"numbered/?page={page}")
    assert (answer["status"], answer["errors"][0]["detail"]) == (404, "Invalid page.")


async def test_a_consumer_pages_its_own_list_call_by_call() -> None:
    class Own(Numbered, GenericAsyncAPIConsumer):
        concurrency = 4

    async with connect(Own.as_asgi()) as client:
        first = await client.call("list", route="")
        assert first["data"]["next"] == "?page=2"
        second = await client.call("list", route=first["data"]["next"])
        assert (names(first), names(second)) == (NAMES[:3], ["david", "emma", "gerda"])
        assert second["data"]["previous"] == ""


class Unset(Base):
    pass


class Sized(PageNumberPagination):
    page_size = 5


class OwnSize(Base):
    pagination_class = Sized


async def listed(handler_class: Any, query: str = "") -> Any:
    class Consumer(handler_class, GenericAsyncAPIConsumer):  # type: ignore[misc]  # a parameter
        pass

    async with connect(Consumer.as_asgi()) as client:
        return names(await client.call("list", route=query))


PREFIX = "rest_framework.pagination"


async def test_what_a_handler_leaves_unset_is_what_drfs_settings_say(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        "DEFAULT_PAGINATION_CLASS": f"{__name__}.ByOffset",
        "DEFAULT_FILTER_BACKENDS": [f"{__name__}.NotFred"],
    }
    assert await listed(Unset, "?limit=100") == [each for each in NAMES if each != "fred"]
    assert await listed(Unset) == NAMES[:3]


async def test_the_settings_of_the_plugin_win_over_those_of_drf(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        "DEFAULT_PAGINATION_CLASS": ByOffset,
        "DEFAULT_FILTER_BACKENDS": [f"{__name__}.NotFred"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    }
    settings.AAAH = {
        "PLUGIN_SETTINGS": {
            "drf": {
                "DEFAULT_PAGINATION_CLASS": f"{PREFIX}.PageNumberPagination",
                "PAGE_SIZE": 2,
                "DEFAULT_FILTER_BACKENDS": [],
                "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
            }
        }
    }
    assert await listed(Unset, "?page=3") == ["emma", "fred"]
    assert await listed(OwnSize) == NAMES[:5]


class FromAManager(Base):
    def get_queryset(self) -> Any:
        return Group.objects


class FromAClass(Base):
    def get_queryset(self) -> Any:
        return Group


@pytest.mark.parametrize("handler_class", [FromAManager, FromAClass])
async def test_a_manager_or_a_model_will_do_for_a_queryset(handler_class: Any) -> None:
    class Consumer(handler_class, GenericAsyncAPIConsumer):  # type: ignore[misc]  # a parameter
        pass

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("look", pk=5))["data"]["name"] == "emma"
        assert (await client.call("look", pk=50))["status"] == 404


async def test_a_list_is_read_anew_for_each_call() -> None:
    class Consumer(Base, GenericAsyncAPIConsumer):
        pass

    async with connect(Consumer.as_asgi()) as client:
        before = names(await client.call("list"))
        await run_sync(Group.objects.create, name="henry")
        assert names(await client.call("list")) == [*before, "henry"]


class OnePage(PageNumberPagination):
    page_size = 3


async def test_a_number_sign_in_the_query_stays_in_the_query_of_the_links() -> None:
    class Listed(Base):
        pagination_class = OnePage

    class Above(AsyncAPIConsumer):
        routepatterns = (path("p/", Listed.as_aaah()),)

    seen: list[str] = []
    route = "p/?a=x#page=1"
    async with connect(Above.as_asgi()) as client:
        while route and len(seen) < len(NAMES):
            data = (await client.call("list", route=route))["data"]
            seen += [each["name"] for each in data["results"]]
            route = data["next"]
    assert seen == NAMES


class OddPaths(viewsets.ReadOnlyModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer
    pagination_class = OnePage


class OddHandler(Filtered):
    pagination_class = OnePage


class OddCursor(Filtered):
    pagination_class = ByCursor


@pytest.mark.parametrize("shelf", ["c#", "Books:5", "a b", "ü", "//x", "%23", "[x", "a\tb", "é#:/"])
@pytest.mark.parametrize("served", ["handler", "cursor", "viewset"])
async def test_the_links_of_a_page_keep_the_path_of_the_route(shelf: str, served: str) -> None:
    where = {
        "handler": OddHandler.as_aaah(),
        "cursor": OddCursor.as_aaah(),
        "viewset": serve(OddPaths),
    }[served]

    class Consumer(AsyncAPIConsumer):
        routepatterns = (path("<path:shelf>/list/", where),)

    route = f"{shelf}/list/"
    seen: list[str] = []
    async with connect(Consumer.as_asgi()) as client:
        following = route
        for _ in NAMES:
            answer = await client.call("list", route=following)
            assert answer["status"] == 200, answer
            seen += [each["name"] for each in answer["data"]["results"]]
            if (following := answer["data"]["next"]) is None:
                break
            assert following.startswith(f"{route}?")
        back = answer["data"]["previous"]
        assert (await client.call("list", route=back))["status"] == 200
    assert len(seen) == len(set(seen)) >= 2


class PagedTwice(OddPaths):
    def list(self, request: Any) -> Any:
        self.paginate_queryset(self.get_queryset())
        return super().list(request)


async def test_the_links_of_what_is_paged_twice_in_a_call_are_the_same() -> None:
    class Consumer(AsyncAPIConsumer):
        routepatterns = (path("a b/", serve(PagedTwice)),)

    async with connect(Consumer.as_asgi()) as client:
        answer = await client.call("list", route="a b/")
    assert answer["data"]["next"] == "a b/?page=2"
