"""An option whose name is misspelt: a consumer with `permission_class` would stand open."""

from __future__ import annotations

from typing import Protocol

import pytest
from django.urls import path

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    ConfigurationError,
    IsAuthenticated,
)

pytestmark = pytest.mark.usefixtures("core")

MISSPELT = {
    "permission_class": "permission_classes",
    "permissions_classes": "permission_classes",
    "permision_classes": "permission_classes",
    "throttle_class": "throttle_classes",
    "routepattern": "routepatterns",
    "route_patterns": "routepatterns",
    "conceal_object": "conceal_objects",
}


def refusal(consumer_class):
    with pytest.raises(ConfigurationError) as refused:
        consumer_class.as_asgi()
    return str(refused.value)


@pytest.mark.parametrize(("name", "right"), MISSPELT.items())
def test_it_is_refused_at_start_with_the_right_name(name, right):
    shop = type("Shop", (AsyncAPIConsumer,), {name: [IsAuthenticated]})
    assert refusal(shop) == f"Shop has {name}, which nobody looks at: did you mean {right}?"
    assert "Shop has" in refusal(type("Child", (shop,), {}))


def test_a_class_in_the_place_of_a_list_is_no_way_out():
    shop = type("Shop", (AsyncAPIConsumer,), {"permission_class": IsAuthenticated})
    assert "did you mean permission_classes?" in refusal(shop)


def test_so_it_is_on_a_handler():
    shelf = type("Shelf", (AsyncAPIActionHandler,), {"permission_class": [IsAuthenticated]})
    shop = type("Shop", (AsyncAPIConsumer,), {"routepatterns": [path("a/", shelf.as_aaah())]})
    assert "Shelf has permission_class" in refusal(shop)


@pytest.mark.parametrize("name", ["concurency", "group_send_lookup_kwarg"])
def test_what_only_consumers_have_is_known_there(name):
    assert f"Shop has {name}, which" in refusal(type("Shop", (AsyncAPIConsumer,), {name: 2}))
    shelf = type("Shelf", (AsyncAPIActionHandler,), {name: 2})
    routes = [path("a/", shelf.as_aaah())]
    assert type("Shop", (AsyncAPIConsumer,), {"routepatterns": routes}).as_asgi()


@pytest.mark.parametrize(
    "name",
    [
        *("group", "limit", "codec", "permissions", "permission", "pagination_class", "patterns"),
        *("_permission_class", "required_permission_classes", "urlpatterns", "serializer_class"),
        *("ws_permission_classes", "api_permission_classes", "ws_throttle_classes"),
    ],
)
def test_a_name_of_ones_own_is_not(name):
    assert type("Shop", (AsyncAPIConsumer,), {name: []}).as_asgi()
    assert type("Shop", (AsyncAPIConsumer,), {"permission_classes": [], name: []}).as_asgi()


def test_nor_is_a_method():
    assert type("Shop", (AsyncAPIConsumer,), {"permission_class": lambda self: None}).as_asgi()


def test_a_protocol_among_the_bases_is_a_base_like_any_other():
    class OfTenant(Protocol):
        tenant: str = "acme"

    assert type(OfTenant)("Shop", (OfTenant, AsyncAPIConsumer), {}).as_asgi()
    shop = type(OfTenant)("Shop", (OfTenant, AsyncAPIConsumer), {"permission_class": []})
    assert "did you mean permission_classes?" in refusal(shop)
