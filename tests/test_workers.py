"""Sync code on worker threads, and its database connections."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextvars import ContextVar

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, connections, transaction
from django.test import override_settings

from aaah_core import run_sync, workers
from aaah_core.running import Running, current_running, current_task
from aaah_core.workers import close_old_async_connections, lend

committed = pytest.mark.django_db(transaction=True)


def make_pool(size):
    with override_settings(AAAH={"SYNC_WORKERS": size}):
        workers._pool.cache_clear()
        return workers._pool()


@pytest.fixture
def one_worker():
    """Let the pool have one thread."""
    pool = make_pool(1)
    yield pool
    pool.submit(connections.close_all).result()
    pool.shutdown()
    workers._pool.cache_clear()


@pytest.fixture
async def running():
    """Return what the current task runs, as a connection has it."""
    running = Running(current_task())
    current_running.set(running)
    return running


class Job:
    """Sync code that says when it began and ends when it is told to."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self.began = asyncio.Event()
        self.go_on = threading.Event()
        self.ended = False

    def __call__(self):
        self._loop.call_soon_threadsafe(self.began.set)
        assert self.go_on.wait(10)
        self.ended = True
        return threading.current_thread()


async def others_have_a_turn():
    for _ in range(20):
        await asyncio.sleep(0)


# The pool.


async def test_sync_code_runs_in_a_thread_of_the_pool_and_its_result_is_returned():
    def work(a, *, b):
        return a + b, threading.current_thread().name

    result, name = await run_sync(work, 1, b=2)
    assert result == 3
    assert name.startswith("aaah")


async def test_arguments_may_have_any_name():
    def work(**kwargs):
        return kwargs

    assert await run_sync(work, function=1, executor=2) == {"function": 1, "executor": 2}


async def test_what_sync_code_raises_is_raised():
    def fail():
        raise LookupError("in a worker")

    with pytest.raises(LookupError, match="in a worker"):
        await run_sync(fail)


async def test_an_async_function_is_refused():
    async def work():
        pass

    with pytest.raises(TypeError):
        await run_sync(work)


async def test_sync_code_sees_context_variables_and_may_set_them():
    variable = ContextVar("variable", default="default")
    variable.set("outside")

    def work():
        seen = variable.get()
        variable.set("inside")
        return seen

    assert await run_sync(work) == "outside"
    assert variable.get() == "inside"


async def test_as_many_run_at_once_as_the_pool_has_threads():
    pool = make_pool(2)
    try:
        jobs = [Job(), Job(), Job()]
        tasks = [asyncio.create_task(run_sync(job)) for job in jobs]
        await jobs[0].began.wait()
        await jobs[1].began.wait()
        await others_have_a_turn()
        assert not jobs[2].began.is_set()
        for job in jobs:
            job.go_on.set()
        threads = await asyncio.gather(*tasks)
        assert threads[0] is not threads[1]
        assert threads[2] in threads[:2]
    finally:
        pool.shutdown()
        workers._pool.cache_clear()


async def test_stop_iteration_is_a_runtime_error_and_hangs_nobody():
    def stop():
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        await run_sync(stop)
    assert isinstance(caught.value.__cause__, StopIteration)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_sync(lambda: async_to_sync(run_sync)(stop))


# Below a sync caller.


async def test_below_a_sync_caller_it_runs_on_the_callers_thread(one_worker):
    async def inner():
        return await run_sync(threading.current_thread)

    def outer():
        return threading.current_thread(), async_to_sync(inner)()

    caller, callee = await asyncio.wait_for(run_sync(outer), 5)  # a pool of one, and no deadlock
    assert caller is callee


async def test_below_two_sync_callers_it_runs_on_their_thread_too(one_worker):
    async def inner():
        return await run_sync(threading.current_thread)

    async def middle():
        return await run_sync(lambda: [threading.current_thread(), async_to_sync(inner)()])

    def outer():
        return [threading.current_thread(), *async_to_sync(middle)()]

    assert len(set(await asyncio.wait_for(run_sync(outer), 5))) == 1


def test_below_sync_code_that_is_no_worker_it_runs_on_that_thread_too():
    assert async_to_sync(run_sync)(threading.current_thread) is threading.current_thread()


@committed
async def test_below_a_sync_caller_it_is_in_the_callers_transaction():
    def look():
        return connection.in_atomic_block, Group.objects.count()

    def outer():
        with transaction.atomic():
            Group.objects.create(name="uncommitted")
            seen = async_to_sync(run_sync)(look)
            transaction.set_rollback(True)
        return seen

    assert await run_sync(outer) == (True, 1)
    assert await run_sync(look) == (False, 0)


# Cancelling.


async def test_a_thread_that_outlives_its_call_keeps_its_place_until_it_ends(one_worker, running):
    long, next_job = Job(), Job()
    task = asyncio.create_task(run_sync(long))
    await long.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not long.ended
    assert len(running.threads) == 1
    next_job.go_on.set()
    waiting = asyncio.create_task(run_sync(next_job))
    await others_have_a_turn()
    assert not next_job.began.is_set()
    long.go_on.set()
    await waiting
    assert long.ended
    await running.wait_for_threads()
    assert running.threads == set()


async def test_a_call_that_is_cancelled_before_its_thread_began_never_runs(one_worker, running):
    long, never = Job(), Job()
    first = asyncio.create_task(run_sync(long))
    await long.began.wait()
    second = asyncio.create_task(run_sync(never))
    await others_have_a_turn()
    assert len(running.threads) == 2
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert len(running.threads) == 1
    long.go_on.set()
    await first
    await run_sync(int)  # whatever was queued before has had its turn
    assert not never.began.is_set()
    assert running.threads == set()


def test_a_job_whose_end_was_given_up_before_it_began_does_not_begin():
    ran = []
    job = workers._Job(ran.append, thread_sensitive=False, executor=None)
    job.ended.cancel()
    with pytest.raises(workers.CancelledError):
        job.thread_handler(None, (None, None, None), [], lambda child: child(), ran.append)
    assert ran == []


async def test_a_call_that_ends_counts_no_longer(running):
    await run_sync(int)
    assert running.threads == set()

    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        await run_sync(fail)
    assert running.threads == set()


# Database connections.


def use():
    """Use the database, and return the driver's own connection."""
    assert Group.objects.count() == 0
    return connection.connection


def break_connection():
    """Have the driver's connection die under a query."""
    use().close()
    with pytest.raises(DatabaseError):
        Group.objects.count()


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
async def test_a_connection_that_is_not_to_be_kept_is_closed_after_the_call(one_worker):
    await run_sync(use)
    raw = one_worker.submit(lambda: connection.connection)  # not by way of run_sync, which looks
    assert raw.result() is None


@committed
async def test_a_connection_that_broke_is_closed_after_the_call_and_the_next_works(
    kept, one_worker
):
    await run_sync(break_connection)
    assert one_worker.submit(lambda: connection.connection).result() is None
    assert await run_sync(use) is not None


@committed
async def test_a_connection_of_the_async_orm_that_broke_is_let_go(kept):
    await sync_to_async(break_connection)()
    await close_old_async_connections()
    assert await Group.objects.acount() == 0
    await sync_to_async(connections.close_all)()


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

    before = one_worker.submit(mine).result()
    assert before is not own
    assert await run_sync(mine) is own
    assert one_worker.submit(mine).result() is before


async def test_a_worker_has_its_own_connection_again_also_when_sync_code_raises(own, one_worker):
    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        await run_sync(fail)
    assert one_worker.submit(lambda: connections["default"]).result() is not own


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
    assert workers._lent == {}
