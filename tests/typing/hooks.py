"""What type checkers say of hooks: nothing of these, as they are right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aaah_core import (
    Action,
    AsyncActionHandler,
    AsyncAPIConsumer,
    Call,
    CallNext,
    Check,
    Codec,
    ConnectionContext,
    Event,
    ExceptionHandler,
    Limits,
    Match,
    Middleware,
    Reply,
    RequestParser,
    ResponseShaper,
    RouteResolver,
    Scope,
    hookimpl,
)


class Tick(Codec):
    name = "tick"
    frame = "text"

    def encode(self, payload: Any) -> str:
        return str(payload)

    def decode(self, frame: str | bytes, limits: Limits) -> Any:
        return frame


class Mine(Check):
    async def call(self, call: Call) -> bool:
        return call.user is not None

    def object(self, call: Call, obj: Any) -> bool:
        return obj is not None


async def middleware(call: Call, call_next: CallNext) -> Reply:
    return await call_next(call)


async def later(route: str, call: Call) -> Match | None:
    return Match(AsyncActionHandler, kwargs={"route": route})


def parse(payload: Any) -> Call:
    return Call(payload)


def shape(call: Call | None, message: Reply | Event) -> Any:
    return message.data


async def run(handler: AsyncActionHandler, call: Call) -> Any:
    return handler.kwargs


def not_found(call: Call, exception: LookupError) -> Reply:
    return Reply(status=404)


@asynccontextmanager
async def around(consumer: AsyncAPIConsumer) -> AsyncIterator[None]:
    yield


@hookimpl
def aaah_select_codec(scope: Scope, allowed: tuple[str, ...]) -> str | None:
    return allowed[0] if scope.get("path") else None


@hookimpl
def aaah_route_resolver(handler_class: type[AsyncActionHandler]) -> RouteResolver | None:
    return later if handler_class.routepatterns else None


@hookimpl
def aaah_permission_check(permission: Any) -> Check | None:
    return Mine() if permission == "mine" else None


@hookimpl
def aaah_response_shaper(consumer_class: type[AsyncAPIConsumer]) -> ResponseShaper | None:
    return shape if consumer_class.wire == "mine" else None


@hookimpl
def aaah_request_parser(consumer_class: type[AsyncAPIConsumer]) -> RequestParser | None:
    return parse if consumer_class.wire == "mine" else None


@hookimpl
def aaah_codecs() -> list[Codec]:
    return [Tick()]


@hookimpl
def aaah_actions(handler_class: type[AsyncActionHandler]) -> dict[str, Action]:
    return {"run": Action("run", run=run)}


@hookimpl
def aaah_middleware(action: Action | None) -> Middleware | None:
    return middleware if action is not None and action.writes else None


@hookimpl
def aaah_exception_handlers() -> dict[type[Exception], ExceptionHandler]:
    return {LookupError: not_found}


@hookimpl
def aaah_connection() -> ConnectionContext:
    return around
