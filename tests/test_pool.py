"""The threads of the pool: which one works next, and when they end."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import pytest

from aaah_core.pool import Pool
from tests.conftest import InPool


@pytest.fixture
def ended():
    """Return the threads that have ended, each as often as it did."""
    return []


@pytest.fixture
def make(ended):
    """Return what makes a pool, which is shut down after the test."""
    made = []

    def make(size, idle=60):
        made.append(Pool(size, idle, lambda: ended.append(threading.current_thread())))
        return made[-1]

    yield make
    for each in made:
        each.shutdown()


class Job:
    """A job that says when it began and ends when it is told to."""

    def __init__(self):
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self):
        self.began.set()
        assert self.go_on.wait(10)
        return threading.current_thread()


def busy(pool, number):
    """Let so many threads work, and return their jobs and futures."""
    jobs = [Job() for _ in range(number)]
    futures = [InPool(pool, job) for job in jobs]
    for job in jobs:
        assert job.began.wait(10)
    return jobs, futures


def free(jobs, futures):
    """Let one after another end, and return their threads."""
    threads = []
    for job, future in zip(jobs, futures, strict=True):
        job.go_on.set()
        threads.append(future.result(10))
    return threads


def test_a_job_is_given_its_arguments_and_its_result_is_returned(make):
    assert InPool(make(1), divmod, 7, 2).result(10) == (3, 1)


def test_what_a_job_raises_is_raised_and_its_thread_works_on(make):
    def fail():
        raise LookupError

    pool = make(1)
    thread = InPool(pool, threading.current_thread).result(10)
    with pytest.raises(LookupError):
        InPool(pool, fail).result(10)
    assert InPool(pool, threading.current_thread).result(10) is thread


def test_one_job_after_another_needs_one_thread(make):
    pool = make(16)
    threads = {InPool(pool, threading.current_thread).result(10) for _ in range(200)}
    assert len(threads) == 1


def test_the_thread_that_rested_last_works_next(make):
    pool = make(3)
    threads = free(*busy(pool, 3))
    assert len(set(threads)) == 3
    assert free(*busy(pool, 3)) == threads[::-1]


def test_what_has_no_thread_waits_in_the_order_it_came(make):
    pool = make(1)
    jobs, futures = busy(pool, 1)
    ran = []
    waiting = [InPool(pool, ran.append, number) for number in range(5)]
    assert ran == []
    free(jobs, futures)
    for future in waiting:
        future.result(10)
    assert ran == [0, 1, 2, 3, 4]


def test_what_is_cancelled_while_it_waits_never_runs_and_is_soon_forgotten(make):
    pool = make(1)
    jobs, futures = busy(pool, 1)
    waiting = [InPool(pool, pytest.fail) for _ in range(100)]
    assert all(future.cancel() for future in waiting)
    alive = weakref.ref(waiting[0])
    del waiting
    last = InPool(pool, int)
    gc.collect()
    assert alive() is None
    second = InPool(pool, pytest.fail)
    assert second.cancel()
    free(jobs, futures)
    assert last.result(10) == 0
    assert InPool(pool, int).result(10) == 0


def test_what_is_cancelled_behind_one_that_still_waits_is_soon_forgotten_too(make):
    pool = make(1)
    jobs, futures = busy(pool, 1)
    wanted = InPool(pool, int)
    for _ in range(1000):
        InPool(pool, pytest.fail).cancel()
    assert len(pool._waiting) <= 64
    last = InPool(pool, int)
    free(jobs, futures)
    assert (wanted.result(10), last.result(10)) == (0, 0)


def test_a_thread_without_a_job_ends_and_a_new_one_takes_its_place(make, ended):
    pool = make(1, idle=0.01)
    first = InPool(pool, threading.current_thread).result(10)
    first.join(10)
    assert ended == [first]
    second = InPool(pool, threading.current_thread).result(10)
    assert second is not first


def test_threads_that_rest_for_long_end_and_those_that_rested_last_do_not(make, ended):
    pool = make(3, idle=1000)
    threads = free(*busy(pool, 3))
    pool._resting[0].rests_since -= 2000
    pool._dismiss()
    threads[0].join(10)
    assert ended == [threads[0]]
    assert free(*busy(pool, 2)) == [threads[2], threads[1]]


def test_a_pool_that_is_shut_down_runs_what_waits_and_ends_its_threads(make, ended):
    pool = make(2)
    jobs, futures = busy(pool, 2)
    waiting = InPool(pool, int)
    ending = threading.Thread(target=pool.shutdown)
    ending.start()
    while not pool._shut:
        pass
    with pytest.raises(RuntimeError, match="shut down"):
        InPool(pool, int)
    threads = free(jobs, futures)
    assert waiting.result(10) == 0
    ending.join(10)
    assert set(ended) == set(threads)
    assert not any(thread.is_alive() for thread in threads)


def no_thread(self):
    raise RuntimeError("can't start new thread")


def test_a_thread_rests_and_works_on_where_none_can_be_started_to_watch_it(make, monkeypatch):
    monkeypatch.setattr(threading.Timer, "start", no_thread)
    pool = make(1)
    thread = InPool(pool, threading.current_thread).result(5)
    assert InPool(pool, threading.current_thread).result(5) is thread


def test_idle_threads_are_let_go_once_one_can_be_started_to_watch_them(make, monkeypatch):
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Timer, "start", no_thread)
        pool = make(1, idle=0)
        thread = InPool(pool, threading.current_thread).result(5)
    assert InPool(pool, threading.current_thread).result(5) is thread
    thread.join(5)
    assert not thread.is_alive()


def test_a_thread_that_cannot_be_started_leaves_no_pipe_open(make, monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    pool, before = make(1), os.pipe()
    for number in before:
        os.close(number)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.submit(list)
    after = os.pipe()
    for number in after:
        os.close(number)
    assert after == before
