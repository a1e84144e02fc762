"""Runs a case: the contenders in turn, repetition by repetition."""

from __future__ import annotations

import json
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field

from tests.benchmarks.case import Case, Goal, Run, Series
from tests.benchmarks.environments import Missing
from tests.benchmarks.figures import Figure, paired
from tests.benchmarks.postgres import postgres
from tests.benchmarks.processes import Worker, starting

__all__ = ["Outcome", "run_case"]


@dataclass
class Outcome:
    """What a case came to.

    Attributes:
        case: The case.
        samples: The figures of each repetition, by series.
        missing: Why a series, or the whole case, was not measured.
    """

    case: Case
    samples: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def figure(self, series: str, unit: int = 0) -> Figure:
        """Return the figure of a series."""
        return Figure.of([sample[unit] for sample in self.samples[series]])

    def ratio(self, series: str, to: str, unit: int = 0) -> Figure:
        """Return the ratio of a series to another, paired repetition by repetition."""
        return paired(
            [sample[unit] for sample in self.samples[series]],
            [sample[unit] for sample in self.samples[to]],
        )

    def reached(self, goal: Goal) -> tuple[float, bool] | None:
        """Return what stands against a goal and whether it is reached; None if not measured."""
        if goal.series not in self.samples or (goal.to and goal.to not in self.samples):
            return None
        figure = self.ratio(goal.series, goal.to) if goal.to else self.figure(goal.series)
        value = figure.median
        return value, value >= goal.bound if goal.least else value <= goal.bound


def run_case(case: Case, run: Run) -> Outcome:
    """Measure a case."""
    outcome = Outcome(case)
    contenders = tuple(dict.fromkeys(each.contender for each in case.series))
    try:
        with ExitStack() as stack:
            database = stack.enter_context(postgres() if case.postgres else nullcontext(None))
            workers, missing = stack.enter_context(starting(contenders, database))
            for each in case.series:
                if each.contender in missing:
                    outcome.missing[each.name] = missing[each.contender]
            _repeat(outcome, workers, run)
    except Missing as error:
        outcome.missing[case.name] = str(error)
        outcome.samples.clear()
    return outcome


def _repeat(outcome: Outcome, workers: dict[str, Worker], run: Run) -> None:
    case = outcome.case
    if case.rows:
        for worker in workers.values():
            worker.ask("fill")
    measured = [each for each in case.series if each.contender in workers]
    if case.agree:
        _agree(measured, workers)
    for number in range(1 + max(2, round(run.repetitions * case.more))):
        # Forwards and backwards in turn, so that nobody always comes after the same one.
        for each in measured if number % 2 else reversed(measured):
            sample = case.repetition(workers, each, run)
            if number:  # the first warms up
                outcome.samples.setdefault(each.name, []).append(sample)
    outcome.samples = {each.name: outcome.samples[each.name] for each in measured}


def _agree(measured: list[Series], workers: dict[str, Worker]) -> None:
    """Compare what the contenders reply.

    Raises:
        AssertionError: They do not measure the same thing.
    """
    replies = {
        each.name: json.dumps(workers[each.contender].ask("reply", scene=each.scene))
        for each in measured
    }
    if len(set(replies.values())) > 1:
        raise AssertionError(f"The contenders do not give the same reply: {replies}")
