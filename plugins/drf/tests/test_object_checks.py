"""`get_object` and async checks: where they run, and what they see."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.urls import path
from rest_framework import permissions as drf

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, BasePermission, IsAuthenticated, IsOwner
from aaah_core.testing import connect
from aaah_drf.handlers import GenericAsyncAPIActionHandler

pytestmark = pytest.mark.django_db(transaction=True)

asked: list[threading.Thread] = []


class Notes(BasePermission):
    async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
        asked.append(threading.current_thread())
        return bool(args[-1].name != "secret")


class AlsoNotes(Notes):
    pass


class AsyncOfDRF(drf.BasePermission):
    async def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:  # type: ignore[override]  # on purpose
        asked.append(threading.current_thread())
        return bool(obj.name != "secret")


class SyncOfDRF(drf.BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        asked.append(threading.current_thread())
        return bool(obj.name != "secret")


class Nobody(drf.BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return False


class Named(IsOwner):
    lookup_field = "name"


def consumer(permission: Any, **namespace: Any) -> Any:
    class Handler(GenericAsyncAPIActionHandler):
        queryset = Group.objects.all()
        permission_classes = (permission,)

        @async_action
        def look(self) -> bool:
            self.get_object()
            return all(thread is threading.current_thread() for thread in asked)

        @async_action(atomic=True)
        def make(self) -> str:
            Group.objects.create(pk=7, name="made")
            made = Group.objects.get(pk=7)
            self.check_object_permissions(made)
            return str(transaction.get_connection().in_atomic_block)

    handler = type("Child", (Handler,), namespace)

    class Parent(AsyncAPIConsumer):
        routepatterns = (
            path("groups/", handler.as_aaah()),  # type: ignore[attr-defined]  # made by type()
            path("groups/<int:pk>/", handler.as_aaah()),  # type: ignore[attr-defined]  # as above
        )

    return Parent.as_asgi()


@pytest.fixture(autouse=True)
def groups(db: None) -> None:
    asked.clear()
    Group.objects.create(pk=1, name="anna")
    Group.objects.create(pk=2, name="secret")


@pytest.mark.parametrize(
    "permission",
    [
        Notes,
        AlsoNotes,
        AsyncOfDRF,
        ~~Notes,
        Notes & AlsoNotes,
        Notes & SyncOfDRF,
        SyncOfDRF & Notes,
        Notes | Named,
        Nobody | Notes,
        AsyncOfDRF & Notes,
        (Notes | Nobody) & AlsoNotes,
    ],
)
async def test_what_never_waits_is_asked_in_the_thread_of_the_action(permission: Any) -> None:
    async with connect(consumer(permission)) as client:
        answer = await client.call("look", route="groups/1/")
        assert (answer["status"], answer["data"]) == (200, True)
        assert asked
        assert (await client.call("look", route="groups/2/"))["status"] == 403


async def test_a_call_check_in_an_object_composition_needs_no_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("an event loop was asked")

    monkeypatch.setattr("aaah_core.moments.async_to_sync", refuse)
    async with connect(consumer(~IsAuthenticated | Nobody)) as client:
        assert (await client.call("look", route="groups/1/"))["status"] == 200


class Waits(BasePermission):
    """Awaits the loop, the async ORM, and a task of its own."""

    async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
        obj: Group = args[-1]
        await asyncio.sleep(0)
        found = await Group.objects.filter(pk=obj.pk).aexists()
        other = await asyncio.create_task(Group.objects.filter(pk=obj.pk).acount())
        return found and other == 1 and obj.name != "secret"


@pytest.mark.parametrize("permission", [Waits, Waits & Notes, ~~Waits, Nobody | Waits])
async def test_a_check_that_waits_sees_the_transaction_of_the_action(permission: Any) -> None:
    async with connect(consumer(permission)) as client:
        answer = await client.call("make", route="groups/")
        assert (answer["status"], answer["data"]) == (200, "True")
        assert (await client.call("look", route="groups/2/"))["status"] == 403


async def test_checks_that_wait_do_not_block_one_another_on_every_thread() -> None:
    clients = 24  # more than there are workers
    application = consumer(Waits)

    async def look() -> int:
        async with connect(application) as client:
            return int((await client.call("look", route="groups/1/"))["status"])

    assert await asyncio.gather(*(look() for _ in range(clients))) == [200] * clients


@pytest.mark.parametrize("error", [LookupError, StopIteration, RuntimeError])
async def test_a_coroutine_that_raises_lets_nothing_pass(error: Any) -> None:
    class Raises(BasePermission):
        async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
            raise error

    class RaisesLate(BasePermission):
        async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
            await asyncio.sleep(0)
            raise error

    for permission in (Raises, ~~Raises, RaisesLate, ~~RaisesLate, Raises & Notes):
        async with connect(consumer(permission)) as client:
            assert (await client.call("look", route="groups/1/"))["status"] == 500
