"""What hooks return: the objects and callables that a plan keeps and every message meets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import msgspec

from aaah_core.messages import Call, Event, Reply

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.errors import RequestError
    from aaah_core.handlers import AsyncActionHandler
    from aaah_core.limits import Limits

__all__ = [
    "ACTION_MARK",
    "Action",
    "CallNext",
    "Check",
    "Codec",
    "Composition",
    "ConnectionContext",
    "ExceptionHandler",
    "Match",
    "Middleware",
    "RequestParser",
    "ResponseShaper",
    "RouteResolver",
    "Scope",
]

#: The ASGI scope of a connection.
Scope: TypeAlias = MutableMapping[str, Any]

#: What stands in for an async or a sync answer.
MaybeAwaitable: TypeAlias = bool | Awaitable[bool]

#: ``(payload) -> call``, or a list where the wire knows batches. It raises `MalformedRequest`.
RequestParser: TypeAlias = Callable[[Any], "Call | list[Call | RequestError]"]
#: ``(call, reply or event) -> payload``; the call is None for an event, and None as an answer sends
#: nothing.
ResponseShaper: TypeAlias = Callable[[Call | None, Reply | Event], Any]
#: ``(route, call) -> match or None``, plain or async. A `routes` attribute (pairs of a pattern's
#: text and a handler class) lets a start compile, and `describe` list, what the resolver can reach.
RouteResolver: TypeAlias = Callable[[str, Call], "Match | None | Awaitable[Match | None]"]
#: What a middleware awaits to go on.
CallNext: TypeAlias = Callable[[Call], Awaitable[Reply]]
#: ``async (call, call_next) -> reply``.
Middleware: TypeAlias = Callable[[Call, CallNext], Awaitable[Reply]]
#: ``(call, exception) -> reply``, plain or async.
ExceptionHandler: TypeAlias = Callable[[Call, Any], "Reply | Awaitable[Reply]"]
#: ``(consumer) -> async context manager``, entered for each accepted connection.
ConnectionContext: TypeAlias = Callable[["AsyncAPIConsumer"], AbstractAsyncContextManager[Any]]

#: The attribute that a decorator sets on a method to say "this is an action", with the action's
#: name. A marked method that no plugin collects is refused at start: its plugin is missing or
#: disabled.
ACTION_MARK = "__aaah_action__"


class Codec(ABC):
    """Turns frames into payloads and back.

    A codec offers itself to clients as the subprotocol ``aaah.<name>``. It is shared by every
    connection, so it keeps nothing of a message.
    """

    #: What `codecs` of a consumer calls it.
    name: ClassVar[str]
    #: The kind of frame it reads and writes.
    frame: ClassVar[Literal["text", "bytes"]]

    @property
    def subprotocol(self) -> str:
        """What a client offers in ``Sec-WebSocket-Protocol`` to ask for this codec."""
        return f"aaah.{self.name}"

    @abstractmethod
    def encode(self, payload: Any) -> str | bytes:
        """Return the frame of a payload.

        Raises:
            EncodeError: A value that `to_plain` does not know.
        """

    @abstractmethod
    def decode(self, frame: str | bytes, limits: Limits) -> Any:
        """Return the payload of a frame: dicts with string keys, lists, strings, numbers, bools,
        None.

        Raises:
            DecodeError: The frame cannot be read (400) or passes a limit (413). Nothing else.
        """


class Match(msgspec.Struct):
    """What a route resolver found."""

    #: The handler that the route leads to; the resolver's own is to run the action itself.
    handler_class: type[AsyncActionHandler]
    #: What unnamed groups captured.
    args: tuple[Any, ...] = ()
    #: What named groups captured, converted.
    kwargs: Mapping[str, Any] = {}
    #: What the handler's own routes are to resolve; "" is the handler itself.
    rest: str = ""


@dataclass(slots=True, frozen=True)
class Action:
    """What a client may call by name."""

    #: What a client calls it.
    name: str
    #: ``run(handler, call)`` returns what the action returned. It is async, or plain where `sync`
    #: is true.
    run: Callable[[Any, Call], Any]
    #: One paragraph for whoever asks what the action does.
    doc: str = ""
    #: The parameters as JSON Schema, for documents and consoles.
    params: Mapping[str, Any] = field(default_factory=dict)
    #: What it returns, as JSON Schema.
    returns: Mapping[str, Any] = field(default_factory=dict)
    #: Whether it changes anything.
    writes: bool = True
    #: `response` answers the caller, `broadcast` sends an event to a group too, `none` answers
    #: nobody.
    mode: Literal["response", "broadcast", "none"] = "response"
    #: Whether `run` is plain and belongs in a worker thread.
    sync: bool = False


class Check:
    """One permission, at its moments. A child overrides the moments it has a say in.

    Each method returns a bool or an awaitable of one. A plain method runs in a worker thread,
    together with a sync action, and may use the database; an async one runs on the event loop. A
    method that is not overridden has no say: it lets everything pass, and neither it nor its
    negation costs anything.
    """

    def connect(self, scope: Scope, consumer: AsyncAPIConsumer) -> MaybeAwaitable:
        """May this connection be accepted? Asked before accept."""
        return True

    def call(self, call: Call) -> MaybeAwaitable:
        """May this call run?"""
        return True

    def object(self, call: Call, obj: Any) -> MaybeAwaitable:
        """May this call have that object?"""
        return True

    def event(self, subscription: Call | None, event: Event) -> MaybeAwaitable:
        """May this event be delivered? `subscription` is the call that joined, if one did."""
        return True


@dataclass(frozen=True)
class Composition(Check):
    """A check made of permissions: what `&`, `|` and `~` give.

    The plan asks `aaah_permission_check` for every operand, whichever plugin it belongs to.
    """

    #: What stands between the operands, or before the one.
    operator: Literal["and", "or", "not"]
    #: Permissions, or compositions of them.
    operands: Sequence[Any]
