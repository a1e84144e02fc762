"""Every case, in the order of the table."""

from __future__ import annotations

from tests.benchmarks.cases import database, echo, groups, growth, sockets

__all__ = ["CASES"]

CASES = {
    case.name: case for module in (echo, sockets, groups, database, growth) for case in module.CASES
}
