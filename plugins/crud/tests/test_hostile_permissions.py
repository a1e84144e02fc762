"""Attempts on permissions; each test names the rule it attacks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import AnonymousUser, Group, User
from django.urls import path
from django.utils.functional import SimpleLazyObject
from rest_framework import permissions as drf
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, BasePermission, IsAuthenticated, IsOwner, apublish, run_sync
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class Base(ModelAPIActionHandler):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer


def consumer(handler_class: Any = Base, *, above: Any = (), **namespace: Any) -> Any:
    handler = type("Handler", (handler_class,), namespace)
    patterns = (path("groups/", handler.as_aaah()), path("groups/<int:pk>/", handler.as_aaah()))  # type: ignore[attr-defined]  # made by type()
    parent: Any = type("Parent", (AsyncAPIConsumer,), {"routepatterns": patterns})
    parent.permission_classes = above
    return parent.as_asgi()


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    for pk, name in enumerate(["anna", "secret"], 1):
        Group.objects.create(pk=pk, name=name)


def kept() -> list[str]:
    return list(Group.objects.order_by("pk").values_list("name", flat=True))


EMMA = User(pk=1, username="emma")
ON_ONE = ("retrieve", "update", "partial_update", "remove", "destroy")


class Deny(drf.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class NotSecret(drf.BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj.name != "secret")


class NativeNotSecret(BasePermission):
    async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
        group: Group = args[-1]
        return group.name != "secret"


class NativeDeny(BasePermission):
    async def has_permission(self, *args: Any, **kwargs: Any) -> bool:
        return False


async def statuses(
    application: Any, pk: int, user: Any = EMMA, more: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, int]:
    found = {}
    async with connect(application, user=user) as client:
        for action in ON_ONE:
            data = {"name": "taken"}
            await client.send(
                {"action": action, "route": "groups/", "pk": pk, "data": data, **more}
            )
            found[action] = (await client.receive())["status"]
    return found


@pytest.mark.parametrize(
    "permission",
    [
        Deny,
        Deny & drf.AllowAny,
        drf.AllowAny & Deny,
        Deny | Deny,
        ~drf.AllowAny,
        ~~Deny,
        ~(drf.AllowAny | Deny),
        Deny & IsAuthenticated,
        IsAuthenticated & Deny,
        Deny | NativeDeny,
        NativeDeny | Deny,
        (drf.IsAuthenticated & NativeDeny) | Deny,
        ~(IsAuthenticated | Deny),
    ],
)
async def test_rule_every_operand_of_a_composition_counts(permission: Any) -> None:
    application = consumer(permission_classes=(permission,))
    assert set((await statuses(application, 1)).values()) == {403}
    async with connect(application, user=EMMA) as client:
        assert (await client.call("list", route="groups/"))["status"] == 403
        assert (await client.call("create", route="groups/", data={"name": "x"}))["status"] == 403


@pytest.mark.parametrize(
    "permission",
    [
        NotSecret,
        NativeNotSecret,
        NotSecret & drf.IsAuthenticated,
        drf.IsAuthenticated & NativeNotSecret,
        NotSecret | Deny,
        Deny | NotSecret,
        NativeNotSecret | Deny,
        NativeDeny | NotSecret,
    ],
)
async def test_rule_an_operand_grants_an_object_only_where_it_granted_the_call(
    permission: Any,
) -> None:
    application = consumer(permission_classes=(permission,))
    assert set((await statuses(application, 2)).values()) == {403}
    assert (await statuses(application, 1))["retrieve"] == 200


class AsyncDeny(drf.BasePermission):
    async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]  # on purpose
        return False


class AsyncNotSecret(drf.BasePermission):
    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:  # type: ignore[override]  # on purpose
        return bool(obj.name != "secret")


@pytest.mark.parametrize(
    "permission",
    [
        AsyncDeny,
        AsyncNotSecret,
        AsyncDeny & drf.AllowAny,
        drf.AllowAny & (drf.AllowAny & AsyncDeny),
        Deny | ~AsyncDeny,
        NativeDeny,
        NativeNotSecret,
        drf.AllowAny & NativeDeny,
        NativeDeny | drf.AllowAny,
        IsAuthenticated,
        IsOwner,
    ],
)
@pytest.mark.parametrize("by_method", [False, True])
async def test_rule_what_a_viewset_cannot_wait_for_lets_nothing_pass(
    permission: Any, by_method: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A view of DRF's would take a coroutine for a yes."""

    class Groups(ModelViewSet[Group]):
        queryset = Base.queryset
        serializer_class = GroupSerializer
        permission_classes = [] if by_method else [permission]

        def get_permissions(self) -> Any:
            return [permission()] if by_method else super().get_permissions()

    class Library(AsyncAPIConsumer):
        routepatterns = (path("groups/", serve(Groups)),)

    assert set((await statuses(Library.as_asgi(), 2)).values()) == {500}
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {TypeError}
    assert await run_sync(kept) == ["anna", "secret"]


async def test_rule_a_list_is_bounded_by_its_queryset_and_not_by_object_permissions() -> None:
    class Bounded(Base):
        def get_queryset(self) -> Any:
            return super().get_queryset().exclude(name="secret")

    async with connect(consumer(permission_classes=(NotSecret,)), user=EMMA) as client:
        # As in DRF, where object permissions say nothing of lists.
        assert len((await client.call("list", route="groups/"))["data"]) == 2
    async with connect(consumer(Bounded), user=EMMA) as client:
        assert len((await client.call("list", route="groups/"))["data"]) == 1
    assert set((await statuses(consumer(Bounded), 2)).values()) == {404}


async def test_rule_objects_are_checked_whatever_get_queryset_returns() -> None:
    for returned in (
        Group.objects,
        Group,
        Group.objects.all(),
        Group.objects.values_list(named=True),
    ):

        class Odd(Base):
            def get_queryset(self) -> Any:
                return returned  # noqa: B023 - used before the loop goes on

        assert set(
            (await statuses(consumer(Odd, permission_classes=(NotSecret,)), 2)).values()
        ) == {403}


async def test_rule_permissions_are_inherited_and_those_of_parents_hold() -> None:
    class Inherits(type("Denied", (Base,), {"permission_classes": (Deny,)})):  # type: ignore[misc]  # made by type()
        pass

    assert set((await statuses(consumer(Inherits), 1)).values()) == {403}
    lax = consumer(permission_classes=(drf.AllowAny,), above=(Deny,))
    assert set((await statuses(lax, 1)).values()) == {403}
    lax = consumer(permission_classes=(), above=(NotSecret,))
    assert set((await statuses(lax, 2)).values()) == {403}
    async_above = consumer(permission_classes=(), above=(NativeNotSecret,))
    assert set((await statuses(async_above, 2)).values()) == {403}


@pytest.mark.parametrize("error", [LookupError, AttributeError, StopIteration, TypeError])
@pytest.mark.parametrize("composed", [lambda p: p, lambda p: ~p, lambda p: p & drf.AllowAny])
async def test_rule_a_check_that_raises_lets_nothing_pass(error: Any, composed: Any) -> None:
    class Raises(drf.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            raise error

    application = consumer(permission_classes=(composed(Raises),))
    assert set((await statuses(application, 1)).values()) == {500}
    assert await run_sync(kept) == ["anna", "secret"]


async def test_rule_a_check_may_read_the_database_in_the_thread_of_the_action() -> None:
    threads = []

    class Reads(drf.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            threads.append(threading.current_thread().name)
            return Group.objects.filter(name="anna").exists()

        def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
            threads.append(threading.current_thread().name)
            return Group.objects.filter(pk=obj.pk, name="anna").exists()

    class Handler(Base):
        @async_action
        def look(self) -> str:
            self.get_object()
            threads.append(threading.current_thread().name)
            return "seen"

    async with connect(consumer(Handler, permission_classes=(Reads,)), user=EMMA) as client:
        assert (await client.call("look", route="groups/1/"))["data"] == "seen"
        assert len(threads) == 3
        assert len(set(threads)) == 1
        assert (await client.call("look", route="groups/2/"))["status"] == 403


ANONYMOUS = [
    None,
    AnonymousUser(),
    SimpleLazyObject(AnonymousUser),
    User(pk=1, username="emma", is_active=False),
    AnonymousUser,
    User,
    "emma",
    {},
    object(),
]


@pytest.mark.parametrize("user", ANONYMOUS)
async def test_rule_nobody_is_authenticated_but_a_user_who_is(user: Any) -> None:
    for permission in (drf.IsAuthenticated, IsAuthenticated, drf.IsAuthenticated & IsAuthenticated):
        application = consumer(permission_classes=(permission,))
        assert set((await statuses(application, 1, user)).values()) == {403}
    reading = consumer(permission_classes=(drf.IsAuthenticatedOrReadOnly,))
    found = await statuses(reading, 1, user)
    assert found.pop("retrieve") == 200
    assert set(found.values()) == {403}


async def test_rule_a_name_that_a_permission_asks_for_cannot_be_gone_around() -> None:
    class NoRemoving(drf.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            return bool(view.action != "remove")

    class NobodysGroup(IsOwner):
        lookup_field = "name"
        check_actions = ("remove",)

    for permission in (NoRemoving, NobodysGroup):
        found = await statuses(consumer(permission_classes=(permission,)), 1)
        assert (found["remove"], found["destroy"]) == (403, 403)


@pytest.mark.parametrize(
    "sent",
    [
        {"user": "root", "is_staff": True},
        {"self": 1, "handler": 2, "scope": {"user": "root"}, "consumer": 3},
        {"kwargs": {"pk": 1}, "args": [1], "partial": True},
        {"permission_classes": [], "queryset": [], "action_map": {}, "method": "GET"},
        {"_aaah": 1, "__class__": "x", "state": {"aaah_drf.request": 1}},
    ],
)
async def test_rule_no_key_of_a_message_changes_who_asks_for_what(sent: dict[str, Any]) -> None:
    application = consumer(permission_classes=(drf.IsAuthenticatedOrReadOnly, NotSecret))
    anonymous = await statuses(application, 1, None, sent)
    assert anonymous.pop("retrieve") == 200
    assert set(anonymous.values()) == {403}
    assert set((await statuses(application, 2, EMMA, sent)).values()) == {403}


@pytest.mark.parametrize(
    ("permission", "user", "passes"),
    [
        (drf.IsAuthenticated, EMMA, True),
        (drf.IsAuthenticated, AnonymousUser(), False),
        (drf.IsAuthenticated, AnonymousUser, False),
        (~drf.IsAuthenticated, EMMA, False),
        (~drf.AllowAny, EMMA, False),
        (drf.IsAuthenticated & drf.IsAdminUser, EMMA, False),
        (drf.IsAuthenticated | drf.IsAdminUser, EMMA, True),
        (IsAuthenticated & drf.IsAdminUser, EMMA, False),
        (drf.AllowAny, AnonymousUser(), True),
    ],
)
async def test_rule_who_may_not_run_an_action_does_not_get_what_it_broadcasts(
    permission: Any, user: Any, passes: bool
) -> None:
    class Room(AsyncAPIConsumer):
        groups = ["room"]
        permission_classes = (permission,)

        async def open(self, event: Any) -> None:
            await self.send_json({"event": "open"})

    async with connect(Room.as_asgi(), user=user) as client:
        await apublish("room", "news", {"secret": 1})
        # Events come in order: this one, which asks nobody, ends the wait for the other.
        await get_channel_layer().group_send("room", {"type": "open"})  # type: ignore[union-attr]  # there is one
        first = await client.receive()
    assert first["event"] == ("news" if passes else "open")
