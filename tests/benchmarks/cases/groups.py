"""One event for many."""

from __future__ import annotations

from tests.benchmarks.case import IN_PROCESS, Case, Goal, Run, Series
from tests.benchmarks.cases.echo import everybody
from tests.benchmarks.processes import Worker

__all__ = ["CASES"]

_TOLD = ("µs of the servers' CPU a delivery", "µs a delivery", "µs of the clients' CPU a delivery")
#: The rows of those that are many.
_CROWDS = {"AAAH, 2,000": 2_000, "bare Channels, 2,000": 2_000, "raw ASGI, 2,000": 2_000}
#: The rows of few events in flight.
_FEW = ("AAAH, 4 in flight", "bare Channels, 4 in flight")


def _deliver(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    members = _CROWDS.get(series.name, 200)
    taken, cpu = workers[series.contender].ask(
        "delivered", scene=series.scene, seconds=run.seconds, members=members
    )
    return taken * 1e6, cpu * 1e6


def _tell(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    server = workers[series.contender].ask("served", scene=series.scene)
    sockets = _CROWDS.get(series.name, 200)
    taken, cpu, own = workers["client"].ask(
        "told", servers=[server], sockets=sockets, in_flight=1, seconds=2 * run.seconds
    )
    return cpu * 1e6, taken * 1e6, own * 1e6


def _tell_both(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    both = (series.contender, f"{series.contender}:second")
    servers = [workers[each].ask("served", scene=series.scene) for each in both]
    taken, cpu, own = workers["client"].ask(
        "told",
        servers=servers,
        sockets=250,
        in_flight=4 if series.name in _FEW else 16,
        seconds=4 * run.seconds,
    )
    return 1 / taken, cpu * 1e6, own * 1e6


def _weigh(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    connections = 100 if run.quick else 1000
    none, ten = (
        workers[series.contender].ask("memory", scene=scene, connections=connections)
        for scene in ("grouped_0", "grouped_10")
    )
    return ((ten - none) / 1024,)


CASES = (
    Case(
        name="groups",
        title="A delivery of an event of 2 kB to 200 members of a group, in process",
        series=everybody("told"),
        units=IN_PROCESS,
        repetition=_deliver,
        goals=(Goal("AAAH", 1 / 200, to="bare Channels"),),
    ),
    Case(
        name="crowds",
        title="The same to 2,000 members",
        series=(
            Series("AAAH", "aaah", "told"),
            Series("AAAH, 2,000", "aaah", "told"),
            Series("bare Channels", "bare", "told"),
            Series("bare Channels, 2,000", "bare", "told"),
        ),
        units=IN_PROCESS,
        repetition=_deliver,
        goals=(Goal("AAAH, 2,000", 1.1, to="AAAH"),),
        base="AAAH",
        more=0.2,
        agree=False,
    ),
    Case(
        name="fanout",
        title="A delivery of an event of 2 kB to 200 and 2,000 sockets over uvicorn",
        series=(
            Series("AAAH", "aaah", "told"),
            Series("AAAH, 2,000", "aaah", "told"),
            Series("bare Channels", "bare", "told"),
            Series("bare Channels, 2,000", "bare", "told"),
            Series("raw ASGI", "raw", "told"),
            Series("raw ASGI, 2,000", "raw", "told"),
        ),
        units=_TOLD,
        repetition=_tell,
        goals=(
            Goal("AAAH", 0.08, to="bare Channels"),
            Goal("AAAH, 2,000", 1.1, to="AAAH"),
        ),
        base="bare Channels",
        more=0.17,
        agree=False,
        helpers=("client",),
    ),
    Case(
        name="redis",
        title="The same over Redis to two processes of 250 sockets each, 16 events in flight",
        series=(
            Series("AAAH", "aaah", "told"),
            Series("AAAH, 4 in flight", "aaah", "told"),
            Series("bare Channels", "bare", "told"),
            Series("bare Channels, 4 in flight", "bare", "told"),
        ),
        units=("deliveries/s", "µs of the servers' CPU a delivery", _TOLD[2]),
        repetition=_tell_both,
        goals=(Goal("AAAH", 10, to="bare Channels", least=True),),
        base="bare Channels",
        more=0.2,
        agree=False,
        redis=True,
        helpers=("aaah:second", "bare:second", "client"),
    ),
    Case(
        name="membership",
        title="What an idle connection in ten groups weighs above one in none, in process",
        series=everybody("told"),
        units=("KiB",),
        repetition=_weigh,
        goals=(Goal("AAAH", 3),),
        more=0.08,
        agree=False,
        warm=False,
    ),
)
