"""`AsyncAPIConsumer`: the handler that owns the socket."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from asgiref.sync import markcoroutinefunction
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import BaseChannelLayer

from aaah_core import conf, identity
from aaah_core.connection import Connection
from aaah_core.credentials import CREDENTIAL, Credential
from aaah_core.errors import ConfigurationError
from aaah_core.handlers import NO_VALUES, AsyncAPIActionHandler
from aaah_core.interfaces import ACTION_MARK
from aaah_core.membership import at_home, own_groups
from aaah_core.messages import MISSING, Missing, current_call
from aaah_core.mistakes import require_frame
from aaah_core.plan import ConsumerPlan, consumer_plan

if TYPE_CHECKING:
    from aaah_core.handlers import AsyncActionHandler
    from aaah_core.interfaces import Codec, Scope
    from aaah_core.messages import Call

__all__ = ["AsyncAPIConsumer"]

#: What Channels' consumers override, and what stands in its place here.
_REPLACED = {
    "receive": "write an action, or a codec",
    "receive_json": "write an action, or a request parser",
    "websocket_receive": "write an action, or a codec",
    "websocket_connect": "write connect()",
    "websocket_disconnect": "write disconnect()",
    "dispatch": "write a middleware (the hook aaah_middleware)",
}


class _FromSettings:
    """Stands for a setting until a class says otherwise."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, instance: object, owner: type[Any]) -> Any:
        return getattr(conf.current(), self.key)


class AsyncAPIConsumer(AsyncAPIActionHandler, AsyncJsonWebsocketConsumer):
    """A Channels consumer whose clients call actions. One instance lives as long as its connection.

    Attributes:
        codecs: Names of codecs, or codec objects, the default first. ``AAAH["CODECS"]`` if unset.
        wire: The name of the shape of its messages. ``AAAH["WIRE"]`` if unset.
        limits: What differs from ``AAAH["LIMITS"]``.
        concurrency: How many calls may run at once; with 1, in the order they came.
        groups: The layer groups that every connection joins.
        group_send_lookup_kwargs: Values of the URL that name a group which every connection joins.
        needs_app: False for a family of consumers that also runs where ``aaah_core`` is not in
            ``INSTALLED_APPS``. There are no system checks then: `as_asgi` says what is wrong.
    """

    # What each connection has is no dict: that would weigh 0.3 KiB.
    __slots__ = ("_connection", "_groups", "_scope")

    codecs: ClassVar[Sequence[str | Codec] | str] = cast(Any, _FromSettings("CODECS"))
    wire: ClassVar[str] = cast(Any, _FromSettings("WIRE"))
    limits: ClassVar[Mapping[str, Any]] = {}
    concurrency: ClassVar[int] = 1
    group_send_lookup_kwargs: ClassVar[str | Sequence[str] | None] = None
    needs_app: ClassVar[bool] = True

    # No route leads to a consumer.
    parent: AsyncActionHandler | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = NO_VALUES

    _connection: Connection
    _groups: Sequence[str]

    # As Channels' own takes anything; that one would make a list of groups for each connection.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> Any:
        """Return the ASGI application, as in Channels. This is where the plugins are asked.

        Raises:
            ConfigurationError: Anything that is set up wrongly, in plugins, settings or the class.
        """
        plan = _compile(cls)

        # Plain, as `__call__` is.
        @markcoroutinefunction
        def app(scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
            consumer = cls(**initkwargs)
            consumer._plan = plan
            return consumer(scope, receive, send)

        app.consumer_class = cls  # type: ignore[attr-defined]  # as Channels names them
        app.consumer_initkwargs = initkwargs  # type: ignore[attr-defined]  # as above
        functools.update_wrapper(app, cls, updated=())
        return app

    # Plain, but known as async: a coroutine of its own would stay for as long as the connection.
    @markcoroutinefunction
    def __call__(self, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Run one connection."""
        if not hasattr(self, "_plan"):
            self._plan = _compile(type(self))
        self.scope = scope
        return Connection.live(self, receive, send)

    @property
    def base_send(self) -> Any:  # type: ignore[override]  # Channels' stubs have an attribute
        """What sends an ASGI message to the server, as in Channels."""
        return self._connection.transport.send

    @property  # type: ignore[override]  # Channels' stubs list the keys they know of a scope
    def scope(self) -> Scope:
        """The ASGI scope of the connection."""
        return self._scope

    @scope.setter
    def scope(self, scope: Scope) -> None:
        self._scope = scope

    @property  # type: ignore[override]  # Channels' stubs have an attribute
    def groups(self) -> Sequence[str]:
        """The layer groups that this connection joins; a class names those of all of its own."""
        groups: Sequence[str] | None = getattr(self, "_groups", None)
        if groups is None:
            groups = self._groups = []
        return groups

    @groups.setter
    def groups(self, groups: Sequence[str]) -> None:
        self._groups = groups

    @property
    def consumer(self) -> AsyncAPIConsumer:
        """Itself."""
        return self

    @property
    def call(self) -> Call:
        """The call that runs now, in this task or thread.

        Raises:
            LookupError: None has run yet.
        """
        return current_call.get()

    @call.setter
    def call(self, call: Call) -> None:
        current_call.set(call)

    @property
    def channel_layer(self) -> BaseChannelLayer:  # type: ignore[override]  # made when read
        """The channel layer, as in Channels."""
        # Annotated as Channels' stubs have it, which do not know that there may be none.
        return cast(BaseChannelLayer, self._connection.membership.view)

    @property
    def channel_name(self) -> str:  # type: ignore[override]  # nobody sets it: it is made when read
        """The name of this connection's channel in the channel layer, as in Channels."""
        return self._connection.membership.name

    def event_method(self, name: str) -> Callable[[Any], Awaitable[None]] | None:
        """Return the method for events of a type, as Channels names it: dots as underscores.

        It is one that a child wrote for events: neither an action nor a method of ours. Whether
        there is one is asked once for all connections of a class.
        """
        attribute = name.replace(".", "_")
        if attribute.startswith("_") or hasattr(AsyncAPIConsumer, attribute):
            return None
        method = getattr(type(self), attribute, None)
        if not callable(method) or hasattr(method, ACTION_MARK):
            return None
        return cast(Callable[[Any], Awaitable[None]], getattr(self, attribute))

    async def accept(self, subprotocol: str | None = None, headers: Any = None) -> None:
        """Accept the connection, with the subprotocol of its codec unless another is given."""
        subprotocol = subprotocol or self._connection.subprotocol
        # In its groups before the client knows of it, or it would miss what is sent at once.
        await self.join_own_groups()
        await super().accept(subprotocol, headers)
        await self._connection.enter_contexts()

    async def join_own_groups(self) -> None:
        """Join the groups that every connection of this class joins; `accept` does."""
        # To read `groups` makes a list for what nobody has named.
        named = hasattr(self, "_groups") or type(self).groups is not AsyncAPIConsumer.groups
        for group in own_groups(self, self.groups if named else ()):
            await self._connection.membership.join(group, own=True)

    async def set_user(
        self, user: Any, *, credential: Credential | None | Missing = MISSING
    ) -> None:
        """Let the connection be another user's, or the same one's with other rights.

        What was refused at connect is asked again, and who is refused now is closed (4403). So is
        each call that joined a group: where its checks refuse, the membership ends, and the client
        is sent the event ``aaah.unsubscribed`` with the call's `action`, `route` and `request_id`.
        Nothing the groups are sent meanwhile reaches the client before that.

        Args:
            user: What `scope["user"]` is from now on.
            credential: What the user showed; what was shown before still holds if left out.
        """
        await at_home(self._connection, self._become(user, credential))

    async def _become(self, user: Any, credential: Credential | None | Missing) -> None:
        self.scope["user"] = user
        if credential is not MISSING:
            self.scope[CREDENTIAL] = credential
        identity.begin(self._connection)
        await identity.settled([self._connection])

    async def send_json(self, content: Any, close: bool | int = False) -> None:
        """Send a payload of any shape, in the connection's codec."""
        codec, plan = self._connection.codec, self._connection.plan
        frame = require_frame(plan, codec, codec.encode(content))
        await self._connection.transport.send_frame(frame)
        if close:
            await self.close(close)


def _compile(consumer_class: type[AsyncAPIConsumer]) -> ConsumerPlan:
    for name, instead in _REPLACED.items():
        if getattr(consumer_class, name) is not getattr(AsyncJsonWebsocketConsumer, name):
            raise ConfigurationError(
                f"{consumer_class.__qualname__} overrides {name}(), and nobody calls it: {instead}."
            )
    return consumer_plan(consumer_class)
