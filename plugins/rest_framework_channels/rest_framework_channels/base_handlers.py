"""The classes that every handler of this package comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property, update_wrapper
from types import new_class
from typing import Any, ClassVar, cast

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import get_channel_layer
from django.urls import URLPattern
from rest_framework.exceptions import PermissionDenied

import aaah_core
from aaah_core import Call, Scope, to_plain
from rest_framework_channels.asking import ask, call_of, known, taken
from rest_framework_channels.compositions import instance_of, is_permission
from rest_framework_channels.overrides import overridden
from rest_framework_channels.permissions import AllowAny
from rest_framework_channels.replying import Replying
from rest_framework_channels.routings import RoutingManager, prefix, scope_below, way
from rest_framework_channels.settings import FromSettings, api_settings

__all__ = ["APIActionHandlerMetaclass", "AsyncAPIActionHandler", "AsyncActionHandler"]


class APIActionHandlerMetaclass(type):
    """Records the actions and the routes of a class.

    Raises:
        ImproperlyConfigured: A route is an `include()`.
    """

    available_actions: dict[str, str]
    actions_kwargs: dict[str, dict[str, Any]]
    routing: RoutingManager
    routepatterns: Sequence[URLPattern]

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        inherited = [vars(base) for base in reversed(cls.__mro__)]
        attributes = {key: value for each in inherited for key, value in each.items()}
        marked = {
            key: value for key, value in attributes.items() if getattr(value, "is_action", False)
        }
        options = {key: getattr(value, "kwargs", {}) for key, value in marked.items()}
        cls.available_actions = {given.get("name", key): key for key, given in options.items()}
        cls.actions_kwargs = {given.get("name", key): given for key, given in options.items()}
        cls.routing = RoutingManager()
        for route in cls.routepatterns if "routepatterns" in attributes else ():
            cls.routing.append(prefix(route), attributes.get("group_send_lookup_kwargs"))


class AsyncActionHandler(
    aaah_core.AsyncActionHandler, Replying, metaclass=APIActionHandlerMetaclass
):
    """A class whose actions a client may call.

    Attributes:
        available_actions: The names of the methods, by action.
        actions_kwargs: What `async_action` was given, by action.
        routing: The routes.
        exception_handler: What answers to exceptions; ``EXCEPTION_HANDLER`` of the settings, read
            when one happens, if None.
        json_encoder_class: What encodes values that JSON does not know; ``JSON_ENCODER_CLASS`` of
            the settings if None.
        group_send_lookup_kwargs: The captured value that names the group of broadcasts; the
            parent's if None.
    """

    available_actions: ClassVar[dict[str, str]]
    actions_kwargs: ClassVar[dict[str, dict[str, Any]]]
    routing: ClassVar[RoutingManager]
    routepatterns: ClassVar[Sequence[URLPattern]] = []
    #: Which of `CHANNEL_LAYERS` it is.
    channel_layer_alias: str = DEFAULT_CHANNEL_LAYER
    group_send_lookup_kwargs: ClassVar[Any] = None

    _own_scope: Scope | None = None

    @classmethod
    def as_aaah(cls, **initkwargs: Any) -> Any:
        """Return what stands for this class in `routepatterns`, as `as_view` does for a view.

        Args:
            initkwargs: What instances are made with.
        """
        made_class = _initialised(cls, initkwargs) if initkwargs else cls

        async def app(scope: Scope, receive: Any, send: Any) -> AsyncActionHandler:
            return await made_class()(scope, receive, send)

        update_wrapper(app, cls, updated=())
        vars(app).update(handler_class=cls, handler_initkwargs=initkwargs, made_class=made_class)
        return app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> AsyncActionHandler:
        """Take the place in a scope that a route led to; it runs nothing."""
        query = (scope.get("path_remaining") or "").rpartition("?")[2]
        route = scope.get("route") or (f"?{query}" if query else "")
        itself: Any = self  # it stands for its consumer too: there is no connection
        self.call = Call(None, route, scope=scope, consumer=itself, handler=self)
        self.scope = scope
        self.base_receive, self.base_send = receive, send
        captured = scope.get("url_route", {})
        self.args, self.kwargs = captured.get("args", ()), captured.get("kwargs", {})
        return self

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """Return what JSON says."""
        return json.loads(text_data)

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        """Return JSON, as `json_encoder_class` makes it."""
        encoder = cls.json_encoder_class or api_settings.JSON_ENCODER_CLASS
        return json.dumps(to_plain(content) if encoder is None else content, cls=encoder)

    @property
    def scope(self) -> Scope:
        """The scope of the connection, with what the routes captured.

        `url_route` has the captures of the URL and of the routes, `path_remaining` the query, and
        `route` the route as it was sent.
        """
        if self._own_scope is None:
            outer = self.parent.scope if self.parent else self.call.scope
            matched = (_remaining(self), self.args, dict(self.kwargs))
            route, lookup = self.call.route, _lookup(self.parent)
            self._own_scope = scope_below(outer, matched, route, lookup)
        return self._own_scope

    @scope.setter
    def scope(self, scope: Scope) -> None:
        self._own_scope = scope

    @property
    def group_id(self) -> Any:
        """The group that broadcasts go to, or None."""
        lookup = self.group_send_lookup_kwargs or _lookup(self.parent)
        if lookup is None and self._own_scope is not None:
            lookup = self._own_scope.get("parent_group_send_lookup_kwargs")
        return None if lookup is None else self.kwargs.get(lookup)

    #: The channel layer; a consumer sets its own.
    channel_layer: Any = cast(
        Any, cached_property(lambda self: get_channel_layer(self.channel_layer_alias))
    )
    #: None: only a consumer has a channel.
    channel_name: Any = None


class AsyncAPIActionHandler(AsyncActionHandler, aaah_core.AsyncAPIActionHandler):
    """A handler with permissions.

    Attributes:
        permission_classes: Permissions of this package, of DRF or of AAAH, all of which must pass;
            ``DEFAULT_PERMISSION_CLASSES`` of the settings if unset.
    """

    permission_classes: ClassVar[Any] = FromSettings("DEFAULT_PERMISSION_CLASSES")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let nothing of what decides on permissions stand for "none are asked"."""
        super().__init_subclass__(**kwargs)
        if vars(cls).get("permission_classes", ()) is None:
            cls.permission_classes = FromSettings("DEFAULT_PERMISSION_CLASSES")
        if cls.decides_itself() and not cls.permission_classes:
            cls.permission_classes = (AllowAny,)

    @classmethod
    def decides_itself(cls) -> bool:
        """Say whether the class has overridden what asks its permissions, or what may set them."""
        return overridden(cls, "get_permissions", "check_permissions", "__init__")

    async def get_permissions(self, **kwargs: Any) -> list[Any]:
        """Return new instances of the permissions that are asked."""
        return [instance_of(each) for each in self.permission_classes if is_permission(each)]

    async def check_permissions(self, action: str, **kwargs: Any) -> None:
        """Ask whether an action may run.

        Args:
            action: The action.
            kwargs: What the routes captured, `data`, and the other keys of the message.

        Raises:
            PermissionDenied: It may not.
        """
        overridden = type(self).check_permissions is not AsyncAPIActionHandler.check_permissions
        if overridden and (call := call_of(self)) is not None:
            kwargs = {**known(call), **kwargs}  # the override may have dropped them
        for permission in await self.get_permissions(**taken(self.get_permissions, kwargs)):
            asked = {**kwargs, "scope": self.scope, "handler": self, "action": action}
            if not await ask(permission, "has_permission", **asked):
                raise PermissionDenied

    async def check_object_permissions(  # type: ignore[override]  # as in rest_framework_channels
        self, action: str, obj: Any, **kwargs: Any
    ) -> None:
        """Ask whether an action may have an object; parents that are AAAH's own are asked, too.

        Raises:
            PermissionDenied: It may not.
        """
        try:
            await self._ask_about_object(action, obj, **kwargs)
        except Exception as error:
            if self.conceal_objects:
                aaah_core.conceal(error, obj)
            raise

    async def _ask_about_object(self, action: str, obj: Any, **kwargs: Any) -> None:
        if self.parent is not None:
            await self.acheck_object_permissions(obj)
        for permission in await self.get_permissions(**taken(self.get_permissions, kwargs)):
            asked = {**kwargs, "scope": self.scope, "handler": self, "action": action}
            if not await ask(permission, "has_object_permission", **asked, obj=obj):
                raise PermissionDenied


def _lookup(parent: Any) -> Any:
    """Return what names the group in the nearest parent that says so."""
    while parent is not None:
        lookup = getattr(type(parent), "group_send_lookup_kwargs", None)
        if lookup is not None:
            return lookup
        parent = parent.parent
    return None


def _remaining(handler: Any) -> str:
    """Return the query of the route, or else what no pattern matched of it."""
    query = (handler.call.route or "").partition("?")[2]
    depth, parent = -1, handler.parent
    while parent is not None:
        depth, parent = depth + 1, parent.parent
    matches = way(handler.call)[depth:]
    return query or (matches[0].rest if matches else "")


def _initialised(handler_class: type[Any], initkwargs: Mapping[str, Any]) -> type[Any]:
    def initialise(self: Any) -> None:
        handler_class.__init__(self, **initkwargs)

    def fill(namespace: dict[str, Any]) -> None:
        for name in ("__module__", "__qualname__", "__doc__"):
            namespace[name] = getattr(handler_class, name)
        namespace["__init__"] = initialise

    return new_class(handler_class.__name__, (handler_class,), exec_body=fill)
