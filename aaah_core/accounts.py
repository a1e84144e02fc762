"""What the database says of the users of connections, asked for many of them at once.

All of this is plain code for a worker thread.
"""

from __future__ import annotations

import copy
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist
from django.db import connections
from django.db.models import Model
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from aaah_core.logs import log_error
from aaah_core.person import Person, Row, differences, name_of, unwrapped

__all__ = ["Finding", "look"]

logger = logging.getLogger("aaah.identity")

#: A user model, and the alias of the database that a user came from.
Table: TypeAlias = tuple[type[Model], str | None]

# The names that `django.contrib.auth` has, which loads views and forms.
SESSION_KEY = "_auth_user_id"
HASH_SESSION_KEY = "_auth_user_hash"


@dataclass(slots=True)
class Finding:
    """What has become of a person."""

    #: The row of the user; None where it is gone.
    fresh: Any
    #: Why the connection may not go on; None where it may.
    ended: str | None
    #: Whether the row differs from what was known of it.
    changed: bool
    #: What stands for the user's groups and permissions.
    rights: int


def look(people: Sequence[Person]) -> list[Finding]:
    """Return what the database says of people who are in it, in their order.

    It takes a query for the users of each model and database, three for their groups and
    permissions, and one for their sessions, however many they are.
    """
    users = [unwrapped(person.user) for person in people]
    tables: dict[Table, set[Any]] = defaultdict(set)
    for user in users:
        tables[_table(user)].add(user.pk)
    rows = {table: _rows(*table, keys) for table, keys in tables.items()}
    rights = {table: _rights(*table, keys) for table, keys in tables.items()}
    sessions = [
        person.session if _is_of(person.session, user) else None
        for person, user in zip(people, users, strict=True)
    ]
    alive = _alive([session for session in sessions if session is not None])
    findings = []
    for person, user, session in zip(people, users, sessions, strict=True):
        table = _table(user)
        fresh = rows[table].get(user.pk)
        changed = fresh is not None and bool(differences(person.row, fresh))
        why = _why_ended(user, person.row, fresh, session, changed=changed)
        if why is None and session is not None and _key(session) not in alive:
            why = "the session ended"
        findings.append(Finding(fresh, why, changed, rights[table].get(user.pk, 0)))
    return findings


def _table(user: Any) -> Table:
    return user._meta.concrete_model, user._state.db


def _why_ended(user: Any, row: Row, fresh: Any, session: Any, *, changed: bool) -> str | None:
    if fresh is None:
        return "the user is deleted"
    # What is known to be active, and what the hash is made of, are in the row: without a change
    # of it they are the same. And a hash takes a while to make.
    if not changed:
        return None
    before = copy.copy(user)
    vars(before).update(row)
    if getattr(before, "is_active", True) and not getattr(fresh, "is_active", True):
        return "the user is not active any more"
    if not hasattr(fresh, "get_session_auth_hash"):
        return None
    known = before.get_session_auth_hash() if session is None else session.get(HASH_SESSION_KEY)
    return None if known and _is_hash_of(fresh, known) else "the password was changed"


def _is_hash_of(fresh: Any, known: str) -> bool:
    if constant_time_compare(known, fresh.get_session_auth_hash()):
        return True
    # Of secrets that were in use before.
    fallbacks = getattr(fresh, "get_session_auth_fallback_hash", tuple)
    return any(constant_time_compare(known, fallback) for fallback in fallbacks())


# Users.


def _batches(alias: str | None, keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    size = connections[alias or "default"].features.max_query_params or 10_000
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _rows(model: Any, alias: str | None, keys: set[Any]) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    for batch in _batches(alias, list(keys)):
        # As the backends of Django find users.
        rows |= model._default_manager.using(alias).in_bulk(batch)
    return rows


def _rights(model: Any, alias: str | None, keys: set[Any]) -> dict[Any, int]:
    """Return what stands for the groups and permissions of users, where the model has them."""
    pairs: dict[Any, set[Any]] = defaultdict(set)
    for name in ("groups", "user_permissions"):
        for user, other in _links(model, name, alias, keys):
            pairs[user].add((name, other))
    groups = {other for each in pairs.values() for name, other in each if name == "groups"}
    of_groups: dict[Any, set[Any]] = defaultdict(set)
    if groups:
        group_model = model._meta.get_field("groups").remote_field.model
        for group, permission in _links(group_model, "permissions", alias, groups):
            of_groups[group].add(permission)
    for user, own in pairs.items():
        inherited = {
            (group, permission)
            for name, group in own
            if name == "groups"
            for permission in of_groups[group]
        }
        pairs[user] = own | inherited
    return {user: hash(frozenset(own)) for user, own in pairs.items()}


def _links(model: Any, name: str, alias: str | None, keys: set[Any]) -> Iterator[tuple[Any, Any]]:
    """Return the pairs of keys in the table behind a many-to-many field, if the model has it."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return
    if not field.many_to_many:
        return
    own, other = field.m2m_field_name(), field.m2m_reverse_field_name()
    links = field.remote_field.through._default_manager.using(alias)
    for batch in _batches(alias, list(keys)):
        yield from links.filter(**{f"{own}__in": batch}).values_list(f"{own}_id", f"{other}_id")


# Sessions.


def _is_of(session: Any, user: Any) -> bool:
    """Return whether a session is one of Django's, and has this user logged in."""
    if (
        name_of(user) is None
        or not session
        or not hasattr(session, "session_key")
        or not session.session_key
    ):
        return False
    return bool(session.get(SESSION_KEY) == user._meta.pk.value_to_string(user))


def _key(session: Any) -> tuple[type[Any], str]:
    return session.__class__, session.session_key


def _alive(sessions: Sequence[Any]) -> set[tuple[type[Any], str]]:
    """Return the sessions that have not ended."""
    from django.contrib.sessions.backends.db import SessionStore  # few projects have none

    stores: dict[type[Any], set[str]] = defaultdict(set)
    for session in sessions:
        store, key = _key(session)
        stores[store].add(key)
    alive: set[tuple[type[Any], str]] = set()
    for store, keys in stores.items():
        ask = _in_table if issubclass(store, SessionStore) else _one_by_one
        try:
            alive |= {(store, key) for key in ask(store, keys)}
        except Exception as error:  # noqa: BLE001 - a cache that is away hides no change of users
            told = (
                "Error %s: nobody knows which sessions ended: until %s answers, a logout elsewhere "
                "ends no connection. See that its table, or its cache, can be read."
            )
            log_error(logger, error, told, f"{store.__module__}.{store.__qualname__}")
            alive |= {(store, key) for key in keys}
    return alive


def _in_table(store: Any, keys: set[str]) -> Iterator[str]:
    sessions = store.get_model_class()._default_manager.filter(expire_date__gt=timezone.now())
    for batch in _batches(sessions.db, list(keys)):
        yield from sessions.filter(session_key__in=batch).values_list("session_key", flat=True)


def _one_by_one(store: Callable[[str], Any], keys: set[str]) -> Iterator[str]:
    for key in keys:
        session = store(key)
        # A cache that is away loads nothing, but raises when it is asked for the key.
        if session.load() or session.exists(key):
            yield key
