"""A database that crashes, is full, or ends a connection amid a transaction: 503, and it heals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from django.db import connections, transaction

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, publish, run_sync
from aaah_core.testing import connect

ALIAS = "aaah_crashing"


class Held:
    """What the test and its action wait for."""

    taken, free = threading.Event(), threading.Event()


def execute(sql: str) -> Any:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


class Books(AsyncAPIConsumer):
    groups = ("readers",)

    @async_action
    async def hello(self) -> str:
        return "hello"

    @async_action
    def count(self) -> Any:
        return execute("SELECT count(*) FROM book")[0]

    @async_action
    def wrong(self) -> Any:
        return execute("SELECT 1 / 0")

    @async_action
    def add(self) -> None:
        with transaction.atomic(using=ALIAS):
            execute("INSERT INTO book VALUES (1)")
            transaction.on_commit(lambda: publish("readers", "added"), using=ALIAS)
            Held.taken.set()
            assert Held.free.wait(20)
            execute("INSERT INTO book VALUES (2)")


@pytest.fixture
def database(own_cluster: Any, django_db_blocker: Any) -> Iterator[Any]:
    """A server of at most five connections, with a table of books."""
    own_cluster.start(max_connections=5, superuser_reserved_connections=0)
    defaults = connections.settings["default"]
    own = {"OPTIONS": {}, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "PASSWORD": ""}
    connections.settings[ALIAS] = {**defaults, **own_cluster.database, **own}
    Held.taken.clear()
    Held.free.clear()
    with django_db_blocker.unblock():
        execute("DROP TABLE IF EXISTS book")
        execute("CREATE TABLE book (number integer)")
        connections[ALIAS].close()
        yield own_cluster
        Held.free.set()
        connections[ALIAS].close()
        del connections[ALIAS]
    own_cluster.stop()
    del connections.settings[ALIAS]


async def taken() -> None:
    assert await asyncio.to_thread(Held.taken.wait, 10)


def check_unavailable(reply: Any) -> None:
    (error,) = reply["errors"]
    assert (reply["status"], error["code"]) == (503, "database_unavailable"), reply
    assert "127.0.0.1" not in str(reply)


async def test_a_crash_amid_an_action_is_a_503_and_once_it_is_back_the_next_call_works(
    database: Any,
) -> None:
    async with connect(Books.as_asgi(), timeout=20) as client:
        adding = asyncio.create_task(client.call("add"))
        await taken()
        await run_sync(database.stop)
        Held.free.set()
        check_unavailable(await adding)
        assert (await client.call("hello"))["data"] == "hello"
        check_unavailable(await client.call("count"))
        await run_sync(partial(database.start, max_connections=5))
        reply = await client.call("count")
        assert (reply["status"], reply["data"]) == (200, 0)


async def test_a_full_database_is_a_503_at_once_and_works_when_there_is_room(
    database: Any,
) -> None:
    import psycopg

    await run_sync(database.stop)  # and with it whatever connections the workers keep
    await run_sync(partial(database.start, max_connections=5, superuser_reserved_connections=0))
    async with connect(Books.as_asgi()) as client:
        with ExitStack() as others:
            for _ in range(5):
                others.enter_context(
                    psycopg.connect(
                        host="127.0.0.1", port=database.port, user="postgres", dbname="postgres"
                    )
                )
            check_unavailable(await client.call("count"))
            assert (await client.call("hello"))["data"] == "hello"
        async with asyncio.timeout(5):  # a backend is gone soon after its connection
            while (reply := await client.call("count"))["status"] == 503:
                pass
        assert (reply["status"], reply["data"]) == (200, 0)


async def test_a_connection_ended_amid_a_transaction_undoes_it_and_nobody_hears_of_it(
    database: Any,
) -> None:
    import psycopg

    async with connect(Books.as_asgi()) as reader, connect(Books.as_asgi()) as client:
        adding = asyncio.create_task(client.call("add"))
        await taken()
        with psycopg.connect(
            host="127.0.0.1", port=database.port, user="postgres", dbname="postgres"
        ) as own:
            own.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        Held.free.set()
        check_unavailable(await adding)
        assert (await client.call("count"))["data"] == 0
        # The next that it hears of is the next that is added.
        assert (await client.call("add"))["status"] == 204
        assert (await reader.receive())["event"] == "added"
        assert (await client.call("count"))["data"] == 2
        await reader.send({"action": "hello"})
        assert (await reader.receive())["data"] == "hello"  # and it hears of nothing else


async def test_what_is_wrong_with_a_query_is_a_bug_and_not_a_503(database: Any) -> None:
    async with connect(Books.as_asgi()) as client:
        reply = await client.call("wrong")
        assert (reply["status"], reply["errors"][0]["code"]) == (500, "server_error")
        assert (await client.call("count"))["data"] == 0
