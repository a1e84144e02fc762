"""Runs a case: the contenders in turn, repetition by repetition."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.benchmarks.case import Case, Goal, Run, Series
from tests.benchmarks.environments import Missing
from tests.benchmarks.figures import Figure, paired
from tests.benchmarks.postgres import postgres
from tests.benchmarks.processes import Started, Worker, starting
from tests.benchmarks.redis import redis

__all__ = ["Outcome", "run_cases"]


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


def run_cases(cases: Sequence[Case], run: Run) -> Iterator[Outcome]:
    """Measure cases, one after another.

    A quick run starts each contender once. Else each case has workers of its own, which no other
    case has filled.
    """
    with ExitStack() as stack:
        shared = None
        if run.quick:
            names = [name for case in cases if not case.alone for name in case.contenders]
            shared = stack.enter_context(starting(names))
        for case in cases:
            yield _run_case(case, run, None if case.alone else shared)


def _run_case(case: Case, run: Run, shared: Started | None) -> Outcome:
    outcome = Outcome(case)
    try:
        with ExitStack() as stack:
            if shared is None:
                database = stack.enter_context(postgres()) if case.postgres else None
                layer = stack.enter_context(redis()) if case.redis else None
                shared = stack.enter_context(starting(case.contenders, database, layer))
            workers, missing = shared
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
        for name in case.contenders:
            if name in workers:
                workers[name].ask("fill")
    if case.agree:
        _agree(outcome, workers)
    ending = time.monotonic() + run.patience
    for number in range(case.warm + max(1, round(run.repetitions * case.more))):
        if number > case.warm and time.monotonic() > ending:
            break
        # Forwards and backwards in turn, so that nobody always comes after the same one.
        round_of = case.series if number % 2 else case.series[::-1]
        _take(
            outcome, [each for each in round_of if each.name not in outcome.missing], workers, run
        )
        if case.warm and not number:
            outcome.samples.clear()
    outcome.samples = {
        each.name: outcome.samples[each.name]
        for each in case.series
        if each.name not in outcome.missing
    }


def _take(
    outcome: Outcome, measured: Sequence[Series], workers: dict[str, Worker], run: Run
) -> None:
    """Take one repetition of each series, and leave out who fails."""
    for each in measured:
        try:
            sample = outcome.case.repetition(workers, each, run)
        except Missing as error:
            outcome.missing[each.name] = str(error)
        else:
            outcome.samples.setdefault(each.name, []).append(sample)


def _agree(outcome: Outcome, workers: dict[str, Worker]) -> None:
    """Leave out who gives another reply than the first: it does not do the same work."""
    first = None
    for each in outcome.case.series:
        if each.name in outcome.missing:
            continue
        try:
            reply = json.dumps(workers[each.contender].ask("reply", scene=each.scene))
        except Missing as error:
            outcome.missing[each.name] = str(error)
            continue
        if first is None:
            first = reply
        elif reply != first:
            outcome.missing[each.name] = f"it replies {reply}, and not {first}"
