"""A PostgreSQL of the benchmark's own: the one that the tests run."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.environments import ROOT, Missing

__all__ = ["postgres"]


@contextmanager
def postgres() -> Iterator[dict[str, Any]]:
    """Run a server, and yield the settings of its database, as in `DATABASES`.

    Raises:
        Missing: It does not start here.
    """
    path = ROOT / "plugins" / "crud" / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("crud_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    server = conftest.running()
    try:
        database = server.__enter__()
    except conftest.NotStarted as error:
        raise Missing(f"no PostgreSQL: {error}") from error
    try:
        yield database
    finally:
        server.__exit__(None, None, None)
