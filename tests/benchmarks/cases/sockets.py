"""Over real sockets, and while sync code sleeps."""

from __future__ import annotations

from tests.benchmarks.case import Case, Goal, Run, Series
from tests.benchmarks.cases.echo import everybody
from tests.benchmarks.processes import Worker

__all__ = ["CASES"]


def _load(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    server = workers[series.contender].ask("served", scene=series.scene)
    rate, cpu, own = workers["client"].ask(
        "loaded", clients=50, in_flight=8, seconds=3 * run.seconds, **server
    )
    return rate, cpu * 1e6, own * 1e6


def _stall(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    alone, beside = workers[series.contender].ask(
        "stalled", echo="echo", sleep="slow", seconds=0.2 if run.quick else 0.5
    )
    return beside / alone, alone * 1e6, beside * 1e6


CASES = (
    Case(
        name="sockets",
        title="Async echo over uvicorn, 50 clients with 8 in flight each",
        series=everybody("echo", "raw", "rfc", "dcrf", "chanx"),
        units=(
            "messages/s",
            "µs of the server's CPU a message",
            "µs of the clients' CPU a message",
        ),
        repetition=_load,
        goals=(
            Goal("AAAH", 4, to="bare Channels", least=True),
            Goal("AAAH", 0.72, to="raw ASGI", least=True),
        ),
        helpers=("client",),
    ),
    Case(
        name="stall",
        title="99th percentile of an async echo while every worker sleeps 1 s ÷ without",
        series=everybody("echo", "rfc", "dcrf", "chanx"),
        units=("beside ÷ alone", "µs alone", "µs beside"),
        repetition=_stall,
        goals=(Goal("AAAH", 2),),
        base="",
        more=0.15,
        warm=False,
    ),
)
