"""An action's method takes the place of no method of the base class."""

from __future__ import annotations

import pytest
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import connect, registry


def marked(method_name, **options):
    async def method(self):
        return "done"

    method.__name__ = method_name
    return async_action(**options)(method)


def refusal(base, attributes):
    """Return what a start says of a class, as a consumer or as a handler below one."""
    made = type("Tickets", (base,), attributes)
    if base is AsyncAPIActionHandler:
        made = type("Desk", (AsyncAPIConsumer,), {"routepatterns": [path("a/", made.as_aaah())]})
    with registry("async_action"), pytest.raises(ConfigurationError) as refused:
        made.as_asgi()
    return str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        *("connect", "disconnect", "accept", "close", "send", "send_json", "set_user", "call"),
        *("scope", "consumer", "kwargs", "groups", "user", "action", "channel_layer"),
    ],
)
def test_an_action_in_the_place_of_a_consumers_method_is_refused(name):
    said = refusal(AsyncAPIConsumer, {name: marked(name)})
    assert f"Tickets.{name} is an action in the place of AsyncAPIConsumer.{name}" in said
    assert f'@async_action(name="{name}")' in said


@pytest.mark.parametrize("name", ["call", "scope", "kwargs", "acheck_object_permissions"])
def test_so_it_is_on_a_handler(name):
    said = refusal(AsyncAPIActionHandler, {name: marked(name)})
    assert f"Tickets.{name} is an action in the place of AsyncAPIActionHandler.{name}" in said


def test_a_mixins_action_is_refused_as_well():
    mixin = type("Mixin", (), {"send": marked("send")})
    made = type("Tickets", (mixin, AsyncAPIConsumer), {})
    with registry("async_action"), pytest.raises(ConfigurationError, match="place of"):
        made.as_asgi()


async def test_clients_may_call_an_action_so_nevertheless():
    attributes = {"close_ticket": marked("close_ticket", name="close")}
    with registry("async_action"):
        async with connect(type("Tickets", (AsyncAPIConsumer,), attributes).as_asgi()) as client:
            assert (await client.call("close"))["data"] == "done"


async def test_a_handler_may_name_its_actions_as_consumers_name_methods():
    shelf = type("Shelf", (AsyncAPIActionHandler,), {"close": marked("close")})
    desk = type("Desk", (AsyncAPIConsumer,), {"routepatterns": [path("a/", shelf.as_aaah())]})
    with registry("async_action"):
        async with connect(desk.as_asgi()) as client:
            assert (await client.call("close", route="a/"))["data"] == "done"


async def test_an_action_may_take_the_place_of_a_parents_action():
    shop = type("Shop", (AsyncAPIConsumer,), {"open": marked("open")})
    with registry("async_action"):
        async with connect(type("Late", (shop,), {"open": marked("open")}).as_asgi()) as client:
            assert (await client.call("open"))["data"] == "done"
