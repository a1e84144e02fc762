"""Sync code, in a bounded pool of threads."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, iscoroutinefunction, sync_to_async

from aaah_core import conf
from aaah_core.databases import (
    IDLE,
    close_worker_connections,
    let_go_of_old_connections,
    worker_connections,
)
from aaah_core.errors import RequestError
from aaah_core.logs import log_error
from aaah_core.pool import Pool
from aaah_core.running import current_running

__all__ = ["Workers", "close_old_async_connections", "run_apart", "run_sync", "workers"]

logger = logging.getLogger("aaah.workers")

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
        TypeError: The function is async.
    """
    if getattr(AsyncToSync.executors, "current", None) is not None:
        return await _on_the_callers_thread(function, args, kwargs)  # type: ignore[no-any-return]  # what `function` returns
    return await _in_worker(function, args, kwargs)  # type: ignore[no-any-return]  # the same


async def run_apart(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run sync code as `run_sync` does, but in a thread of its own, however busy the workers are.

    For what no client may keep from being done. The thread ends with it, and its database
    connections are closed.
    """
    if getattr(AsyncToSync.executors, "current", None) is not None:
        return await _on_the_callers_thread(function, args, kwargs)  # type: ignore[no-any-return]  # what `function` returns
    return await _in_own_thread(function, args, kwargs)  # type: ignore[no-any-return]  # the same


async def close_old_async_connections() -> None:
    """Let go of database connections that broke or are old, in the thread that the async ORM uses.

    Channels does this before every message, at 90 µs; but without it, a connection that the
    database dropped would never heal.
    """
    await sync_to_async(let_go_of_old_connections)()


def _call(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        result = function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("sync code raised StopIteration") from error
    if isinstance(result, CoroutineType) and iscoroutinefunction(function):
        result.close()
        raise TypeError(f"{function!r} is async: await it instead")
    return result


def _call_in_worker(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    with worker_connections():
        return _call(function, args, kwargs)


_made: Pool | None = None
_making = threading.Lock()


def _pool() -> Pool:
    return _made or _make()


def _make() -> Pool:
    # asgiref's own pool is one thread, on which all sync code of all sockets would wait in a row.
    global _made
    with _making:  # two event loops may need it at once
        if _made is None:
            _made = Pool(conf.current().SYNC_WORKERS, IDLE, close_worker_connections)
            atexit.register(_made.shutdown)
        return _made


@dataclass(frozen=True, slots=True)
class Workers:
    """The threads for sync code."""

    #: How many there may be: ``AAAH["SYNC_WORKERS"]``.
    size: int
    #: How many run something.
    busy: int
    #: Jobs that wait for a thread.
    waiting: int


def workers() -> Workers:
    """Return what the threads for sync code do now."""
    size = conf.current().SYNC_WORKERS
    if _made is None:
        return Workers(size, 0, 0)
    threads, resting, waiting = _made.state()
    return Workers(size, threads - resting, waiting)


def _leave_it_to_the_parent() -> None:
    # A forked process has none of the threads, and what it writes to their pipes reaches the
    # parent's: it needs a pool of its own, and must not shut this one down as it exits.
    global _made, _making
    _making = threading.Lock()  # a thread that is not here may have held it
    if _made is not None:
        atexit.unregister(_made.shutdown)
        _made = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_it_to_the_parent)


class _Job(asyncio.Future[Any]):
    """Sync code that a thread of the pool runs, and the future of who awaits it.

    All but `__call__` runs on the event loop.
    """

    def __init__(self, code: Callable[[], Any]) -> None:
        super().__init__()
        self._code: Callable[[], Any] | None = code
        #: Empty when a thread has begun, or must not begin any more: one of the two takes it.
        self._turn = [True]
        self._running = current_running.get(None)
        #: Done when the thread has ended that outlives its call.
        self._outlives: asyncio.Future[None] | None = None

    def __call__(self) -> Callable[[], None]:
        code = self._code
        try:
            self._turn.pop()
        except IndexError:
            return _nothing
        try:
            end = partial(self._end, code(), None)  # type: ignore[misc]  # whoever takes the turn finds it
        except BaseException as error:  # noqa: BLE001 - it is for whoever awaits this
            end = partial(self._end, None, error)
        return partial(_tell, self.get_loop(), end)

    def cancel(self, msg: Any | None = None) -> bool:
        """Give it up: it never begins, or its thread counts against the call until it ends."""
        if self.done():
            return False
        try:
            self._turn.pop()
            self._code = None
        except IndexError:
            self._outlives = self.get_loop().create_future()
            if self._running is not None:
                self._running.wait_for(self._outlives)
        return super().cancel(msg)

    def _end(self, result: Any, error: BaseException | None) -> None:
        if self._outlives is not None:
            self._outlives.set_result(None)
            if error is not None and not isinstance(error, RequestError):
                # Its call was answered before, so nobody else hears of it.
                message = "Error %s: sync code failed after its call had ended"
                log_error(logger, error, message)
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(result)


def _nothing() -> None:
    pass


def _tell(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # it is closed, and nobody awaits anything
        loop.call_soon_threadsafe(end)


class _Executor(Executor):
    """The pool, made at its first use."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        # A loop takes its own futures from an executor too, and they cost it half.
        job = _Job(partial(function, *args, **kwargs))
        _pool().submit(job)
        return job


class _OwnThread(Executor):
    """A thread for each job."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        job = _Job(partial(function, *args, **kwargs))
        threading.Thread(target=_do, args=[job], name="aaah-apart", daemon=True).start()
        return job


def _do(job: _Job) -> None:
    end = job()
    close_worker_connections()
    end()


# These carry context variables, and what async_to_sync must find, from thread to thread.
_on_the_callers_thread = SyncToAsync(_call)
_in_worker = SyncToAsync(_call_in_worker, thread_sensitive=False, executor=_Executor())  # type: ignore[arg-type]  # any executor will do
_in_own_thread = SyncToAsync(_call_in_worker, thread_sensitive=False, executor=_OwnThread())  # type: ignore[arg-type]  # the same
