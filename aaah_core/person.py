"""Who a connection belongs to, as its scope has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import Model
from django.utils.functional import LazyObject

from aaah_core.credentials import Credential
from aaah_core.groups import group_name

__all__ = [
    "Person",
    "Row",
    "adopt",
    "differences",
    "name_of",
    "row_of",
    "session_name",
    "unwrapped",
]

#: The values of a user's row, by their attributes.
Row: TypeAlias = Mapping[str, Any]

#: What Django's backends remember of a user's permissions.
_CACHES = ("_perm_cache", "_user_perm_cache", "_group_perm_cache")

#: Changes at each login, and says nothing of what a user may do.
_NO_MATTER = {"last_login"}


@dataclass(slots=True, frozen=True)
class Person:
    """A user, and what the connection was let in by."""

    user: Any
    session: Any
    #: The user's row as it was last known, whatever an action has made of the object since; empty
    #: for who is in no database, and is not looked for there.
    row: Row
    credential: Credential | None = None


def unwrapped(user: Any) -> Any:
    """Return what a lazy user stands for, once it is known."""
    while isinstance(user, LazyObject):
        user = user._wrapped
    return user


def name_of(user: Any) -> str | None:
    """Return what a user from a database is called between processes; None for anybody else."""
    user = unwrapped(user)
    if not isinstance(user, Model) or user._state.adding or user.pk is None:
        return None
    return group_name("user", user._meta.concrete_model._meta.label_lower, user.pk)  # type: ignore[union-attr]  # a model with rows has one


def row_of(user: Any) -> Row:
    """Return a user's row, as far as it was loaded; nothing of who is in no database."""
    if name_of(user) is None:
        return {}
    user = unwrapped(user)
    values = vars(user)
    names = (field.attname for field in user._meta.concrete_fields)
    return {name: values[name] for name in names if name in values}


def session_name(session: Any) -> str | None:
    """Return what a session is called between processes: its key is nobody else's to know."""
    key = getattr(session, "session_key", None)
    return group_name("session", key) if key else None


def differences(row: Row, fresh: Any) -> list[Any]:
    """Return the fields of a row whose values differ from what was known of it."""
    return [
        field
        for field in fresh._meta.concrete_fields
        if field.attname in row
        and field.attname in fresh.__dict__
        and field.name not in _NO_MATTER
        and row[field.attname] != fresh.__dict__[field.attname]
    ]


def adopt(person: Person, fresh: Any) -> None:
    """Let a user have what changed in its row, and forget what was remembered of its permissions.

    The object stays: handlers and applications hold it, and may be about to save it.
    """
    user = unwrapped(person.user)
    for field in differences(person.row, fresh):
        user.__dict__[field.attname] = fresh.__dict__[field.attname]
        user._state.fields_cache.pop(field.name, None)
    for name in _CACHES:
        user.__dict__.pop(name, None)
    for name in ("groups", "user_permissions"):
        user.__dict__.get("_prefetched_objects_cache", {}).pop(name, None)
