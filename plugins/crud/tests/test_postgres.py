"""What only a real server can tell: its errors, its locks, and connections that it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, connections, models, transaction
from django.urls import path
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler
from aaah_drf.viewsets import serve

ALIAS = "aaah_postgres"
LABEL = "aaah_postgres_tests"


class Shelf(models.Model):
    name = models.CharField(max_length=20, unique=True)
    books = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = LABEL
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.name


class Volume(models.Model):
    shelf = models.ForeignKey(Shelf, models.PROTECT)

    class Meta:
        app_label = LABEL

    def __str__(self) -> str:
        return str(self.pk)


class Router:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return ALIAS if model._meta.app_label == LABEL else None

    db_for_write = db_for_read

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True


class ShelfSerializer(ModelSerializer[Shelf]):
    class Meta:
        model = Shelf
        fields = ("id", "name", "books")
        extra_kwargs = {"name": {"validators": []}}  # the database alone knows that it is unique


class ShelfHandler(ModelAPIActionHandler):
    queryset = Shelf.objects.all()
    serializer_class = ShelfSerializer

    @async_action
    def add(self, pk: int) -> int:
        with transaction.atomic(using=ALIAS):
            shelf = Shelf.objects.select_for_update().get(pk=pk)
            shelf.books += 1
            shelf.save()
        return shelf.books

    @async_action
    def backend(self) -> Any:
        return backend()

    @async_action
    async def count(self) -> int:
        return await Shelf.objects.acount()

    @async_action
    def swallow(self) -> Any:
        with transaction.atomic(using=ALIAS):
            with suppress(IntegrityError):
                Shelf.objects.create(name="first")
            return Shelf.objects.count()  # no statement passes in a transaction that failed

    @async_action
    def hold(self, pk: int, fails: bool = False) -> None:
        with transaction.atomic(using=ALIAS):
            Shelf.objects.select_for_update().get(pk=pk)
            Held.taken.set()
            assert Held.free.wait(10)
            if fails:
                raise LookupError

    @async_action
    def take_at_once(self, pk: int) -> str:
        with transaction.atomic(using=ALIAS):
            try:
                return Shelf.objects.select_for_update(nowait=True).get(pk=pk).name
            except OperationalError:
                raise PermissionDenied from None

    @async_action
    def cross(self, first: int, then: int) -> None:
        with transaction.atomic(using=ALIAS):
            Shelf.objects.select_for_update().get(pk=first)
            Held.both.wait(10)
            Shelf.objects.select_for_update().get(pk=then)

    @async_action
    def outlive(self) -> None:
        Held.pid = backend()
        Held.taken.set()
        assert Held.free.wait(10)
        Shelf.objects.update(books=9)


class Held:
    """What the test and its actions wait for."""

    taken, free, both = threading.Event(), threading.Event(), threading.Barrier(2)
    pid = 0


def backend() -> Any:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


class ShelfViewSet(ModelViewSet[Shelf]):
    queryset = Shelf.objects.all()
    serializer_class = ShelfSerializer

    @action(detail=True, methods=["post"])
    def fail(self, request: Any, pk: str) -> Response:
        Shelf.objects.filter(pk=pk).update(name="changed")
        if request.data == "in words":
            raise ValidationError("It is wrong.")
        if request.data == "in the database":
            Shelf.objects.create(name="changed")
        raise LookupError


class FailingHandler(ShelfHandler):
    def perform_create(self, serializer: Any) -> None:
        super().perform_create(serializer)
        raise LookupError

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)
        raise LookupError

    def perform_destroy(self, instance: Any) -> None:
        super().perform_destroy(instance)
        raise LookupError


class ElsewhereHandler(FailingHandler):
    queryset = None

    def get_queryset(self) -> Any:
        return Shelf.objects.using(ALIAS)


class Library(AsyncAPIConsumer):
    routepatterns = (
        path("viewset/", serve(ShelfViewSet)),
        path("elsewhere/", ElsewhereHandler.as_aaah()),
        path("shelves/", ShelfHandler.as_aaah()),
        path("failing/", FailingHandler.as_aaah()),
    )


@pytest.fixture(scope="module")
def database(postgres: dict[str, Any], django_db_blocker: Any) -> Iterator[Any]:
    defaults = connections.settings["default"]
    own = {"OPTIONS": {}, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "PASSWORD": ""}
    connections.settings[ALIAS] = {**defaults, **postgres, **own}
    with django_db_blocker.unblock():
        with connections[ALIAS].schema_editor() as editor:
            editor.create_model(Shelf)
            editor.create_model(Volume)
        yield connections[ALIAS]
        connections[ALIAS].close()
        del connections[ALIAS]
    del connections.settings[ALIAS]


@pytest.fixture(autouse=True)
def shelf(database: Any, settings: Any) -> Shelf:
    settings.DATABASE_ROUTERS = [f"{__name__}.Router"]
    database.close_if_unusable_or_obsolete()
    Volume.objects.all().delete()
    Shelf.objects.all().delete()
    return Shelf.objects.create(name="first")


async def names() -> list[str]:
    return await run_sync(lambda: list(Shelf.objects.values_list("name", flat=True)))


@pytest.mark.parametrize("route", ["shelves/", "viewset/"])
async def test_what_the_database_refuses_is_a_409_that_shows_nothing_of_its_rows(
    route: str, shelf: Shelf
) -> None:
    async with connect(Library.as_asgi()) as client:
        other = await client.call("create", route=route, data={"name": "second"})
        assert other["status"] == 201
        pk = other["data"]["id"]
        sent = {"name": "first"}
        for reply in (
            await client.call("create", route=route, data=sent),
            await client.call("update", route=route, pk=pk, data=sent),
            await client.call("partial_update", route=route, pk=pk, data=sent),
        ):
            assert (reply["status"], reply["data"]) == (409, None)
            assert reply["errors"] == [
                {"code": "conflict", "detail": "The change conflicts with what is stored."}
            ]
        # The connection is as good as before.
        assert (await client.call("retrieve", route=route, pk=pk))["data"]["name"] == "second"
    assert await names() == ["first", "second"]


async def test_what_the_database_refuses_only_at_the_commit_is_a_409_too(shelf: Shelf) -> None:
    # The models belong to no installed app, so the ORM knows of no reference: the database does.
    await run_sync(Volume.objects.create, shelf=shelf)
    async with connect(Library.as_asgi()) as client:
        for name in ("remove", "destroy"):
            for route in ("shelves/", "viewset/"):
                reply = await client.call(name, route=route, pk=shelf.pk)
                assert (reply["status"], reply["errors"][0]["code"]) == (409, "conflict")
    assert await names() == ["first"]


@pytest.mark.parametrize("route", ["failing/", "elsewhere/"])
@pytest.mark.parametrize("name", ["create", "update", "partial_update", "remove", "destroy"])
async def test_a_write_is_atomic_on_a_database_that_is_not_the_default(
    name: str, route: str, shelf: Shelf
) -> None:
    async with connect(Library.as_asgi()) as client:
        reply = await client.call(name, route=route, pk=shelf.pk, data={"name": "new"})
    assert reply["status"] == 500
    assert await names() == ["first"]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    ("fails", "status"), [("in words", 400), ("in the database", 409), ("as a bug", 500)]
)
async def test_a_view_that_fails_after_it_wrote_is_undone_where_requests_are_atomic(
    fails: str, status: int, atomic: bool, shelf: Shelf, database: Any
) -> None:
    database.settings_dict["ATOMIC_REQUESTS"] = atomic
    try:
        async with connect(Library.as_asgi()) as client:
            reply = await client.call("fail", route="viewset/", pk=shelf.pk, data=fails)
            assert reply["status"] == status
            # The connection is in no transaction that failed.
            found = await client.call("retrieve", route="viewset/", pk=shelf.pk)
    finally:
        database.settings_dict["ATOMIC_REQUESTS"] = False
    assert found["data"]["name"] == ("first" if atomic else "changed")


async def test_what_is_swallowed_in_a_transaction_ends_it_and_not_the_connection(
    shelf: Shelf,
) -> None:
    async with connect(Library.as_asgi()) as client:
        for _ in range(3):
            assert (await client.call("swallow", route="shelves/"))["status"] == 500
            assert (await client.call("count", route="shelves/"))["data"] == 1
            assert (await client.call("retrieve", route="shelves/", pk=shelf.pk))["status"] == 200
    await let_go_of_the_async_connection()


async def let_go_of_the_async_connection() -> None:
    def close() -> None:
        connections[ALIAS].close()  # that of the thread which the async ORM uses

    await sync_to_async(close)()


@pytest.fixture
def held() -> Any:
    """What actions hold is free again, however the test ends."""
    Held.taken.clear()
    Held.free.clear()
    yield Held
    Held.free.set()


async def taken() -> None:
    assert await asyncio.to_thread(Held.taken.wait, 10)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_row_is_locked_for_others_until_the_action_of_its_socket_ends(
    fails: bool, shelf: Shelf, held: Any
) -> None:
    application = Library.as_asgi()
    async with connect(application) as holder, connect(application) as other:
        holding = asyncio.create_task(
            holder.call("hold", route="shelves/", pk=shelf.pk, fails=fails)
        )
        await taken()
        refused = await other.call("take_at_once", route="shelves/", pk=shelf.pk)
        held.free.set()
        assert (await holding)["status"] == (500 if fails else 204)
        allowed = await other.call("take_at_once", route="shelves/", pk=shelf.pk)
    assert (refused["status"], allowed["status"]) == (403, 200)


async def test_a_client_that_leaves_takes_its_lock_with_it_once_its_action_ends(
    shelf: Shelf, held: Any
) -> None:
    application = Library.as_asgi()
    async with connect(application) as other:
        async with connect(application) as leaver:
            await leaver.send({"action": "hold", "route": "shelves/", "pk": shelf.pk})
            await taken()
        refused = await other.call("take_at_once", route="shelves/", pk=shelf.pk)
        held.free.set()
        # It waits for the lock.
        assert (await other.call("add", route="shelves/", pk=shelf.pk))["data"] == 1
    assert refused["status"] == 403


async def test_a_deadlock_ends_one_of_the_two_calls_and_no_connection(
    shelf: Shelf, database: Any
) -> None:
    application, pk = Library.as_asgi(), shelf.pk
    other = await run_sync(Shelf.objects.create, name="second")
    Held.both.reset()
    async with connect(application) as one, connect(application) as two:
        found = await asyncio.gather(
            one.call("cross", route="shelves/", first=pk, then=other.pk),
            two.call("cross", route="shelves/", first=other.pk, then=pk),
        )
        assert sorted(reply["status"] for reply in found) == [204, 500]
        for client in (one, two):
            for key in (pk, other.pk):
                assert (await client.call("add", route="shelves/", pk=key))["status"] == 200


async def test_locked_rows_are_changed_one_after_another(shelf: Shelf) -> None:
    application = Library.as_asgi()

    async def add_five_times() -> None:
        async with connect(application, timeout=30) as client:
            for _ in range(5):
                reply = await client.call("add", route="shelves/", pk=shelf.pk)
                assert reply["status"] == 200, reply

    await asyncio.gather(*(add_five_times() for _ in range(6)))
    assert await run_sync(lambda: Shelf.objects.get().books) == 30


def end_connections(postgres: dict[str, Any]) -> int:
    """Let the server end every connection but this one, and return how many those were."""
    import psycopg

    others = (
        "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    with psycopg.connect(
        host=postgres["HOST"], port=postgres["PORT"], user="postgres", dbname="postgres"
    ) as own:
        ended = own.execute(f"SELECT count(pg_terminate_backend(pid)) {others}").fetchone()
        # Waited for one after another, so all have been told before.
        own.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")
    return ended[0] if ended else 0


@pytest.mark.parametrize("route", ["shelves/", "viewset/"])
async def test_a_connection_that_the_server_ended_is_replaced_unnoticed(
    route: str, shelf: Shelf, postgres: dict[str, Any]
) -> None:
    async with connect(Library.as_asgi()) as client:
        for _ in range(3):
            before = (await client.call("backend", route="shelves/"))["data"]
            assert end_connections(postgres) >= 1
            for name, data in (("retrieve", {}), ("update", {"name": "again"})):
                reply = await client.call(name, route=route, pk=shelf.pk, data=data)
                assert reply["status"] == 200, reply
            assert (await client.call("backend", route="shelves/"))["data"] != before


async def test_a_connection_that_the_server_ends_amid_an_action_costs_that_call_alone(
    shelf: Shelf, postgres: dict[str, Any], held: Any
) -> None:
    async with connect(Library.as_asgi()) as client:
        outliving = asyncio.create_task(client.call("outlive", route="shelves/"))
        await taken()
        assert end_connections(postgres) >= 1
        held.free.set()
        reply = await outliving
        (error,) = reply["errors"]
        assert (reply["status"], error["code"]) == (503, "database_unavailable")
        assert "terminating" not in error["detail"].lower()
        found = await client.call("retrieve", route="shelves/", pk=shelf.pk)
    assert (found["status"], found["data"]["books"]) == (200, 0)


async def test_the_async_orm_heals_after_the_error_of_a_connection_that_the_server_ended(
    shelf: Shelf, postgres: dict[str, Any]
) -> None:
    async with connect(Library.as_asgi()) as client:
        for _ in range(3):
            assert (await client.call("count", route="shelves/"))["data"] == 1
            assert end_connections(postgres) >= 1
            # Nobody looks at its connection before every call, so one may fail.
            assert (await client.call("count", route="shelves/"))["status"] in (200, 503)
            assert (await client.call("count", route="shelves/"))["data"] == 1
    await let_go_of_the_async_connection()
