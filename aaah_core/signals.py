"""What Django's signals say of users, told to every process that may have them connected."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

__all__ = ["connect", "recheck"]

logger = logging.getLogger("aaah.identity")

#: Seconds that who logs somebody out waits for the channel layer.
PATIENCE = 2.0


def connect() -> None:
    """Listen to the signals of the project's user model, if it has one."""
    # Which loads the URLs of Django: who only imports `recheck` does without.
    from django.contrib.auth import get_user_model, user_logged_out

    user_logged_out.connect(_logged_out)
    try:
        user_model: Any = get_user_model()
    except ImproperlyConfigured:
        return  # a project without users
    post_save.connect(_saved, sender=user_model)
    post_delete.connect(_deleted, sender=user_model)
    for name in ("groups", "user_permissions"):
        if (field := _many_to_many(user_model, name)) is not None:
            m2m_changed.connect(_rights_changed, sender=field.through)
    groups = _many_to_many(user_model, "groups")
    permissions = groups and _many_to_many(groups.field.remote_field.model, "permissions")
    if permissions is not None:
        m2m_changed.connect(_group_changed, sender=permissions.through)
        post_delete.connect(_group_deleted, sender=groups.field.remote_field.model)


def recheck(user: Any) -> None:
    """Look at once, in every process, at whether a user's connections may go on.

    It is for what no signal of Django's tells, such as a token that was revoked. Within a
    transaction it waits for the commit. Call it from sync code.

    Args:
        user: A user from a database; anybody else has no connections that others know of.
    """
    _tell([user], _database_of(user))


def _database_of(user: Any) -> str | None:
    # Who is logged in may be no row: a user made of a token, for instance.
    state = getattr(user, "_state", None)
    return None if state is None else state.db


def _many_to_many(model: Any, name: str) -> Any:
    found = getattr(model, name, None)
    return found if hasattr(found, "through") else None


def _logged_out(*, request: Any, user: Any, **kwargs: Any) -> None:
    from aaah_core.person import session_name  # which a start of Django does without

    if user is None:
        return
    session = session_name(getattr(request, "session", None))
    # Without one (as Channels' own `logout` has it) the session ends after this.
    _tell([user], _database_of(user), session=session, later=session is None)


def _saved(*, instance: Any, created: bool, using: str, **kwargs: Any) -> None:
    fields = kwargs.get("update_fields")
    # Each login saves when it was.
    if not created and (fields is None or {*fields} - {"last_login"}):
        _tell([instance], using)


def _deleted(*, instance: Any, using: str, **kwargs: Any) -> None:
    _tell([instance], using)


def _rights_changed(
    *, instance: Any, action: str, reverse: bool, model: Any, pk_set: Any, using: str, **kwargs: Any
) -> None:
    if not action.startswith("post_"):
        return
    if not reverse:
        _tell([instance], using, rights=True)
    elif pk_set is None:  # all of a group's users: who they were, nobody knows by now
        _tell(None, using, rights=True)
    else:
        _tell([_with_key(model, key) for key in pk_set], using, rights=True)


def _with_key(model: Any, key: Any) -> Any:
    user = model(pk=key)
    user._state.adding = False
    return user


def _group_changed(*, action: str, using: str, **kwargs: Any) -> None:
    if action.startswith("post_"):
        _tell(None, using, rights=True)


def _group_deleted(*, using: str, **kwargs: Any) -> None:
    _tell(None, using, rights=True)


def _tell(users: list[Any] | None, using: str | None, **what: Any) -> None:
    """Tell of users once the change is there for all to see; None is everybody."""
    from aaah_core.person import name_of  # which a start of Django does without

    names = None
    if users is not None:
        names = [name for user in users if (name := name_of(user)) is not None]
        if not names:
            return
    transaction.on_commit(partial(_announce, names, what), using=using, robust=True)


def _announce(names: list[str] | None, what: dict[str, Any]) -> None:
    from channels.layers import get_channel_layer

    from aaah_core.layers import in_memory
    from aaah_core.people import announce

    message = announce(names, **what)
    layer = get_channel_layer()
    if layer is None or in_memory(layer):  # which reaches no other process
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        async_to_sync(_send)(layer, message)
    else:
        task = loop.create_task(_send(layer, message))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


# A loop holds its tasks weakly.
_tasks: set[asyncio.Task[None]] = set()


async def _send(layer: Any, message: dict[str, Any]) -> None:
    from aaah_core.layers import within
    from aaah_core.logs import printable
    from aaah_core.people import GROUP

    try:
        await within(layer.group_send(GROUP, message), PATIENCE)
    except Exception as error:  # noqa: BLE001 - a layer has its own; nobody's logout may fail of it
        told = "Other processes could not be told of a change of users: %s"
        logger.warning(told, printable(repr(error)))
