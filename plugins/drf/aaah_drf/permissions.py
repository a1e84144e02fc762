"""DRF's permission classes as checks."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import (
    AND,
    NOT,
    OR,
    AllowAny,
    BasePermission,
    OperandHolder,
    SingleOperandHolder,
)

from aaah_core import Call, Check, Composition, Event
from aaah_drf.request import request_of

__all__ = ["check_of"]

_OPERATORS: dict[Any, Any] = {AND: "and", OR: "or", NOT: "not"}


def check_of(permission: Any) -> Check | None:
    """Return the check of a permission class of DRF's, or of a composition; None for anything else.

    Args:
        permission: An entry of `permission_classes`, or an operand of a composition.
    """
    if isinstance(permission, OperandHolder):
        return _composition(permission, permission.op1_class, permission.op2_class)
    if isinstance(permission, SingleOperandHolder):
        return _composition(permission, permission.op1_class)
    if isinstance(permission, Composition):
        operands = _operands(permission.operands)
        return (
            None if operands is permission.operands else Composition(permission.operator, operands)
        )
    if isinstance(permission, _Operand):
        return _ClassCheck(permission.permission_class)
    if not _is_class(permission):
        return None
    # The default of DRF's settings must not cost an async action a thread.
    return Check() if permission is AllowAny else _EntryCheck(permission)


def _is_class(permission: Any) -> bool:
    return isinstance(permission, type) and issubclass(permission, BasePermission)


def _composition(holder: Any, *operands: Any) -> Composition | None:
    operator = _OPERATORS.get(holder.operator_class)
    return Composition(operator, _operands(operands)) if operator is not None else None


def _operands(operands: Any) -> Any:
    if not any(map(_is_class, operands)):
        return operands
    return tuple(_Operand(each) if _is_class(each) else each for each in operands)


class _Operand:
    """A class inside a composition: its refusal is not yet that of the whole, so it cannot raise.

    `AllowAny` has a say here, so that the negation of it is one at every moment.
    """

    def __init__(self, permission_class: Any) -> None:
        self.permission_class = self.__wrapped__ = permission_class
        self.__name__ = permission_class.__name__


class _ClassCheck(Check):
    """Asks a new instance each time, as DRF does.

    It has a say about objects even where the class says nothing of them: the negation of such a
    class refuses every object, in DRF too.
    """

    def __init__(self, permission_class: Any) -> None:
        self._permission_class = permission_class

    def call(self, call: Call) -> Any:
        return _said(self._permission_class().has_permission(request_of(call), call.handler))

    def object(self, call: Call, obj: Any) -> Any:
        permission = self._permission_class()
        return _said(permission.has_object_permission(request_of(call), call.handler, obj))

    def event(self, subscription: Call | None, event: Event) -> Any:
        # Who may not run an action does not get what it broadcasts.
        return subscription is not None and _ClassCheck.call(self, subscription)


class _EntryCheck(_ClassCheck):
    """Refuses with the `message` and `code` of the class, where it has them."""

    def call(self, call: Call) -> Any:
        permission = self._permission_class()
        allowed = _said(permission.has_permission(request_of(call), call.handler))
        return allowed or _refuse(permission)

    def object(self, call: Call, obj: Any) -> Any:
        permission = self._permission_class()
        allowed = _said(permission.has_object_permission(request_of(call), call.handler, obj))
        return allowed or _refuse(permission)


def _said(answer: Any) -> Any:
    """Return what a class says as a bool, as DRF reads it; what is to be awaited, as it is."""
    return answer if isawaitable(answer) else bool(answer)


def _refuse(permission: Any) -> bool:
    message, code = getattr(permission, "message", None), getattr(permission, "code", None)
    if message is None and code is None:
        return False
    raise PermissionDenied(message, code)
