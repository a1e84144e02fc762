from __future__ import annotations

from collections.abc import Iterator

import pytest

from aaah_core.registry import Registry, use
from aaah_core.testing import registry


@pytest.fixture(scope="session")
def _plugins_under_test() -> Registry:
    with registry("drf", "async_action", "msgpack", "rest_framework_channels") as isolated:
        return isolated


@pytest.fixture(autouse=True)
def only_the_plugins_under_test(_plugins_under_test: Registry) -> Iterator[None]:
    _plugins_under_test.plans.clear()  # what one test compiled may hold its settings
    with use(_plugins_under_test):
        yield
