"""The permissions of a handler of this package as one check: the handler asks them itself."""

from __future__ import annotations

from typing import Any

from aaah_core import Call, Check, Scope
from rest_framework_channels.actions import tell_the_query
from rest_framework_channels.asking import ask, known, taken
from rest_framework_channels.compositions import is_permission
from rest_framework_channels.permissions import AllowAny

__all__ = ["check_of"]

_CONNECT = {"type": "websocket.connect"}


def check_of(handler_class: type[Any], permission: Any) -> Check | None:
    """Return the check of one entry of `permission_classes`: the first asks them all.

    None stands for an entry that is no permission of this package, of DRF or of AAAH.
    """
    if not is_permission(permission):
        return None
    entries = [each for each in handler_class.permission_classes if is_permission(each)]
    everyone = all(each is AllowAny for each in entries)
    # By "is", as nothing else is known of entries; a class may give new ones each time.
    later = permission is not entries[0] and any(permission is each for each in entries)
    if later or (everyone and not handler_class.decides_itself()):
        return Check()
    return _HandlerCheck()


class _HandlerCheck(Check):
    """Asks `get_permissions` and `check_permissions`. A broadcast reaches every member."""

    async def connect(self, scope: Scope, consumer: Any) -> bool:
        for permission in await consumer.get_permissions():
            asked = {"scope": scope, "handler": consumer, "message": _CONNECT}
            if not await ask(permission, "can_connect", **asked):
                return False
        return True

    async def call(self, call: Call) -> bool:
        handler: Any = call.handler
        if handler is call.consumer:
            tell_the_query(call)  # a permission must not judge by that of the last message
        judged_by = taken(handler.check_permissions, known(call))
        await handler.check_permissions(call.action, **judged_by)
        return True
