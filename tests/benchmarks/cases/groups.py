"""One event for many."""

from __future__ import annotations

from tests.benchmarks.case import IN_PROCESS, Case, Goal, Run, Series
from tests.benchmarks.cases.echo import everybody
from tests.benchmarks.processes import Worker

__all__ = ["CASES"]


def _deliver(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    taken, cpu = workers[series.contender].ask(
        "delivered", scene=series.scene, seconds=run.seconds, members=200
    )
    return taken * 1e6, cpu * 1e6


CASES = (
    Case(
        name="groups",
        title="A delivery of an event of 2 kB to 200 members of a group, in process",
        series=everybody("told"),
        units=IN_PROCESS,
        repetition=_deliver,
        goals=(Goal("AAAH", 1 / 200, to="bare Channels"),),
    ),
)
