"""What a real server sees of the connections that workers keep between calls."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core import mail
from django.db import DatabaseError, connections, transaction

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, watchdog
from aaah_core.testing import connect


class Database:
    """The database of the test; threads remember a connection of each by its alias."""

    numbers = itertools.count()
    alias = ""


def query(sql: str, *parameters: Any) -> Any:
    with connections[Database.alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


class Chat(AsyncAPIConsumer):
    @async_action
    def backend(self, seconds: float = 0.0) -> Any:
        return query("SELECT pg_backend_pid() FROM pg_sleep(%s)", seconds)

    @async_action
    async def backend_of_async_code(self) -> Any:
        return await sync_to_async(query)("SELECT pg_backend_pid()")  # as the async ORM does

    @async_action
    def idle(self) -> None:
        pass

    @async_action
    async def forgive(self) -> None:
        with pytest.raises(DatabaseError):
            await sync_to_async(query)("SELECT pg_terminate_backend(pg_backend_pid(), 5000)::text")

    @async_action
    def end_within(self) -> None:
        with transaction.atomic(using=Database.alias):
            query("SELECT pg_terminate_backend(pg_backend_pid(), 5000)::text")

    @async_action
    def leave_open(self) -> Any:
        transaction.atomic(using=Database.alias).__enter__()
        return query("SELECT pg_advisory_xact_lock(1)::text")

    @async_action
    def lock(self) -> Any:
        return query("SELECT pg_try_advisory_xact_lock(1)")


@pytest.fixture(params=[{}, {"CONN_HEALTH_CHECKS": True}, {"CONN_MAX_AGE": 60}])
def database(
    request: pytest.FixtureRequest,
    postgres: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
) -> Iterator[None]:
    """Serve as where no test runs, with Django's defaults and with what others set."""
    monkeypatch.delattr(mail, "outbox")
    alias = Database.alias = f"aaah_kept_{next(Database.numbers)}"
    own = {"OPTIONS": {}, "PASSWORD": "", **request.param}
    connections.settings[alias] = {**connections.settings["default"], **postgres, **own}
    with django_db_blocker.unblock():
        yield
    if request.param.get("OPTIONS"):
        connections[alias].close_pool()
    del connections.settings[alias]


@pytest.fixture(autouse=True)
async def no_connection_of_async_code(database: None) -> Any:
    yield
    await sync_to_async(connections.close_all)()


def end(pid: int, postgres: dict[str, Any]) -> None:
    """Let the server end a connection."""
    import psycopg

    with psycopg.connect(
        host=postgres["HOST"], port=postgres["PORT"], user="postgres", dbname="postgres"
    ) as own:
        ended = own.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone()
    assert ended == (True,)


async def test_a_connection_is_kept_and_replaced_unnoticed_when_the_server_has_ended_it(
    postgres: dict[str, Any],
) -> None:
    async with connect(Chat.as_asgi()) as client:
        for _ in range(3):
            pid = (await client.call("backend"))["data"]
            assert (await client.call("backend"))["data"] == pid
            end(pid, postgres)
            reply = await client.call("backend")
            assert (reply["status"], reply["data"] == pid) == (200, False)


async def test_a_connection_that_works_is_not_asked_whether_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connect(Chat.as_asgi()) as client:
        before = await client.call("backend")
        asked: list[Any] = []
        wrapper = type(connections[Database.alias])
        monkeypatch.setattr(wrapper, "is_usable", lambda self: not asked.append(self))
        for _ in range(3):
            assert await client.call("backend") == before
    assert asked == []


async def test_async_code_heals_after_the_call_that_met_a_connection_that_ended(
    postgres: dict[str, Any],
) -> None:
    async with connect(Chat.as_asgi()) as client:
        for _ in range(3):
            pid = (await client.call("backend_of_async_code"))["data"]
            end(pid, postgres)
            assert (await client.call("backend_of_async_code"))["status"] >= 500
            assert (await client.call("backend_of_async_code"))["status"] == 200


@pytest.mark.parametrize("database", [{"CONN_MAX_AGE": 60}], indirect=True)
async def test_async_code_that_hides_the_error_heals_when_the_watchdog_has_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "INTERVAL", 0.02)
    async with connect(Chat.as_asgi()) as client:
        assert (await client.call("forgive"))["status"] == 204
        async with asyncio.timeout(30):
            while True:
                # Its own error would heal it, so it asks as code does that hides each.
                try:
                    await sync_to_async(query)("SELECT 1")
                except DatabaseError:
                    await client.call("backend")  # calls run
                else:
                    break


async def test_a_connection_that_ends_within_a_transaction_costs_that_call_and_no_other() -> None:
    async with connect(Chat.as_asgi()) as client:
        for _ in range(3):
            assert (await client.call("end_within"))["status"] >= 500
            assert (await client.call("backend"))["status"] == 200


async def test_a_transaction_that_an_action_leaves_open_holds_no_lock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connect(Chat.as_asgi()) as client:
        for _ in range(3):
            assert (await client.call("leave_open"))["status"] == 200
            assert Database.alias in caplog.text
            caplog.clear()
            assert (await client.call("lock"))["data"] is True


POOL = {"pool": {"min_size": 0, "max_size": 1, "timeout": 5}}


@pytest.mark.parametrize("database", [{"OPTIONS": POOL, "CONN_MAX_AGE": 0}], indirect=True)
async def test_a_connection_of_a_pool_of_djangos_goes_back_to_it_after_each_call() -> None:
    async with connect(Chat.as_asgi()) as client, connect(Chat.as_asgi()) as other:
        for _ in range(3):
            replies = await asyncio.gather(
                client.call("backend", seconds=0.01), other.call("backend", seconds=0.01)
            )
            assert [reply["status"] for reply in replies] == [200, 200]
            assert replies[0]["data"] == replies[1]["data"]


async def test_sync_code_that_may_not_use_the_database_leaves_connections_alone(
    django_db_blocker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(Chat.as_asgi()) as client:
        before = await client.call("backend")
        with django_db_blocker.block():  # as pytest-django does for a test without its mark
            assert (await client.call("idle"))["status"] == 204
        assert await client.call("backend") == before
    assert caplog.records == []
