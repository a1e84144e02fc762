"""What only a real server can tell: its errors, its locks, and connections that it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, models, transaction
from django.urls import path
from rest_framework.serializers import ModelSerializer

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler

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
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]


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


async def test_what_the_database_refuses_is_a_409_that_shows_nothing_of_its_rows(
    shelf: Shelf,
) -> None:
    async with connect(Library.as_asgi()) as client:
        other = await client.call("create", route="shelves/", data={"name": "second"})
        assert other["status"] == 201
        pk = other["data"]["id"]
        sent = {"name": "first"}
        for reply in (
            await client.call("create", route="shelves/", data=sent),
            await client.call("update", route="shelves/", pk=pk, data=sent),
            await client.call("partial_update", route="shelves/", pk=pk, data=sent),
        ):
            assert (reply["status"], reply["data"]) == (409, None)
            assert reply["errors"] == [
                {"code": "conflict", "detail": "The change conflicts with what is stored."}
            ]
        # The connection is as good as before.
        assert (await client.call("retrieve", route="shelves/", pk=pk))["data"]["name"] == "second"
    assert await names() == ["first", "second"]


async def test_what_the_database_refuses_only_at_the_commit_is_a_409_too(shelf: Shelf) -> None:
    # The models belong to no installed app, so the ORM knows of no reference: the database does.
    await run_sync(Volume.objects.create, shelf=shelf)
    async with connect(Library.as_asgi()) as client:
        for action in ("remove", "destroy"):
            reply = await client.call(action, route="shelves/", pk=shelf.pk)
            assert (reply["status"], reply["errors"][0]["code"]) == (409, "conflict")
    assert await names() == ["first"]


@pytest.mark.parametrize("route", ["failing/", "elsewhere/"])
@pytest.mark.parametrize("action", ["create", "update", "partial_update", "remove", "destroy"])
async def test_a_write_is_atomic_on_a_database_that_is_not_the_default(
    action: str, route: str, shelf: Shelf
) -> None:
    async with connect(Library.as_asgi()) as client:
        reply = await client.call(action, route=route, pk=shelf.pk, data={"name": "new"})
    assert reply["status"] == 500
    assert await names() == ["first"]


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

    with psycopg.connect(
        host=postgres["HOST"], port=postgres["PORT"], user="postgres", dbname="postgres"
    ) as own:
        ended = own.execute(
            "SELECT count(*) FROM (SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend') AS ended"
        ).fetchone()
    return ended[0] if ended else 0


async def test_a_connection_that_the_server_ended_is_replaced_unnoticed(
    shelf: Shelf, postgres: dict[str, Any]
) -> None:
    async with connect(Library.as_asgi()) as client:
        for _ in range(3):
            before = (await client.call("backend", route="shelves/"))["data"]
            assert end_connections(postgres) >= 1
            for action, data in (("retrieve", {}), ("update", {"name": "again"})):
                reply = await client.call(action, route="shelves/", pk=shelf.pk, data=data)
                assert reply["status"] == 200, reply
            assert (await client.call("backend", route="shelves/"))["data"] != before
