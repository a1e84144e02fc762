"""Lets the worker threads of a test see that test's database transaction.

pytest loads this for every project that has AAAH installed, so it needs no settings, and touches
Django only for a test that has opened a transaction.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from aaah_core.databases import lend

__all__ = ["pytest_pyfunc_call"]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Item) -> Generator[None, Any, Any]:
    """Lend the connections that are in a transaction (as with the `db` mark) to the workers."""
    open_connections = _open_connections()
    if not open_connections:
        return (yield)
    with lend(open_connections):
        return (yield)


def _open_connections() -> dict[str, Any]:
    if not settings.configured:
        return {}
    opened = connections.all(initialized_only=True)
    return {each.alias: each for each in opened if each.in_atomic_block}
