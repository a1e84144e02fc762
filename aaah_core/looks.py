"""A look at people: in a thread of its own, and given up where the database hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aaah_core.accounts import Finding, Person, Row, look, row_of
from aaah_core.credentials import CREDENTIAL, Credential
from aaah_core.workers import run_apart

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["credential_of", "is_another", "look_at", "person_of"]

#: Seconds after which a look is given up.
LONGEST = 20.0

#: Looks of this process that may hang at once: each has a thread, and a database connection.
MOST = 4

_room = threading.Semaphore(MOST)


async def look_at(people: Sequence[Person]) -> list[Finding]:
    """Return what the database, and their credentials, say of people, in their order.

    The thread of a look that was given up runs on until the database lets it go.

    Raises:
        TimeoutError: It took longer than `LONGEST`, or so did too many looks before it.
        Exception: What the database raises.
    """
    try:
        async with asyncio.timeout(LONGEST) as limit:
            return await run_apart(_look, people)
    except TimeoutError:
        if limit.expired():
            raise TimeoutError(f"no answer within {LONGEST:g} s") from None
        raise


def _look(people: Sequence[Person]) -> list[Finding]:
    # Taken here, in the thread: one that never begins has nothing to give back.
    if not _room.acquire(blocking=False):
        raise TimeoutError(f"{MOST} looks before this one still wait for an answer")
    try:
        return look(people)
    finally:
        _room.release()


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


def credential_of(connection: Connection) -> Credential | None:
    """Return what its user showed to be let in, if that was a credential."""
    credential: Credential | None = connection.consumer.scope.get(CREDENTIAL)
    return credential
