from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import path, re_path
from rest_framework.permissions import BasePermission
from rest_framework.serializers import ModelSerializer, SerializerMethodField

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError, run_sync
from aaah_core import BasePermission as NativePermission
from aaah_core.testing import connect
from aaah_drf.consumers import GenericAsyncAPIConsumer
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer[Group]):
    context_keys = SerializerMethodField()

    class Meta:
        model = Group
        fields = ("id", "name", "context_keys")

    def get_context_keys(self, group: Group) -> list[str]:
        view = self.context["view"]
        assert self.context["request"] is view.request
        assert self.context["handler"] is view
        assert self.context["scope"] is view.scope
        return sorted(self.context)


class NotTheSecretOne(BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj.name != "secret")


class NotTheAsyncOne(NativePermission):
    async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
        group: Group = args[-1]
        return group.name != "async"


class GroupHandler(GenericAsyncAPIActionHandler):
    queryset = Group.objects.all()
    serializer_class: Any = GroupSerializer
    permission_classes: Sequence[Any] = (NotTheSecretOne, NotTheAsyncOne)

    @async_action
    def look(self) -> Any:
        return self.get_serializer(self.get_object()).data

    @async_action
    async def look_async(self) -> Any:
        group = await run_sync(self.get_object)
        return group.name


class ByNameHandler(GroupHandler):
    lookup_field = "name__iexact"
    lookup_url_kwarg = "name"


class BareHandler(GroupHandler):
    queryset = None
    serializer_class = None

    @async_action
    def serializer(self) -> None:
        self.get_serializer()


class Groups(AsyncAPIConsumer):
    routepatterns = (
        path("groups/", GroupHandler.as_aaah()),
        path("groups/<int:pk>/", GroupHandler.as_aaah()),
        re_path(r"text/(?P<pk>[^/]+)/", GroupHandler.as_aaah()),
        path("by-name/", ByNameHandler.as_aaah()),
        path("bare/", BareHandler.as_aaah()),
    )


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="readers")


async def test_the_object_is_the_one_that_the_route_names(group: Group) -> None:
    async with connect(Groups.as_asgi()) as client:
        for route in (f"groups/{group.pk}/", f"text/{group.pk}/"):
            answer = await client.call("look", route=route)
            assert (answer["status"], answer["data"]["name"]) == (200, "readers")


async def test_serializers_know_the_request_the_handler_and_the_scope(group: Group) -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("look", route=f"groups/{group.pk}/")
    assert answer["data"]["context_keys"] == ["format", "handler", "request", "scope", "view"]


async def test_the_message_names_the_object_where_the_route_does_not(group: Group) -> None:
    async with connect(Groups.as_asgi()) as client:
        for pk in (group.pk, str(group.pk)):
            answer = await client.call("look", route="groups/", pk=pk)
            assert (answer["status"], answer["data"]["name"]) == (200, "readers")


async def test_the_route_wins_over_the_message(group: Group) -> None:
    other = await run_sync(Group.objects.create, name="other")
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("look", route=f"groups/{group.pk}/", pk=other.pk)
    assert answer["data"]["name"] == "readers"


async def test_a_key_in_neither_is_a_400_that_names_it() -> None:
    problem = {"code": "required", "detail": "This parameter is required."}
    async with connect(Groups.as_asgi()) as client:
        for route, name in (("groups/", "pk"), ("by-name/", "name")):
            answer = await client.call("look", route=route)
            assert answer["status"] == 400
            assert answer["errors"] == [{**problem, "field": [name]}]


@pytest.mark.parametrize(
    "pk", ["x", "", "1.0", "9" * 200, True, 1.0, 1.5, None, [1], {"a": 1}, 2**63, -(2**63), -1]
)
async def test_a_key_that_is_no_key_is_a_404(pk: Any) -> None:
    await run_sync(Group.objects.create, pk=1, name="readers")
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("look", route="groups/", pk=pk)
    assert (answer["status"], answer["data"]) == (404, None)
    (error,) = answer["errors"]
    assert error["code"] == "not_found"
    # As DRF's views say it, whose words depend on whether the value could be a key at all.
    assert error["detail"] in ("Not found.", "No Group matches the given query.")


@pytest.mark.parametrize("route", ["groups/5000/", "text/no-number/", f"text/{'9' * 200}/"])
async def test_an_object_that_is_not_there_is_a_404(route: str) -> None:
    async with connect(Groups.as_asgi()) as client:
        assert (await client.call("look", route=route))["status"] == 404


async def test_another_lookup_finds_it_by_another_name(group: Group) -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("look", route="by-name/", name="READERS")
    assert answer["data"]["id"] == group.pk


@pytest.mark.parametrize("action", ["look", "look_async"])
@pytest.mark.parametrize("name", ["secret", "async"])
async def test_an_object_that_a_check_refuses_is_a_403(action: str, name: str) -> None:
    group = await run_sync(Group.objects.create, name=name)
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call(action, route=f"groups/{group.pk}/")
    assert (answer["status"], answer["data"]) == (403, None)


async def test_an_async_action_gets_its_object_in_a_worker(group: Group) -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call("look_async", route=f"groups/{group.pk}/")
    assert answer["data"] == "readers"


@pytest.mark.parametrize(
    ("action", "missing"), [("look", "queryset"), ("serializer", "serializer_class")]
)
async def test_a_handler_without_a_queryset_or_serializer_says_so_in_the_log(
    action: str, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(Groups.as_asgi()) as client:
        answer = await client.call(action, route="bare/", pk=1)
    assert answer["status"] == 500
    (record,) = caplog.records
    error = record.exc_info[1] if record.exc_info else None
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith(f"BareHandler has no {missing}")


async def test_a_generic_consumer_does_the_same_without_a_route(group: Group) -> None:
    class Consumer(GroupHandler, GenericAsyncAPIConsumer):
        pass

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("look", pk=group.pk))["data"]["name"] == "readers"


async def test_the_default_permissions_are_those_of_drfs_settings(settings: Any) -> None:
    class Open(GenericAsyncAPIConsumer):
        @async_action
        async def hello(self) -> str:
            return "hello"

    class Closed(Open):
        pass

    async with connect(Open.as_asgi()) as client:
        assert (await client.call("hello"))["status"] == 200
    settings.REST_FRAMEWORK = {
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]
    }
    async with connect(Closed.as_asgi()) as client:
        assert (await client.call("hello"))["status"] == 403


@pytest.mark.parametrize("name", ["anna", "9a", 7, "anna\n", "", "a" * 256, "a" * 257])
async def test_a_message_brings_no_key_that_the_lookups_regex_forbids(name: Any) -> None:
    await run_sync(Group.objects.create, name=str(name))

    class ByName(GenericAsyncAPIActionHandler):
        queryset = Group.objects.all()
        lookup_field = "name"
        lookup_value_regex = "[a-z]+"

        @async_action
        def look(self) -> str:
            return str(self.get_object().name)

    class Names(AsyncAPIConsumer):
        routepatterns = (path("served/", serve(ByName)), path("handled/", ByName.as_aaah()))

    # A longer one the regex is not asked about: on a whole frame it might run for minutes.
    expected = 200 if name in ("anna", "a" * 256) else 404
    async with connect(Names.as_asgi()) as client:
        for route in ("served/", "handled/"):
            assert (await client.call("look", route=route, name=name))["status"] == expected
