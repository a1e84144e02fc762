from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import pytest
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.cache import cache
from django.db import connections, transaction
from django.http import HttpResponse, JsonResponse
from django.urls import include, path, re_path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import permissions, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.throttling import UserRateThrottle

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError, describe, run_sync
from aaah_core.testing import connect
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class Pages(PageNumberPagination):
    page_size = 2


class NotTheSecretOne(permissions.BasePermission):
    message = "That one is secret."

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj.name != "secret")


class GroupViewSet(viewsets.ModelViewSet[Group]):
    """Groups."""

    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer
    permission_classes = [permissions.IsAuthenticatedOrReadOnly, NotTheSecretOne]
    filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]
    filterset_fields = ["name"]
    search_fields = ["name"]
    ordering_fields = ["name"]
    pagination_class = Pages

    @action(detail=False)
    def count(self, request: Any) -> Response:
        """Say how many there are."""
        return Response({"count": self.get_queryset().count(), "method": request.method})

    @action(detail=True, methods=["post"], permission_classes=[permissions.IsAdminUser])
    def rename(self, request: Any, pk: str) -> Response:
        group = self.get_object()
        group.name = request.data["name"]
        group.save()
        return Response(self.get_serializer(group).data)

    @action(detail=True, methods=["get", "put"])
    def name_of(self, request: Any, pk: str | None = None) -> Response:
        return Response([request.method, self.action, pk])

    @name_of.mapping.delete
    def forget(self, request: Any, pk: str | None = None) -> Response:
        return Response([request.method, self.action, pk], status=202)

    @action(detail=True, url_path=r"members/(?P<member>\d+)")
    def member(self, request: Any, pk: str, member: str) -> Response:
        return Response([pk, member])

    @action(detail=False)
    def rows(self, request: Any) -> Response:
        return Response({"rows": Group.objects.order_by("pk").values("name")})

    @action(detail=False)
    def raw(self, request: Any) -> HttpResponse:
        return JsonResponse({"raw": True})


class Library(AsyncAPIConsumer):
    routepatterns = (path("groups/", serve(GroupViewSet)),)


ADMIN = User(pk=1, username="root", is_staff=True)
EMMA = User(pk=2, username="emma")


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    cache.clear()
    for pk, name in enumerate(["anna", "boris", "secret"], 1):
        Group.objects.create(pk=pk, name=name)


def consumer(*patterns: Any, **namespace: Any) -> Any:
    return type("Consumer", (AsyncAPIConsumer,), {"routepatterns": patterns, **namespace}).as_asgi()


async def test_a_viewset_has_its_six_actions_on_its_two_routes() -> None:
    async with connect(Library.as_asgi(), user=EMMA) as client:
        listed = await client.call("list", route="groups/?ordering=-name")
        assert listed["status"] == 200
        assert listed["data"]["count"] == 3
        assert listed["data"]["next"] == "groups/?ordering=-name&page=2"
        assert [each["name"] for each in listed["data"]["results"]] == ["secret", "boris"]
        more = await client.call("list", route=listed["data"]["next"])
        assert [each["name"] for each in more["data"]["results"]] == ["anna"]
        created = await client.call("create", route="groups/", data={"name": "clara"})
        assert (created["status"], created["data"]["name"]) == (201, "clara")
        route = f"groups/{created['data']['id']}/"
        updated = await client.call("update", route=route, data={"name": "claire"})
        assert (updated["status"], updated["data"]["name"]) == (200, "claire")
        patched = await client.call("partial_update", route=route, data={})
        assert patched["data"]["name"] == "claire"
        assert (await client.call("retrieve", route=route))["data"] == patched["data"]
        removed = await client.call("remove", route=route)
        assert removed == {
            "errors": [],
            "data": None,
            "action": "remove",
            "route": route,
            "status": 204,
        }
        assert (await client.call("destroy", route="groups/1/"))["status"] == 204
        assert (await client.call("retrieve", route=route))["status"] == 404


@pytest.mark.parametrize(("name", "route"), [("list", "groups/1/"), ("create", "groups/1/")])
async def test_what_http_does_not_offer_at_a_path_is_a_405(name: str, route: str) -> None:
    async with connect(Library.as_asgi(), user=EMMA) as client:
        assert (await client.call(name, route=route))["status"] == 405


async def test_the_key_may_come_in_the_message_and_the_route_wins() -> None:
    async with connect(Library.as_asgi(), user=EMMA) as client:
        for pk in (2, "2"):
            answer = await client.call("retrieve", route="groups/", pk=pk)
            assert answer["data"]["name"] == "boris"
        assert (await client.call("retrieve", route="groups/1/", pk=2))["data"]["name"] == "anna"
        missing = await client.call("retrieve", route="groups/")
        assert (missing["status"], missing["errors"][0]["field"]) == (400, ["pk"])
        for pk in (None, True, 1.0, [1], {"a": 1}, "", "1/", "1.json", "x", 99, "../1"):
            assert (await client.call("retrieve", route="groups/", pk=pk))["status"] == 404


async def test_every_action_can_be_called_by_its_name_and_at_its_path() -> None:
    async with connect(Library.as_asgi(), user=EMMA) as client:
        for route in ("groups/", "groups/count/"):
            answer = await client.call("count", route=route)
            assert answer["data"] == {"count": 3, "method": "GET"}
        for route, more in (("groups/1/", {}), ("groups/1/name_of/", {}), ("groups/", {"pk": 1})):
            get = await client.call("name_of", route=route, **more)
            assert get["data"] == ["GET", "name_of", "1"]
            put = await client.call("name_of", route=route, data={}, **more)
            assert put["data"] == ["PUT", "name_of", "1"]
            forget = await client.call("forget", route=route, **more)
            assert (forget["status"], forget["data"]) == (202, ["DELETE", "forget", "1"])
        member = await client.call("member", route="groups/1/members/7/")
        assert member["data"] == ["1", "7"]
        assert (await client.call("member", route="groups/1/"))["status"] == 405
        assert (await client.call("count", route="groups/1/"))["status"] == 405


async def test_what_a_viewset_returns_that_no_serializer_made_is_answered_too() -> None:
    async with connect(Library.as_asgi(), user=EMMA) as client:
        rows = await client.call("rows", route="groups/")
        assert rows["data"]["rows"][0] == {"name": "anna"}
        assert (await client.call("raw", route="groups/"))["data"] == {"raw": True}


class Values(viewsets.ViewSet):
    @action(detail=False)
    def values(self, request: Any) -> Response:
        names = Group.objects.order_by("pk").values_list("name", flat=True)
        return Response(
            OrderedDict(
                generator=(number for number in (1, 2)),
                view={1: "a"}.values(),
                inside=(names, [names.iterator()]),
                subclass=SerializedList([names]),
            )
        )


class SerializedList(list[Any]):
    pass


async def test_what_drf_encodes_as_a_list_is_a_list() -> None:
    three = ["anna", "boris", "secret"]
    async with connect(consumer(path("v/", serve(Values)))) as client:
        answer = await client.call("values", route="v/")
    assert answer["status"] == 200
    assert answer["data"] == {
        "generator": [1, 2],
        "view": ["a"],
        "inside": [three, [three]],
        "subclass": [three],
    }


async def test_the_permissions_are_the_viewsets_and_the_user_is_the_sockets() -> None:
    refused = "Authentication credentials were not provided."
    for user in (AnonymousUser(), AnonymousUser, None):
        async with connect(Library.as_asgi(), user=user) as client:
            assert (await client.call("list", route="groups/"))["status"] == 200
            for name in ("update", "partial_update", "remove", "destroy", "rename", "forget"):
                answer = await client.call(name, route="groups/1/", data={"name": "x"})
                assert answer["status"] == 403
                assert answer["errors"] == [{"code": "not_authenticated", "detail": refused}]
            assert (await client.call("create", route="groups/"))["status"] == 403
    async with connect(Library.as_asgi(), user=EMMA) as client:
        for route in ("groups/3/", "groups/"):
            answer = await client.call("retrieve", route=route, pk=3)
            assert answer["status"] == 403
            assert answer["errors"][0]["detail"] == "That one is secret."
        for route in ("groups/1/", "groups/1/rename/"):
            answer = await client.call("rename", route=route, data={"name": "x"})
            assert answer["status"] == 403
    async with connect(Library.as_asgi(), user=ADMIN) as client:
        answer = await client.call("rename", route="groups/1/", data={"name": "x"})
        assert (answer["status"], answer["data"]["name"]) == (200, "x")


async def test_the_checks_of_the_parents_come_first_and_know_the_method() -> None:
    class Parent(permissions.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return bool(view.action != "create")

        def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
            return bool(obj.name != "boris")

    application = consumer(path("groups/", serve(GroupViewSet)), permission_classes=(Parent,))
    async with connect(application, user=EMMA) as client:
        assert (await client.call("create", route="groups/", data={}))["status"] == 403
        assert (await client.call("retrieve", route="groups/1/"))["status"] == 200
        assert (await client.call("retrieve", route="groups/2/"))["status"] == 403
        assert (await client.call("retrieve", route="groups/3/"))["status"] == 403


async def test_errors_name_their_fields() -> None:
    async with connect(Library.as_asgi(), user=EMMA) as client:
        answer = await client.call("create", route="groups/", data={"name": "x" * 200})
        many = await client.call("list", route="groups/?page=99")
    assert answer["status"] == 400
    assert [(each["code"], each["field"]) for each in answer["errors"]] == [
        ("max_length", ["name"])
    ]
    assert (many["status"], many["errors"][0]["code"]) == (404, "not_found")


class Few(UserRateThrottle):
    rate = "1/day"


class Views:
    """What the instances of a viewset were."""

    seen: list[Any] = []


class Watched(GroupViewSet):
    throttle_classes = [Few]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        Views.seen.append((self, self.action, request, threading.current_thread().name))


async def test_the_throttles_are_the_viewsets() -> None:
    application = consumer(path("g/", serve(Watched)))
    async with connect(application, user=EMMA) as client:
        assert (await client.call("retrieve", route="g/1/"))["status"] == 200
        answer = await client.call("retrieve", route="g/1/")
    assert answer["status"] == 429
    assert answer["errors"][0]["retry_after"] > 80_000


class Four(UserRateThrottle):
    rate = "4/day"


class Throttled(GroupViewSet):
    throttle_classes = [Four]


class ThrottledHandler(GenericAsyncAPIActionHandler):
    throttle_classes = (Four,)
    throttle_scope = "of no concern to a throttle that is not scoped"

    @async_action
    def list(self) -> list[int]:
        return []


@pytest.mark.parametrize("served", [Throttled, ThrottledHandler])
async def test_one_call_counts_once_though_a_parent_has_the_same_throttle(served: Any) -> None:
    application = consumer(path("g/", serve(served)), throttle_classes=(Four,))
    async with connect(application, user=EMMA) as client:
        found = [(await client.call("list", route="g/"))["status"] for _ in range(5)]
    assert found == [200, 200, 200, 200, 429]


class Stricter(GroupViewSet):
    def get_throttles(self) -> Any:
        throttle = Four()
        throttle.num_requests, throttle.rate = 1, "1/day"
        return [throttle]


async def test_a_viewset_may_be_stricter_with_the_throttle_of_its_parent() -> None:
    application = consumer(path("g/", serve(Stricter)), throttle_classes=(Four,))
    async with connect(application, user=EMMA) as client:
        assert (await client.call("list", route="g/"))["status"] == 429


class Unthrottled(Watched):
    throttle_classes = []


async def test_each_call_has_an_instance_of_its_own_and_one_thread() -> None:
    Views.seen.clear()
    application = consumer(path("g/", serve(Unthrottled)), concurrency=4)
    async with connect(application, user=EMMA) as client:
        for name in ("retrieve", "remove", "retrieve"):
            await client.call(name, route="g/1/")
    views, actions, requests, _ = zip(*Views.seen, strict=True)
    assert len({id(view) for view in views}) == len({id(request) for request in requests}) == 3
    assert actions == ("retrieve", "destroy", "retrieve")
    assert all(isinstance(view, Unthrottled) for view in views)


@method_decorator(login_required, name="dispatch")
class Decorated(GroupViewSet):
    permission_classes = [permissions.AllowAny]


urlpatterns: list[Any] = []


async def test_a_decorator_of_dispatch_guards_the_socket_too(settings: Any) -> None:
    settings.ROOT_URLCONF, settings.LOGIN_URL = __name__, "/login/"
    application = consumer(path("groups/", serve(Decorated)))
    for user in (None, AnonymousUser(), AnonymousUser):
        async with connect(application, user=user) as client:
            answer = await client.call("retrieve", route="groups/1/")
            assert answer["status"] == 302
            assert set(answer["data"]) == {"location"}
    async with connect(application, user=EMMA) as client:
        assert (await client.call("retrieve", route="groups/1/"))["status"] == 200


class Cached(viewsets.ViewSet):
    @method_decorator(cache_page(60))
    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        return JsonResponse({"pk": pk})


async def test_a_cached_page_of_one_object_is_not_answered_for_another() -> None:
    application = consumer(path("groups/", serve(Cached)))
    async with connect(application) as client:
        for pk in ("1", "2", "1"):
            answer = await client.call("retrieve", route=f"groups/{pk}/")
            assert answer["data"] == {"pk": pk}


class OwnErrors(GroupViewSet):
    http_method_names = ["get", "head"]

    def get_permissions(self) -> Any:
        if self.action == "retrieve":
            return [permissions.IsAdminUser()]
        return super().get_permissions()

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, LookupError):
            exc = NotFound("Looked up in vain.")
        return super().handle_exception(exc)

    @action(detail=False)
    def fail(self, request: Any) -> Response:
        raise LookupError


async def test_what_a_viewset_overrides_is_asked() -> None:
    application = consumer(path("groups/", serve(OwnErrors)))
    async with connect(application, user=EMMA) as client:
        assert (await client.call("list", route="groups/"))["status"] == 200
        assert (await client.call("retrieve", route="groups/1/"))["status"] == 403
        assert (await client.call("remove", route="groups/1/"))["status"] == 405
        assert (await client.call("rename", route="groups/1/"))["status"] == 405
        answer = await client.call("fail", route="groups/")
    assert (answer["status"], answer["errors"][0]["detail"]) == (404, "Looked up in vain.")


class ByName(viewsets.ReadOnlyModelViewSet[Group]):
    queryset = Group.objects.all()
    serializer_class = GroupSerializer
    lookup_field = "name"
    lookup_url_kwarg = "called"
    lookup_value_regex = "[a-z]+"


class NoSlash(SimpleRouter):
    def __init__(self) -> None:
        super().__init__(trailing_slash=False)


@pytest.mark.parametrize(
    ("router", "end"), [(DefaultRouter(), "/"), (SimpleRouter(), "/"), (NoSlash(), "")]
)
async def test_a_router_is_served_whole(router: Any, end: str) -> None:
    router.register("groups", GroupViewSet)
    router.register("named", ByName, basename="named")
    router.register(r"inside/(?P<shelf>\d+)/cached", Cached, basename="cached")
    application = consumer(path("api/", serve(router)))
    async with connect(application, user=EMMA) as client:
        assert (await client.call("list", route=f"api/groups{end}"))["data"]["count"] == 3
        assert (await client.call("count", route=f"api/groups/count{end}"))["status"] == 200
        assert (await client.call("retrieve", route=f"api/groups/1{end}"))["status"] == 200
        assert (await client.call("member", route=f"api/groups/1/members/2{end}"))["status"] == 200
        assert (await client.call("retrieve", route=f"api/named/anna{end}"))["data"]["id"] == 1
        assert (await client.call("retrieve", route=f"api/named/1{end}"))["status"] == 404
        found = await client.call("retrieve", route=f"api/named{end}", called="boris")
        assert found["data"]["id"] == 2
        assert (await client.call("list", route=f"api/nothing{end}"))["status"] == 404


async def test_a_served_viewset_may_stand_below_include_and_captures() -> None:
    class Inside(viewsets.ViewSet):
        def list(self, request: Any, shelf: int) -> Response:
            return Response([shelf, self.kwargs])

    application = consumer(path("a/", include([re_path(r"(?P<shelf>\d+)/", serve(Inside))])))
    async with connect(application) as client:
        answer = await client.call("list", route="a/7/")
    assert answer["data"] == ["7", {"shelf": "7"}]


class Shelf(GenericAsyncAPIActionHandler):
    queryset = Group.objects.order_by("pk")
    lookup_field = "name"

    @async_action
    def list(self) -> Any:
        return [group.name for group in self.get_queryset()]

    @async_action
    def retrieve(self) -> Any:
        return self.get_object().pk


async def test_a_handler_is_served_on_both_routes() -> None:
    application = consumer(path("groups/", serve(Shelf)))
    async with connect(application) as client:
        assert (await client.call("list", route="groups/"))["data"] == ["anna", "boris", "secret"]
        assert (await client.call("retrieve", route="groups/boris/"))["data"] == 2
        assert (await client.call("retrieve", route="groups/", name="boris"))["data"] == 2


class Writer(viewsets.ViewSet):
    def create(self, request: Any) -> Response:
        Group.objects.create(name="written")
        raise LookupError

    @transaction.non_atomic_requests
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)


class AtomicWriter(Writer):
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)


@pytest.mark.parametrize(("viewset", "kept"), [(Writer, True), (AtomicWriter, False)])
async def test_atomic_requests_are_atomic(viewset: Any, kept: bool, settings: Any) -> None:
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    try:
        async with connect(consumer(path("x/", serve(viewset)))) as client:
            assert (await client.call("create", route="x/"))["status"] == 500
    finally:
        connections.settings["default"]["ATOMIC_REQUESTS"] = False
    assert await run_sync(Group.objects.filter(name="written").exists) is kept


def test_what_a_viewset_offers_can_be_asked() -> None:
    consumer_class = type("Asked", (AsyncAPIConsumer,), {"routepatterns": Library.routepatterns})
    routes = {
        each["route"]: {action["name"] for action in each["actions"]}
        for each in describe(consumer_class)["routes"]
    }
    single = {"retrieve", "update", "partial_update", "destroy", "remove"}
    extras = {"rename", "name_of", "forget"}
    assert routes["groups/^$"] == {"list", "create", "count", "rows", "raw"} | single | extras
    assert routes["groups/^(?P<pk>[^/.]+)/$"] == single | extras


@pytest.mark.parametrize("wrong", [Group, GroupSerializer, GroupViewSet(), "viewset", None])
def test_what_cannot_be_served_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"serve\(\) takes a viewset class"):
        serve(wrong)
