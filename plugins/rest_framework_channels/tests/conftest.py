from __future__ import annotations

from collections.abc import Iterator

import pytest

from aaah_core.testing import registry


@pytest.fixture(autouse=True)
def only_the_plugins_under_test() -> Iterator[None]:
    with registry("drf", "async_action", "msgpack", "rest_framework_channels"):
        yield
