"""`get_permissions()` of views, which nobody asks here: what it guards would stand open."""

from __future__ import annotations

import pytest
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import connect, registry

pytestmark = pytest.mark.usefixtures("core")


def get_permissions(self, action=None, **kwargs):
    raise AssertionError


@pytest.mark.parametrize("base", [AsyncAPIConsumer, AsyncAPIActionHandler])
@pytest.mark.parametrize("mixed_in", [False, True])
def test_it_is_refused_at_start_with_what_to_write(base, mixed_in):
    methods = {"get_permissions": get_permissions}
    bases = (type("Mixin", (), methods), base) if mixed_in else (base,)
    made = type("Tickets", bases, {} if mixed_in else methods)
    if base is AsyncAPIActionHandler:
        made = type("Desk", (AsyncAPIConsumer,), {"routepatterns": [path("a/", made.as_aaah())]})
    says = r"^Tickets has get_permissions\(\), and nobody calls it: .* permission_classes"
    with pytest.raises(ConfigurationError, match=says):
        made.as_asgi()


def test_a_family_that_asks_it_has_what_calls_it():
    methods = {"get_permissions": get_permissions, "check_permissions": get_permissions}
    assert type("Tickets", (AsyncAPIConsumer,), methods).as_asgi()


async def test_an_action_of_that_name_is_what_clients_call():
    @async_action()
    async def get_permissions(self):
        return ["read"]

    tickets = type("Tickets", (AsyncAPIConsumer,), {"get_permissions": get_permissions})
    with registry("async_action"):
        async with connect(tickets.as_asgi()) as client:
            assert (await client.call("get_permissions"))["data"] == ["read"]
