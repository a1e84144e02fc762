"""What must not grow: with routes, with plugins, with connections, at the start."""

from __future__ import annotations

from tests.benchmarks.case import IN_PROCESS, Case, Goal, Run, Series, in_process, repeat
from tests.benchmarks.cases.echo import everybody
from tests.benchmarks.processes import Worker
from tests.benchmarks.starting import seconds_of_setup

__all__ = ["CASES"]


def _weigh(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    worker = workers[series.contender]
    return (
        worker.ask("memory", scene=series.scene, connections=100 if run.quick else 1000) / 1024,
    )


def _setup(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    (without, without_cpu), (_, core), (everything, cpu) = map(
        seconds_of_setup, ("none", "core", "all")
    )
    seconds = (everything - without, cpu - without_cpu, cpu - core, without_cpu)
    return tuple(each * 1e3 for each in seconds)


CASES = (
    Case(
        name="routes",
        title="Resolving the last of 1,000 routes",
        series=(
            Series("1 route", "aaah", "routes_1"),
            Series("1,000 routes", "aaah", "routes_1000"),
            Series("1 behind a prefix", "aaah", "prefixed_1"),
            Series("1,000 behind a prefix", "aaah", "prefixed_1000"),
            Series("1 in include()", "aaah", "included_1"),
            Series("1,000 in include()", "aaah", "included_1000"),
            Series("rest-framework-channels, 1", "rfc", "routes_1"),
            Series("rest-framework-channels, 1,000", "rfc", "routes_1000"),
        ),
        units=("µs",),
        repetition=repeat,
        goals=(
            Goal("1,000 routes", 1.15, to="1 route"),
            Goal("1,000 behind a prefix", 1.15, to="1 behind a prefix"),
            Goal("1,000 in include()", 1.15, to="1 in include()"),
        ),
        base="1 route",
        agree=False,
    ),
    Case(
        name="plugins",
        title="Async echo with 20 installed plugins that answer no hook for the class",
        series=(Series("no plugin more", "aaah", "alone"), Series("20 more", "aaah", "among")),
        units=IN_PROCESS,
        repetition=in_process,
        goals=(Goal("20 more", 1.02, to="no plugin more"),),
        base="no plugin more",
        more=1.5,
    ),
    Case(
        name="idle",
        title="An idle connection, in process, without its socket",
        series=everybody("echo", "raw", "rfc", "dcrf", "chanx"),
        units=("KiB",),
        repetition=_weigh,
        goals=(Goal("AAAH", 3),),
        more=0.08,
        warm=False,
    ),
    Case(
        name="setup",
        title="What AAAH and all its plugins add to `django.setup()`",
        series=(Series("AAAH", "", ""),),
        units=(
            "ms",
            "ms of CPU",
            "ms of CPU for the plugins without the core",
            "ms of CPU for all the rest of django.setup()",
        ),
        repetition=_setup,
        goals=(Goal("AAAH", 60),),
        base="",
        more=0.25,
        agree=False,
        warm=False,
    ),
)
