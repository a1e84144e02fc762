from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.http import HttpResponse, JsonResponse
from django.urls import include, path, re_path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, DynamicRoute, Route, SimpleRouter
from rest_framework.serializers import ModelSerializer

from aaah_async_action.decorators import Alias, async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError, run_sync
from aaah_core.testing import connect
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class GroupViewSet(viewsets.ModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer
    lookup_value_converter = "int"

    @action(detail=True)
    def kind(self, request: Any, pk: Any) -> Response:
        return Response(type(pk).__name__)

    @action(detail=False, url_path="by/<str:name>")
    def by(self, request: Any, name: str) -> Response:
        return Response(name)

    @action(detail=False)
    def seen_path(self, request: Any) -> Response:
        return Response(request.path)


class GroupHandler(GenericAsyncAPIActionHandler):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer

    @async_action
    def list(self) -> Any:
        return self.get_serializer(self.get_queryset(), many=True).data

    @async_action(name="create")
    def made(self, data: Any = None) -> Any:
        return Group.objects.create(**data).pk

    @async_action
    def retrieve(self) -> Any:
        return self.get_serializer(self.get_object()).data

    @async_action
    def partial_update(self, data: Any = None) -> Any:
        return self.get_object().pk

    @async_action
    def remove(self) -> None:
        self.get_object().delete()

    destroy = Alias("remove")


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    cache.clear()
    for pk, name in enumerate(["anna", "boris", "clara"], 1):
        Group.objects.create(pk=pk, name=name)


def consumer(*patterns: Any) -> Any:
    return type("Consumer", (AsyncAPIConsumer,), {"routepatterns": patterns}).as_asgi()


async def names() -> list[str]:
    return await run_sync(lambda: list(Group.objects.values_list("name", flat=True).order_by("pk")))


def registered(router: Any) -> Any:
    router.register("groups", GroupViewSet)
    return router


class ReadOnlyRoutes(SimpleRouter):
    routes = [
        Route(r"^{prefix}$", {"get": "list"}, "{basename}-list", False, {"suffix": "List"}),
        Route(r"^{prefix}/{lookup}$", {"get": "retrieve"}, "{basename}-detail", True, {}),
        DynamicRoute(r"^{prefix}/{lookup}/{url_path}$", "{basename}-{url_name}", True, {}),
    ]


class ReadOnlyMap(SimpleRouter):
    def get_method_map(self, viewset: Any, method_map: Any) -> Any:
        mapped = super().get_method_map(viewset, method_map)
        return {method: name for method, name in mapped.items() if method == "get"}


class ReadOnlyDynamic(SimpleRouter):
    def get_routes(self, viewset: Any) -> Any:
        return [
            each._replace(mapping={k: v for k, v in each.mapping.items() if k == "get"})
            for each in super().get_routes(viewset)
        ]


@pytest.mark.parametrize("router_class", [ReadOnlyRoutes, ReadOnlyMap, ReadOnlyDynamic])
async def test_what_a_router_does_not_offer_no_call_reaches(router_class: Any) -> None:
    end = "" if router_class is ReadOnlyRoutes else "/"
    async with connect(consumer(path("", serve(registered(router_class()))))) as client:
        assert (await client.call("list", route=f"groups{end}"))["status"] == 200
        for route in ("groups", "groups/", "groups/1", "groups/1/"):
            for name in ("create", "update", "partial_update", "destroy", "remove"):
                answer = await client.call(name, route=route, pk=1, data={"name": "x"})
                assert answer["status"] in (404, 405)
    assert await names() == ["anna", "boris", "clara"]


class OnlyTheFirst(SimpleRouter):
    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        return "(?P<pk>[1])"


async def test_the_routers_lookup_says_which_keys_there_are() -> None:
    async with connect(consumer(path("", serve(registered(OnlyTheFirst()))))) as client:
        for pk, status in ((1, 200), (2, 404)):
            assert (await client.call("retrieve", route=f"groups/{pk}/"))["status"] == status
            answer = await client.call("retrieve", route="groups/", pk=pk)
            assert answer["status"] == status


class Below(SimpleRouter):
    """Stands below the objects of another router, as the routers of drf-nested-routers do."""

    def __init__(self) -> None:
        super().__init__()
        above = "^parents/(?P<parent_pk>[^/.]+)/"
        self.routes = [each._replace(url=each.url.replace("^", above)) for each in self.routes]


class Child(GroupViewSet):
    def get_queryset(self) -> Any:
        return Group.objects.filter(pk__gt=self.kwargs["parent_pk"]).order_by("pk")


async def test_a_nested_router_is_served_below_its_parent_and_nowhere_else() -> None:
    router = Below()
    router.register("groups", Child)
    async with connect(consumer(path("", serve(router)))) as client:
        listed = await client.call("list", route="parents/2/groups/")
        assert [each["id"] for each in listed["data"]] == [3]
        for route, more in (("parents/2/groups/3/", {}), ("parents/2/groups/", {"pk": 3})):
            assert (await client.call("retrieve", route=route, **more))["status"] == 200
        for route, more in (("parents/2/groups/1/", {}), ("parents/2/groups/", {"pk": 1})):
            assert (await client.call("destroy", route=route, **more))["status"] == 404
        for route in ("groups/", "groups/1/"):
            assert (await client.call("list", route=route))["status"] == 404


async def test_a_router_of_paths_converts_as_in_http() -> None:
    router = registered(SimpleRouter(use_regex_path=False))
    async with connect(consumer(path("", serve(router)))) as client:
        for route, more in (("groups/1/kind/", {}), ("groups/1/", {}), ("groups/", {"pk": "1"})):
            assert (await client.call("kind", route=route, **more))["data"] == "int"
        assert (await client.call("kind", route="groups/", pk="x"))["status"] == 404
        assert (await client.call("by", route="groups/by/anna/"))["data"] == "anna"
        assert (await client.call("by", route="groups/"))["status"] == 405


@pytest.mark.parametrize("is_regex", [True, False])
async def test_a_router_may_have_a_viewset_without_a_prefix(is_regex: bool) -> None:
    router = SimpleRouter(use_regex_path=is_regex)
    router.register("", GroupViewSet)
    async with connect(consumer(path("api/", serve(router)))) as client:
        for route in ("api/", "api/seen_path/"):
            assert (await client.call("seen_path", route=route))["data"] == "/api/seen_path/"
        for route, more in (("api/1/kind/", {}), ("api/1/", {}), ("api/", {"pk": 1})):
            assert (await client.call("kind", route=route, **more))["status"] == 200
        assert len((await client.call("list", route="api/"))["data"]) == 3


class OwnUrls(DefaultRouter):
    def get_urls(self) -> Any:
        return super().get_urls()[:1]


class OwnView(GroupViewSet):
    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        return super().as_view(*args, **kwargs)


def test_a_restriction_that_cannot_be_told_is_refused_at_start() -> None:
    with pytest.raises(ConfigurationError, match=r"OwnUrls makes its URLs by a get_urls\(\)"):
        serve(registered(OwnUrls()))
    with pytest.raises(ConfigurationError, match=r"OwnView has an as_view\(\) of its own"):
        serve(OwnView)


@pytest.mark.parametrize("served", [GroupViewSet, GroupHandler])
async def test_what_a_parent_captured_is_no_key_of_an_object_here(served: Any) -> None:
    patterns = (
        path("a/<int:pk>/b/", serve(served)),
        re_path(r"^c/(?P<pk>\d+)/", include([path("d/", serve(served))])),
    )
    async with connect(consumer(*patterns)) as client:
        for route in ("a/1/b/", "c/1/d/"):
            for name in ("retrieve", "destroy", "remove", "partial_update"):
                answer = await client.call(name, route=route, data={})
                assert (answer["status"], answer["errors"][0]["field"]) == (400, ["pk"])
            answer = await client.call("retrieve", route=route, pk=2)
            assert answer["data"]["name"] == "boris"
            answer = await client.call("retrieve", route=f"{route}3/", pk=2)
            assert answer["data"]["name"] == "clara"
    assert await names() == ["anna", "boris", "clara"]


async def test_a_served_handler_neither_lists_nor_creates_at_an_object() -> None:
    async with connect(consumer(path("h/", serve(GroupHandler)))) as client:
        for name in ("list", "create"):
            answer = await client.call(name, route="h/1/", data={"name": "x"})
            assert answer["status"] == 405
            answer = await client.call(name, route="h/", data={"name": "x"})
            assert answer["status"] == 200
        assert (await client.call("retrieve", route="h/1/"))["status"] == 200


@method_decorator(cache_page(60), name="dispatch")
class Cached(viewsets.ViewSet):
    def list(self, request: Any) -> HttpResponse:
        return JsonResponse({"got": "list"})

    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        return JsonResponse({"got": pk})

    @action(detail=False)
    def extra(self, request: Any) -> HttpResponse:
        return JsonResponse({"got": "extra"})

    @action(detail=True)
    def more(self, request: Any, pk: str) -> HttpResponse:
        return JsonResponse({"got": f"more {pk}"})


async def test_a_cache_tells_objects_and_actions_apart_at_one_route() -> None:
    calls: list[tuple[str, str, dict[str, Any], str]] = [
        ("list", "g/", {}, "list"),
        ("extra", "g/", {}, "extra"),
        ("retrieve", "g/", {"pk": 1}, "1"),
        ("retrieve", "g/", {"pk": 2}, "2"),
        ("retrieve", "g/2/", {}, "2"),
        ("more", "g/", {"pk": 1}, "more 1"),
        ("more", "g/2/", {}, "more 2"),
        ("more", "g/2/more/", {}, "more 2"),
    ]
    async with connect(consumer(path("g/", serve(Cached)))) as client:
        for _ in range(2):
            for name, route, more, expected in calls:
                answer = await client.call(name, route=route, **more)
                assert answer["data"] == {"got": expected}


async def test_the_path_of_a_request_is_the_actions_own() -> None:
    async with connect(consumer(path("g/", serve(GroupViewSet)))) as client:
        for route in ("g/", "g/seen_path/"):
            answer = await client.call("seen_path", route=route)
            assert answer["data"] == "/g/seen_path/"
