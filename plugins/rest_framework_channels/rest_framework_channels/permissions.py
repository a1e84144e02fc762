"""Permissions: classes with up to three async methods, and their compositions."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from rest_framework import permissions as drf
from rest_framework.permissions import BasePermission as DRFBasePermission

import aaah_core
from aaah_core import Composition, Scope, run_sync
from aaah_drf.request import CallRequest, request_of
from rest_framework_channels.utils import ensure_async, request_from_scope

__all__ = [
    "AND",
    "NOT",
    "OR",
    "AllowAny",
    "BasePermission",
    "BasePermissionMetaclass",
    "IsAuthenticated",
    "IsAuthenticatedStrictly",
    "IsOwner",
    "OperandHolder",
    "OperationHolderMixin",
    "SingleOperandHolder",
    "WrappedDRFPermission",
    "instance_of",
    "is_permission",
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
        """Return an instance."""
        return self.operator_class(instance_of(self.op1_class))


class OperandHolder(OperationHolderMixin):
    """What `&` and `|` give: called, it makes a permission."""

    def __init__(self, operator_class: Any, op1_class: Any, op2_class: Any) -> None:
        self.operator_class = operator_class
        self.op1_class = op1_class
        self.op2_class = op2_class

    def __repr__(self) -> str:
        sign = "&" if self.operator_class is AND else "|"
        return f"({_name(self.op1_class)} {sign} {_name(self.op2_class)})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return an instance."""
        return self.operator_class(instance_of(self.op1_class), instance_of(self.op2_class))


class BasePermissionMetaclass(OperationHolderMixin, type):  # type: ignore[misc]  # `|` of two classes is no union here
    """Gives the class itself the operators."""


class BasePermission(metaclass=BasePermissionMetaclass):
    """A permission that lets everything pass; a child overrides what it has a say in.

    A method may be plain: it then runs in a worker thread, and may use the database.
    """

    async def has_permission(self, scope: Scope, handler: Any, action: str, **kwargs: Any) -> bool:
        """May this action run?

        Args:
            scope: The handler's scope.
            handler: The handler that is asked.
            action: The action's name.
            kwargs: What the routes captured, `data`, and the other keys of the message.
        """
        return True

    async def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """May this action have that object?"""
        return True

    async def can_connect(self, scope: Scope, handler: Any, message: Any = None) -> bool:
        """May this connection be accepted? `handler` is the consumer."""
        return True

    async def can_connect_by_object_permission(
        self, scope: Scope, handler: Any, obj: Any, **kwargs: Any
    ) -> bool:
        """May this connection have that object? Only a `can_connect` of your own asks it."""
        return True


class AND:
    """Both operands pass."""

    def __init__(self, op1: Any, op2: Any) -> None:
        self.op1, self.op2 = wrapped(op1), wrapped(op2)

    async def has_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Ask the second only if the first passes."""
        return await self._both("has_permission", args, kwargs)

    async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Ask the second only if the first passes."""
        return await self._both("has_object_permission", args, kwargs)

    async def can_connect(self, *args: Any, **kwargs: Any) -> bool:
        """Ask the second only if the first passes."""
        return await self._both("can_connect", args, kwargs)

    async def _both(self, name: str, args: Any, kwargs: Any) -> bool:
        return await _ask(self.op1, name, args, kwargs) and await _ask(self.op2, name, args, kwargs)


class OR:
    """One of the operands passes."""

    def __init__(self, op1: Any, op2: Any) -> None:
        self.op1, self.op2 = wrapped(op1), wrapped(op2)

    async def has_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Ask the second only if the first refuses."""
        return await self._one("has_permission", args, kwargs)

    async def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """Let an operand grant an object only where it grants the action."""
        asked = {"scope": scope, "handler": handler, "action": action, **kwargs}
        for operand in (self.op1, self.op2):
            if await _ask(operand, "has_permission", (), asked) and await _ask(
                operand, "has_object_permission", (), {**asked, "obj": obj}
            ):
                return True
        return False

    async def can_connect(self, *args: Any, **kwargs: Any) -> bool:
        """Ask the second only if the first refuses."""
        return await self._one("can_connect", args, kwargs)

    async def _one(self, name: str, args: Any, kwargs: Any) -> bool:
        return await _ask(self.op1, name, args, kwargs) or await _ask(self.op2, name, args, kwargs)


class NOT:
    """The operand refuses; where it has no say, nor has this."""

    def __init__(self, op1: Any) -> None:
        self.op1 = wrapped(op1)

    async def has_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Ask for the opposite."""
        return not await _ask(self.op1, "has_permission", args, kwargs)

    async def has_object_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Ask for the opposite."""
        return await self._opposite("has_object_permission", args, kwargs)

    async def can_connect(self, *args: Any, **kwargs: Any) -> bool:
        """Ask for the opposite."""
        return await self._opposite("can_connect", args, kwargs)

    async def _opposite(self, name: str, args: Any, kwargs: Any) -> bool:
        return not _has_a_say(self.op1, name) or not await _ask(self.op1, name, args, kwargs)


class AllowAny(BasePermission):
    """Everyone may do everything."""


def _is_authenticated(scope: Scope) -> bool:
    user = scope.get("user")
    return bool(user and getattr(user, "pk", None) and user.is_authenticated)


class IsAuthenticated(BasePermission):
    """Anyone may connect; who is not logged in may not run an action (403)."""

    async def has_permission(self, scope: Scope, handler: Any, action: str, **kwargs: Any) -> bool:
        """Return whether the connection has a user who is logged in."""
        return _is_authenticated(scope)


class IsAuthenticatedStrictly(IsAuthenticated):
    """Who is not logged in may not even connect."""

    async def can_connect(self, scope: Scope, handler: Any, message: Any = None) -> bool:
        """Return whether the connection has a user who is logged in."""
        return _is_authenticated(scope)


class IsOwner(BasePermission):
    """Only the user an object belongs to may have it.

    Attributes:
        lookup_field: The attribute of the object that holds its owner.
        check_actions: The actions that are checked, or ``"__all__"``.
    """

    lookup_field = "user"
    check_actions: Any = "__all__"

    async def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """Return whether the object's owner is the connection's user."""
        if isinstance(self.check_actions, str):
            if self.check_actions != "__all__":
                raise ValueError("check_actions accepts '__all__' only in case of str")
        elif action not in self.check_actions:
            return True
        if not await run_sync(hasattr, obj, self.lookup_field):
            raise AssertionError(f'The object must have "{self.lookup_field}" attribute')
        owner = await run_sync(getattr, obj, self.lookup_field)
        return _is_authenticated(scope) and bool(scope["user"] == owner)


class WrappedDRFPermission(BasePermission):
    """A permission of DRF's, asked with the running call as its request.

    Attributes:
        mapped_actions: The HTTP methods that actions stand for, unless the handler's `http_methods`
            says otherwise; any other is a POST. `connect` stands for the connection.
    """

    mapped_actions: Mapping[str, str] = {
        "create": "POST",
        "list": "GET",
        "retrieve": "GET",
        "update": "PUT",
        "partial_update": "PATCH",
        "destroy": "DELETE",
        "remove": "DELETE",
        "connect": "HEAD",
    }

    def __init__(self, permission: Any) -> None:
        self.permission = permission

    async def has_permission(self, scope: Scope, handler: Any, action: str, **kwargs: Any) -> bool:
        """Ask about the action."""
        asked = ensure_async(self.permission.has_permission)
        return bool(await asked(self._request(handler), handler))

    async def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """Ask about an object."""
        asked = ensure_async(self.permission.has_object_permission)
        return bool(await asked(self._request(handler), handler, obj))

    async def can_connect(self, scope: Scope, handler: Any, message: Any = None) -> bool:
        """Ask about the connection."""
        asked = ensure_async(self.permission.has_permission)
        return bool(await asked(self._connecting(scope), handler))

    async def can_connect_by_object_permission(
        self, scope: Scope, handler: Any, obj: Any, **kwargs: Any
    ) -> bool:
        """Ask whether the connection may have an object."""
        asked = ensure_async(self.permission.has_object_permission)
        return bool(await asked(self._connecting(scope), handler, obj))

    def _request(self, handler: Any) -> CallRequest:
        request, action = request_of(handler.call), handler.call.action
        if action in getattr(handler, "http_methods", {}):
            return request
        method = self.mapped_actions.get(action, request.method)
        if method != request.method:
            request = copy(request)  # the others that are asked share it
            request.method = method
        return request

    def _connecting(self, scope: Scope) -> Any:
        request = request_from_scope(scope)
        request.method = self.mapped_actions.get("connect", "CONNECT")
        return request


_NATIVE = (BasePermission, aaah_core.BasePermission)
_OPERATORS = (AND, OR, NOT)
_HOLDERS = (OperandHolder, SingleOperandHolder, drf.OperandHolder, drf.SingleOperandHolder)
_DRF_OPERATORS: dict[Any, Any] = {drf.AND: AND, drf.OR: OR, drf.NOT: NOT}
_BY_NAME: dict[str, Any] = {"and": AND, "or": OR, "not": NOT}


def is_permission(entry: Any) -> bool:
    """Say whether an entry of `permission_classes` is one that this package asks."""
    if isinstance(entry, Composition):
        return all(map(is_permission, entry.operands))
    if isinstance(entry, _HOLDERS):
        operands = (entry.op1_class, getattr(entry, "op2_class", entry.op1_class))
        return all(map(is_permission, operands))
    return isinstance(entry, (*_NATIVE, *_OPERATORS, DRFBasePermission)) or (
        isinstance(entry, type) and issubclass(entry, (*_NATIVE, DRFBasePermission))
    )


def instance_of(entry: Any) -> Any:
    """Return an instance of an entry of `permission_classes`, whoever composed it."""
    if isinstance(entry, Composition):
        return _BY_NAME[entry.operator](*map(instance_of, entry.operands))
    if isinstance(entry, drf.OperandHolder):
        operator = _DRF_OPERATORS[entry.operator_class]
        return operator(instance_of(entry.op1_class), instance_of(entry.op2_class))
    if isinstance(entry, drf.SingleOperandHolder):
        return NOT(instance_of(entry.op1_class))
    return wrapped(entry() if callable(entry) else entry)


def wrapped(permission: Any) -> Any:
    """Return an instance that is asked as this package asks: DRF's, in a wrapper."""
    operator = _DRF_OPERATORS.get(type(permission))
    if operator is NOT:
        return NOT(permission.op1)
    if operator is not None:
        return operator(permission.op1, permission.op2)
    is_drfs = isinstance(permission, DRFBasePermission)
    return WrappedDRFPermission(permission) if is_drfs else permission


def _name(permission: Any) -> str:
    return getattr(permission, "__name__", None) or repr(permission)


async def _ask(operand: Any, name: str, args: Any, kwargs: Any) -> bool:
    return bool(await ensure_async(getattr(operand, name))(*args, **kwargs))


def _has_a_say(operand: Any, name: str) -> bool:
    if isinstance(operand, NOT):
        return _has_a_say(operand.op1, name)
    if isinstance(operand, (AND, OR)):
        return _has_a_say(operand.op1, name) or _has_a_say(operand.op2, name)
    if isinstance(operand, WrappedDRFPermission):
        return (
            name != "can_connect"
        )  # what it says of a HEAD is not the opposite of what it forbids
    method = getattr(type(operand), name)
    return all(method is not getattr(native, name) for native in _NATIVE)
