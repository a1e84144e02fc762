"""Ours with plugins made for one case each, beside those that are installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.benchmarks.scene import PK, Scene, request

__all__ = ["alone", "among", "child", "child_consumer"]

_INSTALLED = ("async_action", "drf", "msgpack", "rest_framework_channels")


def _plugin(name: str, **hooks: Any) -> ModuleType:
    """Return a plugin with these hooks."""
    from aaah_core import hookimpl

    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


@contextmanager
def _installed_and(*plugins: ModuleType) -> Iterator[None]:
    from aaah_core.testing import registry

    with registry(*_INSTALLED, *plugins):
        yield


class Reader:
    """An entry of `permission_classes` that one of the plugins answers for."""


def _answering() -> list[ModuleType]:
    """Return five plugins, each with an answer for a handler, and what every message meets of it.

    A middleware and a route resolver run on every message; so does the check of the permission. An
    exception handler and one more action are there, and not run.
    """
    from aaah_core import Action, Check, Reply

    class Reads(Check):
        async def call(self, call: Any) -> bool:
            return bool(call.user.is_authenticated)

    async def passing(call: Any, call_next: Any) -> Reply:
        reply: Reply = await call_next(call)
        return reply

    async def ping(handler: Any, call: Any) -> str:
        return "pong"

    def aaah_middleware(handler_class: Any, action: Any) -> Any:
        return passing

    def aaah_route_resolver(handler_class: Any) -> Any:
        return lambda route, call: None

    def aaah_permission_check(handler_class: Any, permission: Any) -> Any:
        return Reads() if permission is Reader else None

    def aaah_exception_handlers(handler_class: Any) -> Any:
        return {ArithmeticError: lambda call, error: Reply(status=422)}

    def aaah_actions(handler_class: Any) -> Any:
        return {"ping": Action(name="ping", run=ping)}

    return [
        _plugin("timing", aaah_middleware=aaah_middleware),
        _plugin("elsewhere", aaah_route_resolver=aaah_route_resolver),
        _plugin("readers", aaah_permission_check=aaah_permission_check),
        _plugin("arithmetic", aaah_exception_handlers=aaah_exception_handlers),
        _plugin("ping", aaah_actions=aaah_actions),
    ]


def child_consumer() -> tuple[Any, Any]:
    """Return a consumer whose child says the text with the number in the route, and its plan.

    The child has two permissions, and five plugins answer for it.
    """
    from django.urls import path

    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, IsAuthenticated
    from aaah_core.plan import consumer_plan

    class Child(AsyncAPIActionHandler):
        permission_classes = (IsAuthenticated, Reader)

        @async_action
        async def echo(self, pk: int, text: str) -> dict[str, Any]:
            return {"text": text, "pk": pk}

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("books/<int:pk>/", Child.as_aaah())]

    with _installed_and(*_answering()):
        return Consumer.as_asgi(), consumer_plan(Consumer)


def child() -> Scene:
    """Say the text with the number in the route."""
    application, _ = child_consumer()
    return Scene(application, request(route=f"books/{PK}/"))


def _silent() -> list[ModuleType]:
    """Return twenty plugins that have every hook of a class, and an answer for none."""
    hooks = (
        "aaah_actions",
        "aaah_connection",
        "aaah_exception_handlers",
        "aaah_middleware",
        "aaah_permission_check",
        "aaah_request_parser",
        "aaah_response_shaper",
        "aaah_route_resolver",
    )
    return [
        _plugin(f"silent_{each}", **{hook: lambda: None for hook in hooks}) for each in range(20)
    ]


def _echo(*plugins: ModuleType) -> Scene:
    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        @async_action
        async def echo(self, text: str) -> dict[str, str]:
            return {"text": text}

    with _installed_and(*plugins):
        return Scene(Consumer.as_asgi(), request())


def alone() -> Scene:
    """Say the same text, with the plugins that are installed."""
    return _echo()


def among() -> Scene:
    """Say the same text, with twenty plugins more."""
    return _echo(*_silent())
