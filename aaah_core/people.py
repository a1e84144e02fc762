"""Who is connected in an event loop: looked at now and then, and when somebody says so."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from channels.layers import get_channel_layer

from aaah_core import conf, identity
from aaah_core.accounts import Finding
from aaah_core.close_codes import CloseCode
from aaah_core.credentials import Credential
from aaah_core.groups import group_name
from aaah_core.hubs import hub
from aaah_core.layers import within
from aaah_core.listening import listen, stop
from aaah_core.logs import printable
from aaah_core.looks import Round, credential_of, ended, is_another, kinds_of, look_at, person_of
from aaah_core.person import Person, Row, adopt, name_of, row_of, session_name

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["announce", "end", "forget", "name_for", "name_of", "watch"]

logger = logging.getLogger("aaah.identity")

#: The group of the channel layer through which processes tell one another of changes.
GROUP = group_name("aaah.people")

#: The type of what they tell.
TYPE = "aaah.people"

#: Seconds after which what is about to happen has happened: a session is deleted only after Django
#: says so, and who came in between was let in by it.
SOON = 1.0

#: Seconds after which a layer is asked again that failed.
AGAIN = 5.0

_ID = uuid.uuid4().hex


class People:
    """The users of the connections of one event loop, by what processes call them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        #: Each connection with the user that it had when it was last looked at, and the user's row.
        self._connections: dict[str, dict[Connection, tuple[Any, Row]]] = {}
        #: What stood for their rights when they were last looked at.
        self._rights: dict[str, int] = {}
        #: Those whose rights were changed, by what is known.
        self._suspects: set[str] = set()
        #: None waits for another, as each may hang: the users', and each kind of credentials'.
        self._users = Round(self._look_at_users)
        self._kinds: dict[type[Credential], Round] = {}
        self._joining: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._layer: Any = get_channel_layer()
        self._channel: str | None = None

    def start(self) -> None:
        """Listen to other processes, and look at everybody now and then."""
        if self._layer is not None:
            # What listens for all belongs to nobody's context.
            self._listening = self._loop.create_task(self._listen(), context=Context())
        self._tick(first=True)
        # What was told before anybody was looked at, nobody has heard.
        self._ask_to_look_soon(self._connections)

    async def stop(self) -> None:
        """Look at nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        looking = [each.task for each in (self._users, *self._kinds.values())]
        for task in (*looking, self._joining, self._listening):
            if task is not None:
                await stop(task)
        if self._channel is not None:
            await within(self._layer.group_discard(GROUP, self._channel))

    def add(self, name: str, connection: Connection) -> None:
        """Look at a connection from now on."""
        connections = self._connections.setdefault(name, {})
        if connection not in connections or connections[connection][0] is not connection.user:
            connections[connection] = connection.user, row_of(connection.user)

    def discard(self, name: str, connection: Connection) -> bool:
        """Look at it no more, and return whether anybody is left."""
        connections = self._connections.get(name, {})
        connections.pop(connection, None)
        if not connections:
            self._connections.pop(name, None)
            self._rights.pop(name, None)
            self._suspects.discard(name)
        return bool(self._connections)

    # What other processes, and signals in this one, say.

    async def _listen(self) -> None:
        while self._channel is None:
            try:
                self._channel = await within(self._layer.new_channel())
            except Exception as error:  # noqa: BLE001 - a layer has its own; it is tried again
                _deaf(error)
                await asyncio.sleep(AGAIN)
        await self._join()
        await listen(hub(self._layer), self._channel, self._heard_from_afar)

    async def _join(self) -> None:
        try:
            await within(self._layer.group_add(GROUP, self._channel))
        except Exception as error:  # noqa: BLE001 - a layer has its own; it is tried again
            _deaf(error)

    async def _join_again(self) -> None:
        await self._join()
        self._joining = None

    def _heard_from_afar(self, message: dict[str, Any]) -> None:
        if message.get("type") == TYPE and message.get("origin") != _origin():
            self.heard(message)

    def heard(self, message: dict[str, Any]) -> None:
        """See to those that a message is about."""
        people, session = message["people"], message["session"]
        names = self._connections if people is None else people
        if session is not None:
            for name in names:
                for connection in list(self._connections.get(name, ())):
                    if _session_of(connection) == session:
                        end(connection, "the user logged out")
        elif not message["later"]:
            self._ask_to_look(names, rights=message["rights"])
        self._ask_to_look_soon(names)

    # Looking.

    def _tick(self, *, first: bool = False) -> None:
        interval = conf.current().IDENTITY_INTERVAL
        if interval is not None:
            self._timer = self._loop.call_later(interval, self._tick, context=Context())
        if not first:
            self._ask_to_look(self._connections, again=True)

    def _ask_to_look_soon(self, names: Iterable[str]) -> None:
        self._loop.call_later(SOON, self._ask_to_look, names, context=Context())

    def _ask_to_look(
        self, names: Iterable[str], *, rights: bool = False, again: bool = False
    ) -> None:
        known = self._connections.keys() & set(names)
        if not known or people_of(self._loop) is not self:
            return
        if rights:
            self._suspects |= known
        if again and self._channel is not None and self._joining is None:
            # Which heals a layer that forgot us, and keeps one from forgetting.
            self._joining = asyncio.Task(self._join_again(), loop=self._loop)
        self._users.ask(known)
        for kind in kinds_of(each for name in known for each in self._connections[name]):
            look = partial(self._look_at_credentials, kind)
            self._kinds.setdefault(kind, Round(look)).ask(known)

    async def _look_at_users(self, due: set[str]) -> None:
        seen = [each for each in self._seen(due) if each[2].row]
        if not seen:
            return
        findings = await look_at([person for _, _, person in seen])
        suspects, self._suspects = self._suspects & due, self._suspects - due
        changed: dict[Connection, bool] = {}
        for (name, connection, person), finding in zip(seen, findings, strict=True):
            if is_another(connection, person):
                continue  # another's by now, or let in by something else
            if finding.ended is not None:
                end(connection, finding.ended)
                continue
            if self._has_changed(name, finding, suspects):
                changed[connection] = True
            elif name not in self._rights and connection.joined is not None:
                # What its rights were before, nobody knows: its memberships may be too many.
                changed[connection] = False
            adopt(person, finding.fresh)
            if connection in self._connections.get(name, ()):
                self._connections[name][connection] = person.user, vars(finding.fresh)
        found = zip((name for name, _, _ in seen), findings, strict=True)
        self._rights |= {name: each.rights for name, each in found if name in self._connections}
        await identity.settle_all(changed)

    async def _look_at_credentials(self, kind: type[Credential], due: set[str]) -> None:
        seen = [each for each in self._seen(due) if type(each[2].credential) is kind]
        refused = await ended(kind, [person.credential for _, _, person in seen]) if seen else {}
        for _, connection, person in seen:
            if person.credential in refused and not is_another(connection, person):
                end(connection, refused[person.credential])

    def _seen(self, due: set[str]) -> list[tuple[str, Connection, Person]]:
        return [
            (name, connection, person_of(connection, *known))
            for name in due
            for connection, known in self._connections.get(name, {}).items()
        ]

    def _has_changed(self, name: str, finding: Finding, suspects: set[str]) -> bool:
        rights = self._rights.get(name, finding.rights)
        return finding.changed or name in suspects or rights != finding.rights


def _deaf(error: Exception) -> None:
    told = "The channel layer tells nothing of changes of users: %s"
    logger.warning(told, printable(repr(error)))


def end(connection: Connection, why: str) -> None:
    """Close a connection whose user may not be here any more."""
    logger.info("%s ends a connection: %s", type(connection.consumer).__qualname__, why)
    connection.transport.expel(CloseCode.SESSION_ENDED)


def _session_of(connection: Connection) -> str | None:
    return session_name(connection.consumer.scope.get("session"))


#: By event loop, for as long as there is somebody to look at.
_people: dict[asyncio.AbstractEventLoop, People] = {}


def people_of(loop: asyncio.AbstractEventLoop) -> People | None:
    """Return who is looked at in an event loop, if anybody is."""
    return _people.get(loop)


def name_for(connection: Connection) -> str | None:
    """Return what the user of a connection is called; None for who is not looked at."""
    name = name_of(connection.user)
    credential = credential_of(connection)
    if name is None and credential is not None:
        return f"credential.{id(credential)}"  # nobody else's: no other process speaks of it
    return name


def watch(connection: Connection) -> None:
    """Look at the user of a connection from now on: one from a database, or with a credential."""
    name = name_for(connection)
    if name is None or not connection.hears:
        return
    people = _people.get(connection.loop)
    if people is None:
        for closed in [loop for loop in _people if loop.is_closed()]:
            del _people[closed]
        people = _people[connection.loop] = People()
        people.start()
    people.add(name, connection)
    connection.person = name


async def forget(connection: Connection) -> None:
    """Look at it no more."""
    name, connection.person = connection.person, None
    people = _people.get(connection.loop)
    if name is not None and people is not None and not people.discard(name, connection):
        del _people[connection.loop]
        await people.stop()


def announce(
    people: list[str] | None,
    *,
    session: str | None = None,
    rights: bool = False,
    later: bool = False,
) -> dict[str, Any]:
    """Tell this process of a change, and return what other processes are to be told.

    Args:
        people: Who has changed, by `name_of`; None for everybody.
        session: The session that ended, if just that did.
        rights: Whether groups or permissions were changed.
        later: Whether it only happens in a moment.
    """
    what = {"people": people, "session": session, "rights": rights, "later": later}
    for loop, here in list(_people.items()):
        with suppress(RuntimeError):  # it is closed
            # Whoever tells is in a context of its own, which is none of ours.
            loop.call_soon_threadsafe(here.heard, what, context=Context())
    return {"type": TYPE, "origin": _origin(), **what}


def _origin() -> str:
    return f"{_ID}.{os.getpid()}"  # a process that forks makes others of the same id
