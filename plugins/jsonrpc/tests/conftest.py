from __future__ import annotations

import pytest

from aaah_core.testing import registry


@pytest.fixture(autouse=True)
def plugins():
    """Use this plugin and the one of `@async_action`, whatever else is installed."""
    with registry("jsonrpc", "async_action"):
        yield
