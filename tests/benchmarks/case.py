"""What a case is: who is compared, in what, and what must come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.processes import Worker

__all__ = ["IN_PROCESS", "Case", "Goal", "Repetition", "Run", "Series", "in_process", "repeat"]


@dataclass(frozen=True)
class Run:
    """How long to measure.

    Attributes:
        repetitions: How many repetitions a usual case has.
        seconds: About how long one takes.
        patience: Seconds after which a case repeats no more.
        quick: Whether a look is enough.
    """

    repetitions: int
    seconds: float
    patience: float = math.inf
    quick: bool = False


@dataclass(frozen=True)
class Series:
    """One row of a case's table.

    Attributes:
        name: What the table calls it.
        contender: Whose worker is asked.
        scene: What it is asked for.
    """

    name: str
    contender: str
    scene: str


@dataclass(frozen=True)
class Goal:
    """What a series must reach, alone or as its ratio to another.

    Attributes:
        series: The name of the series.
        bound: The bound.
        to: The name of the series that it is divided by; "" for the figure itself.
        least: Whether the bound is the least that is good enough, rather than the most.
    """

    series: str
    bound: float
    to: str = ""
    least: bool = False


#: Takes one repetition of a series and returns a figure for each unit of the case.
Repetition = Callable[["dict[str, Worker]", Series, Run], "tuple[float, ...]"]


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        name: What the command calls it.
        title: What is compared.
        series: The rows, in the order of the table.
        units: What the figures are, the first being the one that counts.
        repetition: Takes one repetition.
        goals: What must be reached.
        base: The series that the ratios of the table are to.
        more: How many times the usual repetitions it needs.
        rows: Whether it needs the table of books.
        postgres: Whether it needs PostgreSQL.
        redis: Whether its channel layer is on Redis.
        agree: Whether every series must give the same reply, which is asked before.
        warm: Whether the first repetition is left out.
        helpers: Workers that it needs beside the contenders.
    """

    name: str
    title: str
    series: tuple[Series, ...]
    units: tuple[str, ...]
    repetition: Repetition
    goals: tuple[Goal, ...]
    base: str = "bare"
    more: float = 1
    rows: bool = False
    postgres: bool = False
    redis: bool = False
    agree: bool = True
    warm: bool = True
    helpers: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether no other case may use its workers."""
        return self.postgres or self.redis

    @property
    def contenders(self) -> list[str]:
        """The workers that it needs."""
        names = [each.contender for each in self.series if each.contender]
        return [*dict.fromkeys(names), *self.helpers]


#: What `in_process` measures.
IN_PROCESS = ("µs", "µs of CPU")


def in_process(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    """Measure one exchange in process, one in flight."""
    taken, cpu = workers[series.contender].ask("exchanges", scene=series.scene, seconds=run.seconds)
    return taken * 1e6, cpu * 1e6


def repeat(workers: dict[str, Worker], series: Series, run: Run) -> tuple[float, ...]:
    """Measure one function."""
    worker = workers[series.contender]
    seconds = worker.ask("repeated", scene=series.scene, seconds=run.seconds / 2)
    return (seconds * 1e6,)
