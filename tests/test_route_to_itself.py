"""A resolver may answer with the handler it was asked about."""

from __future__ import annotations

from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, Match, hookimpl
from aaah_core.testing import connect, registry


class Own:
    """What begins with `own` is the handler's own."""

    @hookimpl
    def aaah_route_resolver(self, handler_class):
        return lambda route, call: Match(handler_class) if route.startswith("own") else None


class Child(AsyncAPIActionHandler):
    @async_action
    async def where(self):
        return "child"


class Consumer(AsyncAPIConsumer):
    routepatterns = [path("child/", Child.as_aaah())]

    @async_action
    async def where(self):
        return "consumer"


async def test_a_match_of_the_handlers_own_class_runs_the_action_there():
    with registry("async_action", Own()):
        async with connect(Consumer.as_asgi()) as client:
            assert (await client.call("where", route="child/"))["data"] == "child"
            reply = await client.call("where", route="own/?page=2")
    assert (reply["data"], reply["route"]) == ("consumer", "own/?page=2")
