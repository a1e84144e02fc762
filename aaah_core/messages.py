"""What travels through the dispatcher: `Call`, `Reply`, `Event`."""

from __future__ import annotations

from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.handlers import AsyncActionHandler

__all__ = ["MISSING", "Call", "Event", "Missing", "Reply"]


class Missing(Enum):
    """The type of `MISSING`."""

    #: Its one value.
    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> Literal[False]:
        return False


#: Stands where a request sent nothing: `None` is a value that a client can send.
MISSING: Final = Missing.MISSING


# Structs of msgspec, which are made in half the time that dataclasses take.


class Call(msgspec.Struct, eq=False):
    """A request to run an action.

    A wire's parser fills the first seven fields, the dispatcher the rest. `copy.copy` copies it.
    """

    #: The action's name; None where it could not be read.
    action: str | None
    #: The route as it was sent, query included; "" is the consumer's own, None where it could not
    #: be read.
    route: str | None = ""
    #: The body of the request, or `MISSING`.
    data: Any = MISSING
    #: What else the request named: the candidates for the action's parameters.
    params: Mapping[str, Any] = {}
    #: The client's own mark, repeated in the reply: a string, an integer, or `MISSING`.
    request_id: str | int | Missing = MISSING
    #: Whether the client gets a reply.
    wants_reply: bool = True
    #: What the wire wants to remember from request to reply.
    meta: Any = None
    #: A place for plugins to leave things for one another during this call.
    state: dict[str, Any] = {}
    # The dispatcher sets the next three before anyone looks: hence None, where None is no value.
    #: The ASGI scope of the connection.
    scope: MutableMapping[str, Any] = None  # type: ignore[assignment]  # see above
    #: The consumer that owns the socket.
    consumer: AsyncAPIConsumer = None  # type: ignore[assignment]  # see above
    #: The handler that runs the action; while a parent's checks run, that parent.
    handler: AsyncActionHandler = None  # type: ignore[assignment]  # see above

    @property
    def user(self) -> Any:
        """`scope["user"]`, or None without an authentication middleware."""
        return self.scope.get("user")


#: Where `state` has the objects that the checks let a call have.
OBJECTS = "aaah.objects"


def remember(call: Call, obj: Any) -> None:
    """Keep an object that a call may have: it is asked about again with what the call joined."""
    call.state.setdefault(OBJECTS, []).append(obj)


#: The call that the consumer itself runs, in this task or thread.
current_call: ContextVar[Call] = ContextVar("current_call")


class Reply(msgspec.Struct, eq=False):
    """The response to a call."""

    #: What the action returned; None when there are errors.
    data: Any = None
    #: As in HTTP.
    status: int = 200
    #: Objects with `code`, `detail` and, where it helps, `field` (a path) or `retry_after`
    #: (seconds).
    errors: list[dict[str, Any]] = []
    #: True for a part of a stream that another reply ends.
    more: bool = False
    #: What was raised, for middleware, and for shapers whose codes depend on it; never sent.
    exception: BaseException | None = None


class Event(msgspec.Struct, eq=False):
    """What a client is sent without having asked."""

    #: What a client knows it by; an event method of that name is called instead of sending it.
    name: str
    #: What the client gets.
    data: Any = None
    #: As in HTTP.
    status: int = 200
    #: The group it was sent to, if any.
    group: str | None = None
    #: The `request_id` of the call that caused it, for those who want to tell.
    request_id: str | int | None = None
    #: Its number within the group, where events are numbered.
    seq: int | None = None
