"""What waits for a database, and what reads from one."""

from __future__ import annotations

from tests.benchmarks.case import IN_PROCESS, Case, Goal, Run, Series, in_process
from tests.benchmarks.cases.echo import everybody
from tests.benchmarks.processes import Worker

__all__ = ["CASES"]

_DCRF = "djangochannelsrestframework"
_SOCKETS = 50


def _throughput(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    # Long enough for several rounds of those that are fast.
    taken, cpu = workers[series.contender].ask(
        "exchanges", scene=series.scene, seconds=10 * run.seconds, sockets=_SOCKETS
    )
    return 1 / taken, cpu * 1e6


CASES = (
    Case(
        name="retrieve",
        title="Retrieve a row from SQLite through a `ModelSerializer`",
        series=everybody("retrieve", "rfc", "dcrf", "chanx", "drf"),
        units=IN_PROCESS,
        repetition=in_process,
        goals=(Goal("AAAH", 0.75, to=_DCRF),),
        rows=True,
    ),
    Case(
        name="list",
        title="List 100 rows from SQLite through a `ModelSerializer`",
        series=everybody("listed", "rfc", "dcrf", "chanx", "drf"),
        units=IN_PROCESS,
        repetition=in_process,
        goals=(Goal("AAAH", 0.85, to=_DCRF),),
        rows=True,
    ),
    Case(
        name="postgres",
        title=f"{_SOCKETS} sockets, each action waits 10 ms in PostgreSQL",
        series=everybody("waiting", "rfc", "dcrf", "chanx"),
        units=("actions/s", "µs of CPU an action"),
        repetition=_throughput,
        goals=(Goal("AAAH", 15, to=_DCRF, least=True),),
        more=0.15,
        warm=False,
        postgres=True,
    ),
)
