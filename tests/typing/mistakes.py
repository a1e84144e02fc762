"""What type checkers refuse of hooks: each comment names what they must say.

A checker that overlooks one says that its comment is not needed, which is an error too.
"""

from __future__ import annotations

from typing import Any

from aaah_core import (
    Action,
    AsyncAPIConsumer,
    Call,
    CallNext,
    Check,
    Codec,
    ConnectionContext,
    ExceptionHandler,
    Limits,
    Match,
    Middleware,
    Reply,
    RequestParser,
    ResponseShaper,
    RouteResolver,
    hookimpl,
)
from tests.typing.hooks import Mine, Tick, middleware, not_found, parse, run


class Bytes(Codec):
    name = b"bytes"  # type: ignore[assignment]  # a name is text
    frame = "binary"  # type: ignore[assignment]  # "text" or "bytes"

    def encode(self, payload: Any) -> int:  # type: ignore[override]  # a frame
        return 0

    def decode(self, frame: str, limits: Limits) -> Any:  # type: ignore[override]  # bytes too
        return frame


class Shouting(Check):
    def call(self, call: Call) -> str:  # type: ignore[override]  # a bool, or an awaitable of one
        return "no"


def plain(call: Call, call_next: CallNext) -> Reply:
    return Reply()


async def forgets(call: Call, call_next: CallNext) -> Reply:
    return call_next(call)  # type: ignore[return-value]  # `await` is missing


async def alone(call: Call) -> Reply:
    return Reply()


async def resolves_to_text(route: str, call: Call) -> str:
    return route


async def parse_later(payload: Any) -> Call:
    return Call(payload)


async def without_decorator(consumer: AsyncAPIConsumer) -> None:
    return None


@hookimpl
def aaah_select_codec(allowed: tuple[str, ...]) -> str | None:
    return Tick()  # type: ignore[return-value]  # its name


@hookimpl
def aaah_route_resolver() -> RouteResolver | None:
    return resolves_to_text  # type: ignore[return-value]  # a Match


@hookimpl
def aaah_permission_check(permission: Any) -> Check | None:
    return Mine  # type: ignore[return-value]  # an object


@hookimpl
def aaah_response_shaper() -> ResponseShaper | None:
    return parse  # type: ignore[return-value]  # two arguments


@hookimpl
def aaah_request_parser() -> RequestParser | None:
    return parse_later  # type: ignore[return-value]  # plain


@hookimpl
def aaah_codecs() -> list[Codec]:
    return [Tick]  # type: ignore[list-item]  # an object


@hookimpl
def aaah_actions() -> dict[str, Action]:
    return {"run": run}  # type: ignore[dict-item]  # an Action


@hookimpl
def aaah_middleware(action: Action | None) -> Middleware | None:
    if action is None:
        return plain  # type: ignore[return-value]  # async
    if action.writes:
        return alone  # type: ignore[return-value]  # two arguments
    return middleware(Call(None), plain)  # type: ignore[return-value,arg-type]  # not called


@hookimpl
def aaah_exception_handlers() -> dict[type[Exception], ExceptionHandler]:
    return {"LookupError": not_found}  # type: ignore[dict-item]  # a class


@hookimpl
def aaah_connection() -> ConnectionContext:
    return without_decorator  # type: ignore[return-value]  # @asynccontextmanager


#: An action without a name, and a route to an object.
NAMELESS = Action(run=run)  # type: ignore[call-arg]  # a name
TO_NOWHERE = Match("home")  # type: ignore[arg-type]  # a handler class
