"""The ten hooks.

A hook is asked when a consumer or a handler class is compiled, and what it returns runs on every
message (`aaah_select_codec` alone is asked at each handshake). None always means "not mine". A
plugin takes only the arguments it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from aaah_core.interfaces import (
    Action,
    Check,
    Codec,
    ConnectionContext,
    ExceptionHandler,
    Middleware,
    RequestParser,
    ResponseShaper,
    RouteResolver,
    Scope,
)

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.handlers import AsyncActionHandler

__all__ = ["PROJECT", "hookimpl"]

#: The name of the pluggy project, and of the entry-point group.
PROJECT = "aaah"

hookspec = pluggy.HookspecMarker(PROJECT)
#: Marks a function of a plugin as the answer to a hook.
hookimpl = pluggy.HookimplMarker(PROJECT)


# The four of the dispatcher.


@hookspec(firstresult=True)
def aaah_select_codec(
    consumer_class: type[AsyncAPIConsumer], scope: Scope, allowed: tuple[str, ...]
) -> str | None:
    """**Codec selection.** Return the name of the codec for this connection.

    Asked at each handshake, before accept. `allowed` is the consumer's list, its default first; a
    name outside it refuses the connection, and so does an answer from nobody. Must not block.
    """


@hookspec
def aaah_route_resolver(handler_class: type[AsyncActionHandler]) -> RouteResolver | None:
    """**Route resolution.** Return ``(route, call) -> Match | None`` for this handler's routes.

    Asked once a class. Resolvers are tried in the order of plugins, the default last; the first
    `Match` wins, and one with the handler's own class says that this handler runs the action. The
    callable may be async. A `routes` attribute on it lists what it reaches.
    """


@hookspec(firstresult=True)
def aaah_permission_check(handler_class: type[AsyncActionHandler], permission: Any) -> Check | None:
    """**Permission checks.** Return the `Check` of one entry of `permission_classes`.

    Asked once for each entry, for each operand of a `Composition`, and for each entry of
    `throttle_classes`. An entry that nobody answers for stops the start. All checks of a handler,
    and of its parents, must pass. For a handler that names no `permission_classes` it is asked
    about `DefaultPermissions`, where no answer lets everyone pass.
    """


@hookspec
def aaah_response_shaper(consumer_class: type[AsyncAPIConsumer]) -> ResponseShaper | None:
    """**Response shaping.** Return ``(call | None, reply | event) -> payload`` for the consumer's
    `wire`.

    Asked once a consumer class; look at `consumer_class.wire` and at nothing else. Two answers for
    one wire stop the start.
    """


# Six that they need.


@hookspec
def aaah_request_parser(consumer_class: type[AsyncAPIConsumer]) -> RequestParser | None:
    """Return ``(payload) -> Call | list[Call | RequestError]`` for the consumer's `wire`.

    The parser fills what the wire knows (`action` to `meta`); it raises `MalformedRequest`, with
    the part of the `Call` it could read.
    """


@hookspec
def aaah_codecs() -> Iterable[Codec] | None:
    """Return the codecs that this plugin offers. Two of one name stop the start."""


@hookspec
def aaah_actions(handler_class: type[AsyncActionHandler]) -> Mapping[str, Action] | None:
    """Return the actions of this class by name. Two plugins with one name stop the start."""


@hookspec
def aaah_middleware(
    handler_class: type[AsyncActionHandler], action: Action | None
) -> Middleware | None:
    """Return ``async (call, call_next) -> Reply``, to stand around this action.

    The first plugin is the outermost. `action` is None for what fails before a handler is known
    (malformed, 404, 405, 415): that passes the consumer's own middleware. A middleware sees every
    outcome as a `Reply`, a denial and a bug too.
    """


@hookspec
def aaah_exception_handlers(
    handler_class: type[AsyncActionHandler],
) -> Mapping[type[Exception], ExceptionHandler] | None:
    """Return ``(call, exception) -> Reply`` by exception class, plain or async.

    The nearest class in the exception's MRO wins; for one class, the first plugin.
    """


@hookspec
def aaah_connection(consumer_class: type[AsyncAPIConsumer]) -> ConnectionContext | None:
    """Return ``(consumer) -> async context manager``, to stand around each accepted connection."""
