"""Compositions of permissions: `&`, `|` and `~`, whoever wrote the permissions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from rest_framework import permissions as drf

import aaah_core
from aaah_core import Composition, Scope
from rest_framework_channels.asking import ask, call_of, known

__all__ = [
    "AND",
    "NOT",
    "OR",
    "BasePermissionMetaclass",
    "OperandHolder",
    "OperationHolderMixin",
    "SingleOperandHolder",
    "instance_of",
    "is_permission",
    "wrapped",
]


class OperationHolderMixin:
    """Gives `&`, `|` and `~`."""

    def __and__(self, other: Any) -> OperandHolder:
        return OperandHolder(AND, self, other)

    def __or__(self, other: Any) -> OperandHolder:
        return OperandHolder(OR, self, other)

    def __rand__(self, other: Any) -> OperandHolder:
        return OperandHolder(AND, other, self)

    def __ror__(self, other: Any) -> OperandHolder:
        return OperandHolder(OR, other, self)

    def __invert__(self) -> SingleOperandHolder:
        return SingleOperandHolder(NOT, self)


class SingleOperandHolder(OperationHolderMixin):
    """What `~` gives: called, it makes a permission."""

    def __init__(self, operator_class: Any, op1_class: Any) -> None:
        self.operator_class = operator_class
        self.op1_class = op1_class

    def __repr__(self) -> str:
        return f"~{_name(self.op1_class)}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return an instance; its operands are made with the arguments."""
        return instance_of(self, *args, **kwargs)


class OperandHolder(SingleOperandHolder):
    """What `&` and `|` give: called, it makes a permission."""

    def __init__(self, operator_class: Any, op1_class: Any, op2_class: Any) -> None:
        super().__init__(operator_class, op1_class)
        self.op2_class = op2_class

    def __repr__(self) -> str:
        sign = "&" if self.operator_class is AND else "|"
        return f"({_name(self.op1_class)} {sign} {_name(self.op2_class)})"


class BasePermissionMetaclass(OperationHolderMixin, type):  # type: ignore[misc]  # `|` of two classes is no union here
    """Gives the class itself the operators."""


class _Operator:
    """A composed permission: what it is asked, it asks its operands."""

    def __init__(self, op1: Any, op2: Any = None) -> None:
        self.op1, self.op2 = wrapped(op1), wrapped(op2)

    async def has_permission(self, scope: Scope, handler: Any, action: str, **kwargs: Any) -> bool:
        """Ask about the action."""
        asked = {**kwargs, "scope": scope, "handler": handler, "action": action}
        return await self._answer("has_permission", asked)

    async def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """Ask about an object."""
        asked = {**kwargs, "scope": scope, "handler": handler, "action": action, "obj": obj}
        return await self._answer("has_object_permission", asked)

    async def can_connect(self, scope: Scope, handler: Any, message: Any = None) -> bool:
        """Ask about the connection."""
        asked = {"scope": scope, "handler": handler, "message": message}
        return await self._answer("can_connect", asked)

    def has_a_say(self, name: str) -> bool:
        """Say whether a method of an operand's own decides."""
        return any(_has_a_say(each, name) for each in (self.op1, self.op2) if each is not None)

    async def _answer(self, name: str, asked: dict[str, Any]) -> bool:
        raise NotImplementedError


class AND(_Operator):
    """Both operands pass; the second is asked only if the first does."""

    async def _answer(self, name: str, asked: dict[str, Any]) -> bool:
        return await ask(self.op1, name, **asked) and await ask(self.op2, name, **asked)


class OR(_Operator):
    """One of the operands passes; it grants an object only where it grants the action."""

    async def _answer(self, name: str, asked: dict[str, Any]) -> bool:
        for operand in (self.op1, self.op2):
            if name == "has_object_permission" and not await _granted(operand, asked):
                continue
            if await ask(operand, name, **asked):
                return True
        return False


async def _granted(operand: Any, asked: dict[str, Any]) -> bool:
    """Ask again about the action, by all that it was judged by: an object is asked about alone."""
    call = call_of(asked["handler"])
    before = {key: value for key, value in asked.items() if key != "obj"}
    before |= known(call) if call else {}  # among the keys of a message may be an "obj"
    return await ask(operand, "has_permission", **before)


class NOT(_Operator):
    """The operand refuses; where it has no say, nor has this."""

    async def _answer(self, name: str, asked: dict[str, Any]) -> bool:
        if name != "has_permission" and not _has_a_say(self.op1, name):
            return True
        return not await ask(self.op1, name, **asked)


_OPERATORS: dict[Any, Any] = {
    drf.AND: AND,
    drf.OR: OR,
    drf.NOT: NOT,
    "and": AND,
    "or": OR,
    "not": NOT,
}


@singledispatch
def wrapped(permission: Any) -> Any:
    """Return an instance that is asked as this package asks."""
    operator = _OPERATORS.get(type(permission))
    return operator(*vars(permission).values()) if operator is not None else permission


def _operands(entry: Any) -> list[Any]:
    """Return what an entry of `permission_classes` is composed of, whoever composed it."""
    if isinstance(entry, Composition):
        return list(entry.operands)
    return [getattr(entry, name) for name in ("op1_class", "op2_class") if hasattr(entry, name)]


def is_permission(entry: Any) -> bool:
    """Say whether an entry of `permission_classes` is one that this package asks.

    It is a class or an object that has `has_permission`, or a function that makes one.
    """
    if operands := _operands(entry):
        return all(map(is_permission, operands))
    return hasattr(entry, "has_permission") or (callable(entry) and not isinstance(entry, type))


def instance_of(entry: Any, *args: Any, **kwargs: Any) -> Any:
    """Return an instance of an entry of `permission_classes`, whoever composed it."""
    if operands := _operands(entry):
        operator = entry.operator if isinstance(entry, Composition) else entry.operator_class
        operator = _OPERATORS.get(operator, operator)
        return operator(*(instance_of(each, *args, **kwargs) for each in operands))
    return wrapped(entry(*args, **kwargs) if callable(entry) else entry)


def _name(permission: Any) -> str:
    return getattr(permission, "__name__", None) or repr(permission)


def _has_a_say(operand: Any, name: str) -> bool:
    own = getattr(operand, "has_a_say", None)
    if own is not None:
        return bool(own(name))
    silent = (None, getattr(aaah_core.BasePermission, name))
    return getattr(type(operand), name, None) not in silent
