"""Database connections: those that worker threads keep between calls, and those of a test."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from asgiref.sync import SyncToAsync
from django.core import mail
from django.db import connections
from django.db.backends.signals import connection_created

from aaah_core.logs import log_error

__all__ = [
    "IDLE",
    "close_worker_connections",
    "lend",
    "let_go_of_old_connections",
    "worker_connections",
]

logger = logging.getLogger("aaah.workers")

#: Seconds without a call after which a worker closes its connections.
IDLE = 10.0

#: Seconds after which a connection is replaced where CONN_MAX_AGE is 0, Django's default.
MAX_AGE = 60.0

#: Seconds of rest after which a driver is asked whether its connection works, where the operating
#: system cannot tell.
REST = 1.0


class _Kept(threading.local):
    """The connections that were open in a worker thread when its last call ended."""

    def __init__(self) -> None:
        #: None in a thread that is no worker.
        self.opened: list[Any] | None = None
        self.rests_since = 0.0


_kept = _Kept()


@contextmanager
def worker_connections() -> Iterator[None]:
    """Run one call in a worker thread: its connections work, and it leaves nothing behind.

    Instead of connecting for every message, as Django's defaults would: a connection lives for
    CONN_MAX_AGE seconds (or `MAX_AGE`), and as long as its worker has something to do. Connections
    of a pool of Django's own go back to that pool after each call.
    """
    if _lent:
        with _lent_lock, _borrowed():
            yield
        return
    if _kept.opened is None:
        _kept.opened = []
    for connection in _kept.opened:
        _tend(connection, _prepare)
    try:
        yield
    finally:
        own = dict.fromkeys((*_kept.opened, *connections.all(initialized_only=True)))
        for connection in own:
            _tend(connection, _leave)
        _kept.opened = [connection for connection in own if connection.connection is not None]
        _kept.rests_since = time.monotonic()


def close_worker_connections() -> None:
    """Close what this thread has opened: it ends."""
    for connection in _kept.opened or ():
        _tend(connection, _close)


def _opened(*, connection: Any, **kwargs: Any) -> None:
    """Let a connection that a worker has opened live for longer than the call."""
    options = connection.settings_dict
    if _kept.opened is None or options["CONN_MAX_AGE"] != 0:
        return
    if not (options["OPTIONS"].get("pool") or _lent or _testing()):
        connection.close_at = time.monotonic() + MAX_AGE


connection_created.connect(_opened)


def _testing() -> bool:
    # Django says so nowhere else. Who is connected keeps a test runner from dropping its database.
    return hasattr(mail, "outbox")


def _close(connection: Any) -> None:
    connection.close()


def _tend(connection: Any, step: Callable[[Any], None]) -> None:
    try:
        connection.queries_log.clear()  # as Django does when a request begins
        if connection.connection is not None:
            step(connection)
    except Exception as error:  # noqa: BLE001 - drivers have their own
        # The call is as good as it was: only its thread's connection is in a bad way.
        told = "Error %s: a connection to the database %r could not be closed"
        log_error(logger, error, told, connection.alias)
        _forget(connection)


def _prepare(connection: Any) -> None:
    """Close a connection that has become too old, or that the server has ended."""
    if _is_old(connection) or not _works(connection):
        connection.close()


def _is_old(connection: Any) -> bool:
    return connection.close_at is not None and time.monotonic() >= connection.close_at


def _works(connection: Any) -> bool:
    try:
        # A server has nothing to say between two calls, but that it ends the connection.
        poller = select.poll()
        poller.register(connection.connection.fileno(), select.POLLIN)
        quiet = not poller.poll(0)
    except AttributeError:  # there is no such system call, or (as with SQLite) no socket
        return time.monotonic() - _kept.rests_since < REST or bool(connection.is_usable())
    except Exception:  # noqa: BLE001 - whatever a driver raises when its connection is closed
        quiet = False
    works = quiet or bool(connection.is_usable())
    connection.health_check_done = works  # or CONN_HEALTH_CHECKS would ask the server once more
    return works


def _leave(connection: Any) -> None:
    """Close a connection that broke, is too old, or has a transaction that nobody will end."""
    if connection.in_atomic_block or not connection.autocommit:
        if connection.in_atomic_block or connection.settings_dict["AUTOCOMMIT"]:
            message = "A call left a transaction open on the database %r: it is rolled back"
            logger.warning(message, connection.alias)
        try:
            connection.connection.rollback()  # a server notices a close only some time later
        finally:
            connection.close()
            _forget(connection)
    elif _is_old(connection) or (connection.errors_occurred and not connection.is_usable()):
        connection.close()
    else:
        connection.errors_occurred = False
        connection.health_check_done = False  # of the next call


def _forget(connection: Any) -> None:
    """Let the next call make an object of its own: this one believes in its transaction."""
    connection.connection = None
    with suppress(AttributeError):  # it was replaced already
        del connections[connection.alias]


def let_go_of_old_connections() -> None:
    """Do in this thread what Django does when a request begins.

    Except for what is within a transaction: that of a test, or code that goes on.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            continue
        if not connection.force_debug_cursor:  # somebody counts the queries
            connection.queries_log.clear()
        # Not by Django's own method, which connects where a test may not.
        if connection.connection is not None and _is_of_no_use(connection):
            connection.close()


def _is_of_no_use(connection: Any) -> bool:
    if connection.autocommit != connection.settings_dict["AUTOCOMMIT"] or _is_old(connection):
        return True
    if connection.errors_occurred and not connection.is_usable():
        return True
    connection.errors_occurred = False
    connection.health_check_done = False
    return False


#: A test's own connections, by alias: its workers use them, so that they see its transaction.
_lent: dict[str, Any] = {}
_lent_lock = threading.RLock()


@contextmanager
def lend(open_connections: dict[str, Any]) -> Iterator[None]:
    """Let other threads use the connections of a test, which are in its transaction.

    The workers do, one at a time, and the thread that the async ORM uses.
    """
    for connection in open_connections.values():
        connection.inc_thread_sharing()
        # Whoever lets go of old connections must not end the test's transaction.
        connection.close_if_unusable_or_obsolete = _stay
    _lent.update(open_connections)
    asyncs = SyncToAsync.single_thread_executor.submit(_exchange, open_connections).result()
    try:
        yield
    finally:
        SyncToAsync.single_thread_executor.submit(_exchange, asyncs).result()
        _lent.clear()
        for connection in open_connections.values():
            del connection.close_if_unusable_or_obsolete
            connection.dec_thread_sharing()


def _stay() -> None:
    pass


@contextmanager
def _borrowed() -> Iterator[None]:
    own = _exchange(_lent)
    try:
        yield
    finally:
        _exchange(own)


def _exchange(others: Mapping[str, Any]) -> dict[str, Any]:
    """Let this thread use other connections, and return those it had."""
    own = {alias: connections[alias] for alias in others}
    for alias, connection in others.items():
        connections[alias] = connection
    return own
