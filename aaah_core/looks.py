"""Looks at people: in threads of their own, and given up where a database hangs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from aaah_core.accounts import Finding, look
from aaah_core.credentials import CREDENTIAL, Credential
from aaah_core.logs import log_error
from aaah_core.person import Person, Row, row_of
from aaah_core.workers import run_apart

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["Round", "credential_of", "ended", "is_another", "kinds_of", "look_at", "person_of"]

logger = logging.getLogger("aaah.identity")

T = TypeVar("T")
R = TypeVar("R")

#: How many names are looked at together: a look must be over before it is given up.
AT_ONCE = 1000

#: Seconds after which a look at the database is given up.
LONGEST = 20.0

#: Seconds after which a kind of credentials is: it may have to ask somebody about each.
LONGEST_OF_CREDENTIALS = 60.0

#: Looks of one kind that may hang at once: each has a thread, and perhaps a database connection.
MOST = 4

#: Seconds after which a look is tried again that failed.
AGAIN = 5.0

#: Room for the looks at the database, and at each kind of credentials.
_rooms: dict[Any, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(MOST))


class Round:
    """Looks at whoever is due, so many at a time, until nobody is.

    Args:
        look: What looks at some; they are due again if it raises.
    """

    def __init__(self, look: Callable[[set[str]], Awaitable[None]]) -> None:
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._due: set[str] = set()
        self._later: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    def ask(self, names: Iterable[str] = ()) -> None:
        """Let some be looked at, and those that wait."""
        self._due.update(names)
        if self.task is None and self._due:
            self.task = asyncio.Task(self._run(), loop=self._loop)

    async def _run(self) -> None:
        try:
            while self._due:
                due = {self._due.pop() for _ in range(min(len(self._due), AT_ONCE))}
                try:
                    await self._look(due)
                except Exception as error:  # noqa: BLE001 - databases and caches have their own
                    told = "Error %s: who is connected could not be looked at: it is tried again"
                    log_error(logger, error, told)
                    self._due |= due
                    if self._later is None:
                        self._later = self._loop.call_later(AGAIN, self._again, context=Context())
                    return
        finally:
            self.task = None

    def _again(self) -> None:
        self._later = None
        self.ask()


async def look_at(people: Sequence[Person]) -> list[Finding]:
    """Return what the database says of people, in their order.

    Raises:
        TimeoutError: It took longer than `LONGEST`, or so did too many looks before it.
        Exception: What the database raises.
    """
    return await _given_time(LONGEST, look, people, kind=look)


async def ended(kind: type[Credential], some: Sequence[Any]) -> dict[Any, str]:
    """Return those credentials of a kind that hold no more, each with why; none if it fails."""
    try:
        return dict(await _given_time(LONGEST_OF_CREDENTIALS, kind.ended, some, kind=kind))
    except Exception as error:  # noqa: BLE001 - whatever it is, they are asked about again
        log_error(logger, error, "Error %s: %s could not say which hold", kind.__qualname__)
        return {}


async def _given_time(seconds: float, function: Callable[[T], R], argument: T, *, kind: Any) -> R:
    """Run sync code in a thread of its own, which runs on where it is given up."""
    room = _rooms[kind]

    def run() -> R:
        # Taken here, in the thread: one that never begins has nothing to give back.
        if not room.acquire(blocking=False):
            raise TimeoutError(f"{MOST} looks before this one still wait for an answer")
        try:
            return function(argument)
        finally:
            room.release()

    try:
        async with asyncio.timeout(seconds) as limit:
            return await run_apart(run)
    except TimeoutError:
        if limit.expired():
            raise TimeoutError(f"no answer within {seconds:g} s") from None
        raise


def person_of(connection: Connection, known: Any, row: Row) -> Person:
    """Return who a connection belongs to now.

    Args:
        connection: The connection.
        known: The user that it had when it was last looked at.
        row: That user's row.
    """
    user, session = connection.user, connection.consumer.scope.get("session")
    return Person(user, session, row if user is known else row_of(user), credential_of(connection))


def is_another(connection: Connection, person: Person) -> bool:
    """Return whether a connection belongs to somebody else by now, or was let in by else."""
    return connection.user is not person.user or credential_of(connection) is not person.credential


def kinds_of(connections: Iterable[Connection]) -> set[type[Credential]]:
    """Return the classes of what users showed to be let in."""
    credentials = map(credential_of, connections)
    return {type(credential) for credential in credentials if credential is not None}


def credential_of(connection: Connection) -> Credential | None:
    """Return what its user showed to be let in, if that was a credential."""
    credential: Credential | None = connection.consumer.scope.get(CREDENTIAL)
    return credential
