"""Every case, in the order of the table."""

from __future__ import annotations

from tests.benchmarks.cases import database, echo

__all__ = ["CASES"]

CASES = {case.name: case for module in (echo, database) for case in module.CASES}
