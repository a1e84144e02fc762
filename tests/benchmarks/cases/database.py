"""What waits for a database, and what reads from one."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.case import Case, Goal, Repetition, Run, Series, in_process
from tests.benchmarks.cases.echo import everybody
from tests.benchmarks.processes import Worker

__all__ = ["CASES"]

_DCRF = "djangochannelsrestframework"
_SOCKETS = 50


def _throughput(sockets: int) -> Repetition:
    exchange = in_process(sockets=sockets)

    def repetition(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
        # Long enough for several rounds of those that are fast.
        (microseconds,) = exchange(workers, series, replace(run, seconds=10 * run.seconds))
        return (1e6 / microseconds,)

    return repetition


CASES = (
    Case(
        name="retrieve",
        title="Retrieve a row from SQLite through a `ModelSerializer`",
        series=everybody("retrieve", "rfc", "dcrf", "chanx", "drf"),
        units=("µs",),
        repetition=in_process(),
        goals=(Goal("AAAH", 0.75, to=_DCRF),),
        rows=True,
    ),
    Case(
        name="list",
        title="List 100 rows from SQLite through a `ModelSerializer`",
        series=everybody("listed", "rfc", "dcrf", "chanx", "drf"),
        units=("µs",),
        repetition=in_process(),
        goals=(Goal("AAAH", 0.85, to=_DCRF),),
        rows=True,
    ),
    Case(
        name="postgres",
        title=f"{_SOCKETS} sockets, each action waits 10 ms in PostgreSQL",
        series=everybody("waiting", "rfc", "dcrf", "chanx"),
        units=("actions/s",),
        repetition=_throughput(_SOCKETS),
        goals=(Goal("AAAH", 15, to=_DCRF, least=True),),
        more=0.15,
        warm=False,
        postgres=True,
    ),
)
