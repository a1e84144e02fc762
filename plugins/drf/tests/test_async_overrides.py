"""What DRF calls and does not await, overridden with `async def`: it would do nothing."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.viewsets import ModelViewSet

from aaah_core import ConfigurationError
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

NAMES = [
    *("perform_create", "perform_update", "perform_destroy", "get_queryset", "get_object"),
    *("get_serializer", "get_serializer_class", "get_serializer_context", "filter_queryset"),
    *("paginate_queryset", "get_paginated_response", "check_object_permissions"),
]


async def never_awaited(self: Any, *args: Any) -> Any:
    raise AssertionError


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_where_the_class_is_made(name: str) -> None:
    says = rf"^Books has an async {name}\(\), which nobody awaits, as in DRF: make it a plain `def`"
    with pytest.raises(ConfigurationError, match=says):
        type("Books", (GenericAsyncAPIActionHandler,), {name: never_awaited})


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_where_a_mixin_has_it(name: str) -> None:
    mixin = type("Mixin", (), {name: never_awaited})
    with pytest.raises(ConfigurationError, match="nobody awaits"):
        type("Books", (mixin, GenericAsyncAPIActionHandler), {})


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_where_a_viewset_that_has_it_is_served(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^Books has an async {name}\(\)"):
        serve(type("Books", (ModelViewSet,), {name: never_awaited}))


def test_what_is_plain_or_a_method_of_ones_own_is_not() -> None:
    methods = {"get_queryset": lambda self: None, "get_books": never_awaited}
    assert type("Books", (GenericAsyncAPIActionHandler,), methods)
