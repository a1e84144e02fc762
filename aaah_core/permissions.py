"""Native permissions: classes with up to four methods, each sync or async."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from aaah_core.errors import ConfigurationError
from aaah_core.interfaces import Composition, Scope

if TYPE_CHECKING:
    from aaah_core.messages import Event

__all__ = [
    "AllowAny",
    "BasePermission",
    "DefaultPermissions",
    "IsAuthenticated",
    "IsAuthenticatedStrictly",
    "IsOwner",
]


Method = TypeVar("Method", bound=Callable[..., Any])


class Operators:
    """Lets permissions be composed with `&`, `|` and `~`, also with those of other plugins."""

    def __and__(self, other: Any) -> Permission:
        return Permission("and", (self, other))

    def __rand__(self, other: Any) -> Permission:
        return Permission("and", (other, self))

    def __or__(self, other: Any) -> Permission:
        return Permission("or", (self, other))

    def __ror__(self, other: Any) -> Permission:
        return Permission("or", (other, self))

    def __invert__(self) -> Permission:
        return Permission("not", (self,))


class Permission(Operators, Composition):
    """What `&`, `|` and `~` give."""


class PermissionMeta(Operators, type):  # type: ignore[misc]  # `|` of two classes is not a union here
    """Gives the class itself the operators."""


class BasePermission(Operators, metaclass=PermissionMeta):
    """A permission: a child overrides the methods it has a say in.

    A method may be async; a plain one runs in a worker thread and may use the database. What a
    child does not override lets everything pass.
    """

    def can_connect(self, scope: Scope, handler: Any, message: Any = None) -> Any:
        """May this connection be accepted? `handler` is the consumer."""
        return True

    def has_permission(self, scope: Scope, handler: Any, action: str, **kwargs: Any) -> Any:
        """May this action run? `kwargs` are the values of the route."""
        return True

    def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> Any:
        """May this action have that object?"""
        return True

    def can_receive(self, scope: Scope, handler: Any, event: Event) -> Any:
        """May this connection receive that event?

        By default, whoever may run an action may receive what it broadcasts.
        """
        return self.has_permission(scope, handler, event.name)


class DefaultPermissions:
    """What the hook for checks is asked about where a class names no `permission_classes`.

    A plugin that knows a default of its project's answers; where none does, everyone is allowed.
    The default is for the class's own actions: unlike what a class names, it binds no routes below.
    """


def of_scope(answer: Callable[[Scope], bool]) -> Callable[[Method], Method]:
    """Mark an async method that gives what `answer` says of the scope: a call need not await it."""

    def mark(method: Method) -> Method:
        method.of_scope = answer  # type: ignore[attr-defined]  # functions have no such attribute
        return method

    return mark


class AllowAny(BasePermission):
    """Everyone may do everything."""


def _is_authenticated(scope: Scope) -> bool:
    user: Any = scope.get("user")
    try:
        # Nothing but True will do: of the class AnonymousUser it is a property, and true.
        if user.is_authenticated is not True:
            return False
    except AttributeError:
        return False
    # Who was locked out is nobody: what puts users into a scope need not look at that.
    return bool(getattr(user, "is_active", True))


class IsAuthenticated(BasePermission):
    """Anyone may connect; who is not logged in may not run an action (403)."""

    @of_scope(_is_authenticated)
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
        check_actions: The actions that are checked; all of them if None.
    """

    lookup_field = "user"
    check_actions: tuple[str, ...] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.check_actions, str):  # each of its letters would be an action
            raise ConfigurationError(
                f"{cls.__qualname__}.check_actions is {cls.check_actions!r}: name the actions in a "
                f"tuple, or set it to None for all of them."
            )

    def has_object_permission(
        self, scope: Scope, handler: Any, action: str, obj: Any, **kwargs: Any
    ) -> bool:
        """Return whether the object's owner is the connection's user."""
        if self.check_actions is not None and action not in self.check_actions:
            return True
        owner = getattr(obj, self.lookup_field)
        return _is_authenticated(scope) and owner == scope["user"]
