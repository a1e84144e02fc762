"""Handlers: classes with actions, routes and permissions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from aaah_core.errors import PermissionDenied
from aaah_core.messages import remember

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.interfaces import Scope
    from aaah_core.messages import Call
    from aaah_core.plan import Plan

__all__ = ["NO_VALUES", "AsyncAPIActionHandler", "AsyncActionHandler"]

#: The `kwargs` of a handler that no route led to.
NO_VALUES: Mapping[str, Any] = MappingProxyType({})


class AsyncActionHandler:
    """A class whose actions a client may call. An instance lives for one call.

    Attributes:
        routepatterns: Django's `path`, `re_path` and `include`, with handlers for views.
    """

    # Python 3.13 makes an instance with slots in a quarter of the time, and a message makes one.
    __slots__ = ("_args", "_kwargs", "_parent", "_plan", "call")

    routepatterns: ClassVar[Sequence[Any]] = ()

    #: The running call.
    call: Call
    _plan: Plan
    # Where no route led here, as to the consumer, nobody fills these.
    _parent: AsyncActionHandler | None
    _args: tuple[Any, ...]
    _kwargs: Mapping[str, Any]

    @classmethod
    def as_aaah(cls) -> Callable[..., NoReturn]:
        """Return what stands for this class in `routepatterns`, as `as_view` does for a view."""

        def view(*args: Any, **kwargs: Any) -> NoReturn:
            raise TypeError(
                f"{cls.__qualname__} handles actions of a WebSocket: route to it from the "
                f"routepatterns of a handler or consumer, not from a urlconf."
            )

        # By this attribute a resolver knows it from a view.
        view.handler_class = cls  # type: ignore[attr-defined]  # functions have no such attribute
        view.__name__ = cls.__name__
        return view

    @property
    def parent(self) -> AsyncActionHandler | None:
        """The handler whose routes led here; None for the consumer."""
        return getattr(self, "_parent", None)

    @parent.setter
    def parent(self, parent: AsyncActionHandler | None) -> None:
        self._parent = parent

    @property
    def args(self) -> tuple[Any, ...]:
        """What unnamed groups of the route captured."""
        try:
            return self._args
        except AttributeError:
            return ()

    @args.setter
    def args(self, args: tuple[Any, ...]) -> None:
        self._args = args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What the route captured by name, the parents' captures included."""
        try:
            return self._kwargs
        except AttributeError:
            return NO_VALUES

    @kwargs.setter
    def kwargs(self, kwargs: Mapping[str, Any]) -> None:
        self._kwargs = kwargs

    @property
    def action(self) -> str | None:
        """The name of the running action."""
        return self.call.action

    @property
    def scope(self) -> Scope:
        """The ASGI scope of the connection."""
        return self.call.scope

    @property
    def consumer(self) -> AsyncAPIConsumer:
        """The consumer that owns the socket."""
        return self.call.consumer

    @property
    def user(self) -> Any:
        """The user of the connection, or None without an authentication middleware.

        It is the scope's, so `self.user = self.scope["user"]`, as consumers of Channels have it,
        changes nothing.
        """
        return self.scope.get("user")

    @user.setter
    def user(self, user: Any) -> None:
        self.scope["user"] = user


class AsyncAPIActionHandler(AsyncActionHandler):
    """A handler with permissions.

    Attributes:
        permission_classes: What plugins make checks of; all must pass, the parents' too. Where no
            class names any, a plugin may know a default; an empty list asks nobody.
        conceal_objects: Whether who may not have an object is answered as if there were none: 404
            instead of 403.
    """

    permission_classes: ClassVar[Sequence[Any]] = ()
    conceal_objects: ClassVar[bool] = False

    async def acheck_object_permissions(self, obj: Any) -> None:
        """Ask every check about an object that the running action is about to use.

        Raises:
            PermissionDenied: A check refused.
            NotFound: The same, where `conceal_objects` is set; for a model's object, Http404.
        """
        try:
            if not await self._plan.object_guard.allows(self, self.call, obj):
                raise PermissionDenied
        except Exception as error:
            self._conceal(error, obj)
            raise
        remember(self.call, obj)

    def check_object_permissions(self, obj: Any) -> None:
        """Do what `acheck_object_permissions` does, from sync code in a worker thread.

        All of it runs in that thread, but for an async check that awaits something: that one runs
        on the connection's event loop, and the thread waits. What such a check hands to a thread,
        as the async ORM does, comes back to this one: same database connection, same transaction.

        Raises:
            PermissionDenied: A check refused.
            NotFound: The same, where `conceal_objects` is set; for a model's object, Http404.
        """
        try:
            if not self._plan.object_guard.allows_all_in_worker(self, self.call, obj):
                raise PermissionDenied
        except Exception as error:
            self._conceal(error, obj)
            raise
        remember(self.call, obj)

    def _conceal(self, error: Exception, obj: Any) -> None:
        if self.conceal_objects:
            from aaah_core.refusals import conceal  # which loads Django's models

            conceal(error, obj)
