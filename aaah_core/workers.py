"""A bounded pool of threads for sync code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, sync_to_async
from django.db import close_old_connections, connections

from aaah_core import conf
from aaah_core.running import current_running

__all__ = ["close_old_async_connections", "lend", "run_sync"]

P = ParamSpec("P")
R = TypeVar("R")


async def run_sync(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run sync code in a worker thread and return what it returns.

    Below a sync caller that waits in `async_to_sync`, it runs on that caller's thread: same
    database connection, same transaction, and no deadlock however small the pool is. When the
    awaiting call is cancelled, a thread that has begun runs on, and keeps its place in the pool
    until it ends.

    Raises:
        RuntimeError: The code raised StopIteration, which no future can carry.
    """
    if getattr(AsyncToSync.executors, "current", None) is not None:
        return await _Nested(function)(*args, **kwargs)
    job = _Job(function, thread_sensitive=False, executor=_pool())
    running = current_running.get(None)
    threads = running.threads if running is not None else set()
    threads.add(job.ended)
    try:
        return await job(*args, **kwargs)
    finally:
        if job.ended.done() or job.ended.cancel():
            threads.discard(job.ended)


async def close_old_async_connections() -> None:
    """Let go of database connections that broke or are old, in the thread that the async ORM uses.

    Channels does this before every message, at 90 µs; but without it, a connection that the
    database dropped would never heal.
    """
    await sync_to_async(close_old_connections)()


@cache
def _pool() -> ThreadPoolExecutor:
    # asgiref's own pool is one thread, on which all sync code of all sockets would wait in a row.
    return ThreadPoolExecutor(conf.current().SYNC_WORKERS, thread_name_prefix="aaah")


class _Nested(SyncToAsync[P, R]):
    """Runs on the thread of the sync caller, amid its work: its connections are its own."""

    def thread_handler(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().thread_handler(*args, **kwargs)  # type: ignore[no-untyped-call]  # asgiref's
        except StopIteration as error:
            raise RuntimeError("sync code raised StopIteration") from error


class _Job(_Nested[P, R]):
    """Runs in the pool."""

    def __init__(self, function: Callable[P, R], **options: Any) -> None:
        super().__init__(function, **options)
        #: Done when the thread has ended, cancelled when it never began.
        self.ended: Future[None] = Future()

    def thread_handler(self, *args: Any, **kwargs: Any) -> Any:
        if not self.ended.set_running_or_notify_cancel():
            raise CancelledError
        try:
            with _database_connections():
                return super().thread_handler(*args, **kwargs)
        finally:
            self.ended.set_result(None)


#: A test's own connections, by alias: its workers use them, so that they see its transaction.
_lent: dict[str, Any] = {}
_lent_lock = threading.RLock()


@contextmanager
def lend(open_connections: dict[str, Any]) -> Iterator[None]:
    """Let the workers use the connections of a test, one worker at a time."""
    for connection in open_connections.values():
        connection.inc_thread_sharing()
    _lent.update(open_connections)
    try:
        yield
    finally:
        _lent.clear()
        for connection in open_connections.values():
            connection.dec_thread_sharing()


@contextmanager
def _database_connections() -> Iterator[None]:
    if _lent:
        with _lent_lock, _borrowed():
            yield
        return
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


@contextmanager
def _borrowed() -> Iterator[None]:
    own = {alias: connections[alias] for alias in _lent}
    for alias, connection in _lent.items():
        connections[alias] = connection
    try:
        yield
    finally:
        for alias, connection in own.items():
            connections[alias] = connection
