"""Permissions: classes with up to three methods, each sync or async."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from rest_framework import permissions as drf

from aaah_core import Scope, run_sync
from aaah_drf.request import request_of
from rest_framework_channels.asking import call_of
from rest_framework_channels.compositions import (
    AND,
    NOT,
    OR,
    BasePermissionMetaclass,
    OperandHolder,
    OperationHolderMixin,
    SingleOperandHolder,
    wrapped,
)
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
]


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

    def has_a_say(self, name: str) -> bool:
        """Say whether a method is a child's own, so that the negation of it means something."""
        return getattr(type(self), name) is not getattr(BasePermission, name)


class AllowAny(BasePermission):
    """Everyone may do everything."""


def _is_authenticated(scope: Scope) -> bool:
    user = scope.get("user")
    # Nothing but True will do: of the class User the attribute is a property, and true.
    is_authenticated = getattr(user, "is_authenticated", None) is True
    # Who was locked out is nobody, as to permissions of DRF's and AAAH's.
    is_active = bool(getattr(user, "is_active", True))
    return bool(getattr(user, "pk", None)) and is_authenticated and is_active


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
        request = self._request(scope, handler, action)
        return await self._ask("has_permission", request, handler)

    async def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """Ask about an object."""
        request = self._request(scope, handler, action)
        return await self._ask("has_object_permission", request, handler, obj)

    async def can_connect(self, scope: Scope, handler: Any, message: Any = None) -> bool:
        """Ask about the connection."""
        return await self._ask("has_permission", self._request(scope, None, "connect"), handler)

    async def can_connect_by_object_permission(
        self, scope: Scope, handler: Any, obj: Any, **kwargs: Any
    ) -> bool:
        """Ask whether the connection may have an object."""
        request = self._request(scope, None, "connect")
        return await self._ask("has_object_permission", request, handler, obj)

    def has_a_say(self, name: str) -> bool:
        """Say so but of connecting: what it says of a HEAD is no opposite of what it forbids."""
        return name != "can_connect"

    async def _ask(self, name: str, *asked: Any) -> bool:
        return bool(await ensure_async(getattr(self.permission, name))(*asked))

    def _request(self, scope: Any, handler: Any, action: str) -> Any:
        call = call_of(handler)
        # A copy: the others that are asked share it.
        request = copy(request_of(call)) if call else request_from_scope(scope)
        if action not in getattr(handler, "http_methods", {}):
            request.method = self.mapped_actions.get(action, "POST")
        return request


wrapped.register(drf.BasePermission, WrappedDRFPermission)
