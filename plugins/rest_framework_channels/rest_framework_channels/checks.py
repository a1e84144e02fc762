"""The permissions of a handler of this package as one check: the handler asks them itself."""

from __future__ import annotations

from typing import Any

from aaah_core import MISSING, Call, Check, Scope
from rest_framework_channels.actions import filled_by_position
from rest_framework_channels.permissions import AllowAny, is_permission
from rest_framework_channels.routings import way
from rest_framework_channels.utils import ensure_async

__all__ = ["check_of"]

#: What a permission is given by these names is never the client's, nor the route's.
_RESERVED = frozenset({"self", "scope", "handler", "action"})
_CONNECT = {"type": "websocket.connect"}


def check_of(handler_class: type[Any], permission: Any) -> Check | None:
    """Return the check of one entry of `permission_classes`: the first asks them all.

    None stands for an entry that is no permission of this package, of DRF or of AAAH.
    """
    if not is_permission(permission):
        return None
    entries = [each for each in handler_class.permission_classes if is_permission(each)]
    everyone = all(each is AllowAny for each in entries)
    if permission is not entries[0] or (everyone and not handler_class.decides_itself()):
        return Check()
    return _HandlerCheck()


class _HandlerCheck(Check):
    """Asks `get_permissions` and `check_permissions`. A broadcast reaches every member."""

    async def connect(self, scope: Scope, consumer: Any) -> bool:
        for permission in await consumer.get_permissions():
            asked = ensure_async(permission.can_connect)
            if not await asked(scope=scope, handler=consumer, message=_CONNECT):
                return False
        return True

    async def call(self, call: Call) -> bool:
        handler: Any = call.handler
        await handler.check_permissions(call.action, **_known(call))
        return True


def _known(call: Call) -> dict[str, Any]:
    """Return what a permission may judge by: all that the action could get, and as it gets it.

    Where the route captured a name, also further down than the handler that is asked, its value
    stands: the client must not show a parent one value and the action another.
    """
    sent = {**call.params, "data": call.data, "request_id": call.request_id}
    captured = _captured(call)
    return {
        key: value
        for key, value in {**sent, **captured}.items()
        if key not in _RESERVED and value is not MISSING
    }


def _captured(call: Call) -> dict[str, Any]:
    captured, args = dict(call.handler.kwargs), call.consumer.args
    handler_class: type[Any] = type(call.consumer)
    for match in way(call):
        captured.update(match.kwargs)
        handler_class, args = match.handler_class, match.args
    if args:
        names = filled_by_position(handler_class, call.action or "")
        captured.update(zip([name for name in names if name not in captured], args, strict=False))
    return captured
