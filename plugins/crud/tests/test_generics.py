from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import path
from rest_framework.permissions import BasePermission
from rest_framework.serializers import ModelSerializer

from aaah_core import AsyncAPIConsumer
from aaah_core.testing import connect
from aaah_crud import consumers, handlers


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


NAMESPACE = {"queryset": Group.objects.all(), "serializer_class": GroupSerializer}
ACTIONS = {
    "Create": {"create"},
    "List": {"list"},
    "Retrieve": {"retrieve"},
    "Update": {"update", "partial_update"},
    "Destroy": {"remove", "destroy"},
    "ListCreate": {"list", "create"},
    "RetrieveUpdate": {"retrieve", "update", "partial_update"},
    "RetrieveDestroy": {"retrieve", "remove", "destroy"},
    "RetrieveUpdateDestroy": {"retrieve", "update", "partial_update", "remove", "destroy"},
    "Model": {"create", "list", "retrieve", "update", "partial_update", "remove", "destroy"},
}


def test_every_generic_class_is_known_here() -> None:
    assert set(handlers.__all__) == {f"{name}APIActionHandler" for name in ACTIONS}
    assert set(consumers.__all__) == {f"{name}APIConsumer" for name in ACTIONS}


def as_child(name: str) -> tuple[Any, str]:
    child = type("Child", (getattr(handlers, f"{name}APIActionHandler"),), NAMESPACE)
    patterns = (path("child/", child.as_aaah()),)  # type: ignore[attr-defined]  # made by type()
    return type("Parent", (AsyncAPIConsumer,), {"routepatterns": patterns}), "child/"


def as_consumer(name: str) -> tuple[Any, str]:
    return type("Owner", (getattr(consumers, f"{name}APIConsumer"),), NAMESPACE), ""


@pytest.fixture
def group(db: None) -> None:
    Group.objects.create(pk=1, name="readers")
    Group.objects.create(pk=2, name="writers")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize("made", [as_child, as_consumer])
@pytest.mark.parametrize("name", ACTIONS)
async def test_a_generic_class_has_its_actions_and_no_others(
    name: str, made: Callable[[str], tuple[Any, str]], codec: str, group: None
) -> None:
    consumer_class, route = made(name)
    consumer_class.codecs = (codec,)
    async with connect(consumer_class.as_asgi(), codec=codec) as client:
        # What removes comes last: the others need a group each.
        replies = {
            action: await client.call(action, route=route, pk=pk, data={"name": action})
            for action, pk in (
                ("create", 1),
                ("list", 1),
                ("retrieve", 1),
                ("update", 1),
                ("partial_update", 1),
                ("remove", 1),
                ("destroy", 2),
            )
        }
    assert {action for action, reply in replies.items() if reply["status"] != 405} == ACTIONS[name]
    assert all(reply["status"] in (200, 201, 204, 405) for reply in replies.values())


#: The seed's table: what each action is over HTTP, and what the generic actions answer.
TABLE = {
    "retrieve": ("GET", 200, {"id": 1, "name": "readers"}),
    "list": ("GET", 200, [{"id": 1, "name": "readers"}, {"id": 2, "name": "writers"}]),
    "create": ("POST", 201, {"name": "new"}),
    "update": ("PUT", 200, {"id": 1, "name": "new"}),
    "partial_update": ("PATCH", 200, {"id": 1, "name": "new"}),
    "remove": ("DELETE", 204, None),
    "destroy": ("DELETE", 204, None),
}


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize("owner", [True, False])
@pytest.mark.parametrize("action", TABLE)
async def test_each_action_of_the_table_stands_for_its_http_request(
    action: str, owner: bool, codec: str, group: None
) -> None:
    method, status, data = TABLE[action]
    asked = []

    class Ask(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            asked.append((request.method, view.action, request.data))
            return True

    own = {**NAMESPACE, "permission_classes": (Ask,), "queryset": Group.objects.order_by("pk")}
    if owner:
        route, consumer_class = "", type("Own", (consumers.ModelAPIConsumer,), own)
    else:
        route, child = "it/", type("Child", (handlers.ModelAPIActionHandler,), own)
        patterns = (path("it/", child.as_aaah()),)  # type: ignore[attr-defined]  # made by type()
        consumer_class = type("Parent", (AsyncAPIConsumer,), {"routepatterns": patterns})
    consumer_class.codecs = (codec,)  # type: ignore[attr-defined]  # made by type()
    sent = {"name": "new"}
    async with connect(consumer_class.as_asgi(), codec=codec) as client:  # type: ignore[attr-defined]  # as above
        reply = await client.call(action, route=route, pk=1, data=sent)
    if action == "create":
        data = {**data, "id": (await Group.objects.alatest("pk")).pk}
    expected = {"errors": [], "data": data, "action": action, "route": route, "status": status}
    assert reply == expected
    assert asked == [(method, "remove" if action == "destroy" else action, sent)]


class OnlyCreates(handlers.CreateAPIActionHandler):
    serializer_class = GroupSerializer


async def test_who_creates_needs_no_queryset(db: None) -> None:
    patterns = (path("x/", OnlyCreates.as_aaah()),)
    consumer_class: Any = type("Parent", (AsyncAPIConsumer,), {"routepatterns": patterns})
    async with connect(consumer_class.as_asgi()) as client:
        assert (await client.call("create", route="x/", data={"name": "new"}))["status"] == 201


class UserSerializer(ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("first_name", "groups")
        read_only_fields = ("groups",)


class UserHandler(handlers.UpdateAPIActionHandler):
    queryset = User.objects.prefetch_related("groups")
    serializer_class = UserSerializer

    def perform_update(self, serializer: Any) -> None:
        user = serializer.save()
        User.groups.through.objects.create(user_id=user.pk, group_id=1)


class Users(AsyncAPIConsumer):
    routepatterns = (path("<int:pk>/", UserHandler.as_aaah()),)


@pytest.fixture
def user(group: None) -> User:
    return User.objects.create(username="emma")


async def test_what_was_read_before_an_update_is_not_answered_after_it(user: User) -> None:
    async with connect(Users.as_asgi()) as client:
        reply = await client.call("update", route=f"{user.pk}/", data={"first_name": "Emma"})
    assert reply["data"] == {"first_name": "Emma", "groups": [1]}
