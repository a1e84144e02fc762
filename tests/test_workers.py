"""Sync code on worker threads, and its database connections."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import override_settings

from aaah_core import ValidationError, run_sync, workers
from aaah_core.pool import Pool
from aaah_core.running import Running, current_running, current_task
from tests.conftest import python

committed = pytest.mark.django_db(transaction=True)


def make_pool(size):
    with override_settings(AAAH={"SYNC_WORKERS": size}):
        workers._made = None
        return workers._pool()


@pytest.fixture
def one_worker():
    """Let the pool have one thread."""
    pool = make_pool(1)
    yield pool
    pool.shutdown()
    workers._made = None


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


async def test_a_plain_function_may_return_a_coroutine():
    async def later():
        return "later"

    def ask():
        return later()

    assert await (await run_sync(ask)) == "later"


async def test_sync_code_sees_context_variables_and_may_set_them():
    variable = ContextVar("variable", default="default")
    variable.set("outside")

    def work():
        seen = variable.get()
        variable.set("inside")
        return seen

    assert await run_sync(work) == "outside"
    assert variable.get() == "inside"


def test_two_threads_that_need_the_pool_at_once_have_the_same(monkeypatch):
    both, makes = threading.Barrier(2), []

    class Slow(Pool):
        def __init__(self, *args):
            with suppress(threading.BrokenBarrierError):
                both.wait(0.2)  # until the other makes one too, if it does
            makes.append(self)
            super().__init__(*args)

    monkeypatch.setattr(workers, "Pool", Slow)
    workers._made = None
    with ThreadPoolExecutor(2) as threads:
        found = set(threads.map(lambda _: workers._pool(), range(2)))
    assert found == {workers._made} == set(makes)
    workers._made.shutdown()
    workers._made = None


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
        workers._made = None


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


@pytest.mark.parametrize("depth", [1, 6])
async def test_fifty_deep_calls_at_once_need_one_worker(one_worker, depth):
    async def inner(left):
        if left == 0:
            return {await run_sync(threading.current_thread)}
        return await run_sync(outer, left - 1)

    def outer(left):
        return {threading.current_thread()} | async_to_sync(inner)(left)

    seen = await asyncio.wait_for(asyncio.gather(*[run_sync(outer, depth) for _ in range(50)]), 30)
    assert len(seen) == 50
    assert len(set.union(*seen)) == 1


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
    assert not running.threads


async def test_a_call_that_is_cancelled_before_its_thread_began_never_runs(one_worker, running):
    long, never = Job(), Job()
    first = asyncio.create_task(run_sync(long))
    await long.began.wait()
    second = asyncio.create_task(run_sync(never))
    await others_have_a_turn()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not running.threads
    long.go_on.set()
    await first
    await run_sync(int)  # whatever was queued before has had its turn
    assert not never.began.is_set()


async def test_a_job_is_given_up_once(one_worker, running):
    long = Job()
    job = workers._Job(long)
    one_worker.submit(job)
    await long.began.wait()
    assert job.cancel()
    assert not job.cancel()
    assert len(running.threads) == 1
    long.go_on.set()
    await running.wait_for_threads()


async def test_a_bug_in_what_outlived_its_call_is_logged_and_a_refusal_is_not(
    one_worker, running, caplog
):
    for error in (ValidationError("Nobody is told."), LookupError("after the reply")):
        long = Job()

        def fail(error=error, long=long):
            long()
            raise error

        task = asyncio.create_task(run_sync(fail))
        await long.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert caplog.records == []
        long.go_on.set()
        await running.wait_for_threads()
    (record,) = caplog.records
    assert record.exc_info[1].args == ("after the reply",)


async def test_a_call_that_nobody_counts_may_be_outlived_too(one_worker):
    long = Job()
    task = asyncio.create_task(run_sync(long))
    await long.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    long.go_on.set()
    assert await run_sync(lambda: long.ended)


def test_a_thread_that_outlives_its_event_loop_works_on(one_worker):
    began, go_on = threading.Event(), threading.Event()

    def long():
        began.set()
        assert go_on.wait(10)

    async def leave():
        task = asyncio.create_task(run_sync(long))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()

    asyncio.run(leave())
    go_on.set()
    assert asyncio.run(run_sync(threading.current_thread)).name == "aaah"


@pytest.mark.parametrize("fork", ["os.fork()", "os.fork() or os._exit(child())"])
def test_a_forked_process_has_threads_of_its_own_and_leaves_the_parents_alone(fork):
    printed = python(
        f"""
import asyncio, os, threading, warnings
import django
warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: it is what this is of
django.setup()
from aaah_core import run_sync

def run(function):
    return asyncio.run(asyncio.wait_for(run_sync(function), 10))

def child():
    return int(run(os.getpid) != os.getpid())

thread = run(threading.current_thread)
forked = {fork}
if forked:  # without it, the child ends here as any process does
    print(os.waitpid(forked, 0)[1], run(threading.current_thread) is thread)
""",
        DJANGO_SETTINGS_MODULE="aaah_core.testing.settings",
    )
    assert printed == "0 True\n"


async def test_a_call_that_ends_counts_no_longer(running):
    await run_sync(int)
    assert not running.threads

    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        await run_sync(fail)
    assert not running.threads
