"""The database connections of workers: kept, tended, let go of, and lent to sync callers."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.db import database_sync_to_async
from django.contrib.auth.models import Group
from django.core import mail
from django.db import DatabaseError, close_old_connections, connection, connections, transaction
from django.test import TestCase

from aaah_core import databases, run_sync, workers
from aaah_core.databases import lend
from aaah_core.workers import close_old_async_connections
from tests.conftest import InPool
from tests.test_workers import make_pool, one_worker

__all__ = ["one_worker"]  # a fixture

committed = pytest.mark.django_db(transaction=True)


def use():
    """Use the database, and return the driver's own connection."""
    assert Group.objects.count() == 0
    return connection.connection


def break_connection():
    """Have the driver's connection die under a query."""
    use().close()
    with pytest.raises(DatabaseError):
        Group.objects.count()


def mine(pool):
    """Return the driver's connection of the only worker; `run_sync` would tend it before."""
    return InPool(pool, lambda: connection.connection).result(10)


@pytest.fixture
def outside_tests(monkeypatch):
    """Let connections be kept as they are when no test runs."""
    monkeypatch.delattr(mail, "outbox")


@pytest.fixture
def kept(monkeypatch):
    """Let connections be kept between calls, and SQLite's be looked at as a server's are."""

    def is_usable(self):
        try:
            self.connection.execute("SELECT 1")
        except sqlite3.ProgrammingError:
            return False
        return True

    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", None)
    monkeypatch.setattr(type(connections["default"]), "is_usable", is_usable)


@committed
async def test_a_worker_keeps_its_connection_between_calls(kept, one_worker):
    assert await run_sync(use) is await run_sync(use)


@committed
async def test_with_djangos_defaults_a_connection_is_kept_too(outside_tests, one_worker):
    assert await run_sync(use) is await run_sync(use)
    assert mine(one_worker) is not None


@committed
async def test_within_tests_it_is_closed_after_the_call_so_that_nobody_is_connected(one_worker):
    await run_sync(use)
    assert mine(one_worker) is None


@committed
async def test_a_connection_is_replaced_when_it_has_become_old(
    outside_tests, one_worker, monkeypatch
):
    monkeypatch.setattr(databases, "MAX_AGE", 0)
    await run_sync(use)
    assert mine(one_worker) is None


@committed
async def test_a_connection_that_became_old_at_rest_is_not_used_again(outside_tests, one_worker):
    def become_old():
        connection.close_at = 0

    before = await run_sync(use)
    InPool(one_worker, become_old).result(10)
    assert await run_sync(use) is not before


@committed
async def test_a_worker_closes_its_connection_when_it_has_nothing_to_do(outside_tests, monkeypatch):
    monkeypatch.setattr(workers, "IDLE", 0.01)
    pool = make_pool(1)
    try:
        thread, raw = await run_sync(lambda: (threading.current_thread(), use()))
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            raw.execute("SELECT 1")
    finally:
        pool.shutdown()
        workers._made = None


@committed
async def test_a_connection_that_broke_is_closed_after_the_call_and_the_next_works(
    kept, one_worker
):
    await run_sync(break_connection)
    assert mine(one_worker) is None
    assert await run_sync(use) is not None


@committed
async def test_where_only_the_driver_can_tell_it_is_asked_after_a_rest(
    kept, one_worker, monkeypatch
):
    monkeypatch.setattr(databases, "REST", 0)
    raw = await run_sync(use)
    InPool(one_worker, raw.close).result(10)
    assert await run_sync(use) is not raw


@committed
async def test_a_transaction_that_a_call_leaves_open_is_rolled_back(kept, one_worker, caplog):
    def leave_open(begin):
        begin()
        Group.objects.create(name="uncommitted")

    def look():
        return connection.in_atomic_block, connection.get_autocommit(), Group.objects.count()

    for begin in (transaction.atomic().__enter__, lambda: transaction.set_autocommit(False)):
        await run_sync(leave_open, begin)
        assert "'default'" in caplog.text
        caplog.clear()
        assert await run_sync(look) == (False, True, 0)
    assert caplog.records == []


@committed
async def test_what_a_broken_transaction_believed_is_forgotten(kept, one_worker):
    def leave_broken():
        transaction.atomic().__enter__()
        connection.close()

    await run_sync(leave_broken)
    assert await run_sync(use) is not None


@committed
async def test_the_log_of_queries_begins_anew_with_each_call(kept, one_worker, settings):
    settings.DEBUG = True

    def queries():
        use()
        return len(connection.queries)

    assert [await run_sync(queries) for _ in range(3)] == [1, 1, 1]


@committed
async def test_a_copy_of_a_connection_is_left_to_who_made_it(kept, one_worker):
    def copy():
        own = connection.copy()
        own.ensure_connection()
        return own

    def close(own):
        assert own.connection is not None
        own.close()

    await run_sync(use)
    own = await run_sync(copy)
    own.close_at = 0
    await run_sync(close, own)


@committed
async def test_a_connection_that_failed_as_it_was_made_is_not_kept(kept, one_worker, monkeypatch):
    def fail(self):
        raise DatabaseError("not yet")

    monkeypatch.setattr(type(connections["default"]), "init_connection_state", fail)

    def connect():
        with pytest.raises(DatabaseError, match="not yet"):
            connection.ensure_connection()
        connection.errors_occurred = True
        connection.connection.close()

    await run_sync(connect)
    monkeypatch.undo()
    assert mine(one_worker) is None
    assert await run_sync(use) is not None


@committed
async def test_a_connection_that_cannot_be_closed_is_logged_and_costs_no_reply(
    outside_tests, one_worker, monkeypatch, caplog
):
    wrapper = type(connections["default"])
    close = wrapper.close

    def fail(self):
        close(self)
        raise OSError("no way")

    monkeypatch.setattr(databases, "MAX_AGE", 0)
    monkeypatch.setattr(wrapper, "close", fail)
    assert await run_sync(use) is not None
    monkeypatch.undo()
    (record,) = caplog.records
    assert "'default'" in record.getMessage()
    assert record.exc_info[1].args == ("no way",)
    assert await run_sync(use) is not None


# The thread of the async ORM.


@pytest.fixture
async def async_orm():
    """Leave the thread of the async ORM without a connection."""
    yield
    await sync_to_async(connections.close_all)()


@committed
async def test_a_connection_of_the_async_orm_that_broke_is_let_go(kept, async_orm):
    await sync_to_async(break_connection)()
    await close_old_async_connections()
    assert await Group.objects.acount() == 0


@committed
async def test_a_transaction_that_goes_on_in_the_async_orms_thread_is_left_alone(async_orm):
    block = transaction.atomic()
    await sync_to_async(block.__enter__)()
    await Group.objects.acreate(name="uncommitted")
    await close_old_async_connections()
    assert await Group.objects.acount() == 1
    await sync_to_async(transaction.set_rollback)(True)
    await sync_to_async(block.__exit__)(None, None, None)
    assert await Group.objects.acount() == 0


@committed
async def test_letting_go_connects_to_no_database_anew(async_orm, monkeypatch):
    assert await Group.objects.acount() == 0

    def refuse(self):  # as pytest-django does in a test without its mark
        raise RuntimeError("this test has no database")

    with monkeypatch.context() as patch:
        patch.setattr(type(connections["default"]), "ensure_connection", refuse)
        await close_old_async_connections()


@committed
async def test_the_async_orms_log_of_queries_ends_unless_somebody_counts(kept, async_orm, settings):
    settings.DEBUG = True

    def logged():
        return len(connection.queries)

    await Group.objects.acount()
    await close_old_async_connections()
    assert await sync_to_async(logged)() == 0

    def count():
        connection.force_debug_cursor = True

    await sync_to_async(count)()
    await Group.objects.acount()
    await close_old_async_connections()
    assert await sync_to_async(logged)() == 1


# Lending.


@pytest.fixture
def own(db):
    """Return the test's connection, with a row that nobody else sees."""
    Group.objects.create(name="uncommitted")
    return connections["default"]


async def test_workers_use_the_connection_that_a_test_lends_one_at_a_time(own):
    inside = []

    def look():
        inside.append(threading.current_thread())
        assert len(inside) == 1
        seen = connections["default"] is own, Group.objects.count()
        inside.clear()
        return seen

    assert await asyncio.gather(*[run_sync(look) for _ in range(5)]) == [(True, 1)] * 5


async def test_a_worker_has_its_own_connection_again_when_nothing_is_lent(own, one_worker):
    def mine():
        return connections["default"]

    before = InPool(one_worker, mine).result(10)
    assert before is not own
    assert await run_sync(mine) is own
    assert InPool(one_worker, mine).result(10) is before


async def test_a_worker_has_its_own_connection_again_also_when_sync_code_raises(own, one_worker):
    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        await run_sync(fail)
    assert InPool(one_worker, lambda: connections["default"]).result(10) is not own


async def test_the_async_orm_sees_the_transaction_too(own):
    assert await Group.objects.acount() == 1
    await Group.objects.acreate(name="uncommitted as well")
    assert await run_sync(Group.objects.count) == 2
    assert await sync_to_async(lambda: connections["default"])() is own


async def test_letting_go_of_old_connections_does_not_end_the_transaction(own):
    # As Channels does for sessions, for users, and for whoever asks it to.
    assert await database_sync_to_async(Group.objects.count)() == 1
    await sync_to_async(close_old_connections)()
    await run_sync(close_old_connections)
    assert await run_sync(Group.objects.count) == 1


@committed
async def test_the_async_orm_has_its_own_connection_again_when_nothing_is_lent(async_orm):
    assert await sync_to_async(lambda: connections["default"])() is not connections["default"]
    assert await Group.objects.acount() == 0


def test_what_was_lent_is_taken_back_whatever_happens():
    lent = connections["default"]
    assert not lent.allow_thread_sharing

    def fail_meanwhile():
        with lend({"default": lent}):
            assert lent.allow_thread_sharing
            raise LookupError

    with pytest.raises(LookupError):
        fail_meanwhile()
    assert not lent.allow_thread_sharing
    assert "close_if_unusable_or_obsolete" not in vars(lent)
    assert databases._lent == {}


class TestUnderDjangosTestCase(TestCase):
    """Here code runs on the thread of the test, without anything lent."""

    async def test_it_is_in_the_transaction_of_the_test_and_lets_it_live(self):
        await Group.objects.acreate(name="uncommitted")
        assert await run_sync(Group.objects.count) == 1
        await close_old_async_connections()
        assert await run_sync(Group.objects.count) == 1

    def test_it_is_so_in_sync_tests_too(self):
        Group.objects.create(name="uncommitted")
        async_to_sync(close_old_async_connections)()
        assert async_to_sync(run_sync)(Group.objects.count) == 1
