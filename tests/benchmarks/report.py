"""What came out, as text and as plain data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Any

import importlib_metadata

from tests.benchmarks.case import IN_PROCESS, Goal
from tests.benchmarks.runner import Outcome

__all__ = ["base_of", "in_cpu", "lines", "number", "plain", "surroundings"]


def surroundings() -> str:
    """Return what was measured with, and on what; a load says what else that is doing."""
    names = ("django", "channels", "djangorestframework", "msgspec", "uvicorn", "websockets")
    versions = ", ".join(f"{name} {importlib_metadata.version(name)}" for name in names)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if hasattr(os, "getloadavg"):
        machine += f" with a load of {os.getloadavg()[1]:.1f} before"
    return f"Python {platform.python_version()}, {machine}; {versions}"


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the table of a case, and its goals."""
    case = outcome.case
    yield f"{case.name}: {case.title}"
    width = max(len(each.name) for each in case.series)
    base = base_of(outcome)
    for unit, of in enumerate(case.units):
        head = f"  {of:{width}}  {'median':>9}  {'quartiles':>19}"
        yield head + (f"  {'÷ ' + base:>15}  {'quartiles':>15}" if base else "")
        for name in outcome.samples:
            yield _row(outcome, name, unit, width, base)
    for name, why in outcome.missing.items():
        yield f"  NOT MEASURED: {name}: {why}"
    for goal in case.goals:
        yield f"  {_verdict(outcome, goal)}"


def _row(outcome: Outcome, name: str, unit: int, width: int, base: str) -> str:
    figure = outcome.figure(name, unit)
    spread = f"{number(figure.low)}, {number(figure.high)}"
    row = f"  {name:{width}}  {number(figure.median):>9}  {spread:>19}"
    if not base:
        return row
    ratio = outcome.ratio(name, base, unit)
    spread = f"{number(ratio.low)}, {number(ratio.high)}"
    return f"{row}  {number(ratio.median):>15}  {spread:>15}"


def base_of(outcome: Outcome) -> str:
    """Return the series that the ratios of a table are to, if it was measured."""
    if not outcome.case.base:
        return ""
    names = {each.contender: each.name for each in reversed(outcome.case.series)}
    base = names.get(outcome.case.base, outcome.case.base)
    return base if base in outcome.samples else ""


def _verdict(outcome: Outcome, goal: Goal) -> str:
    """Return a line that says what was to be reached, and whether it was."""
    to = f" ÷ {goal.to}" if goal.to else f", {outcome.case.units[0]}"
    what = f"goal: {goal.series}{to} {'≥' if goal.least else '≤'} {number(goal.bound)}"
    found = outcome.reached(goal)
    if found is None:
        return f"{what}: NOT MEASURED"
    value, reached = found
    return (
        f"{what}: {number(value)}{in_cpu(outcome, goal)}, {'reached' if reached else 'NOT REACHED'}"
    )


def in_cpu(outcome: Outcome, goal: Goal) -> str:
    """Return what the ratio of a goal is in CPU time, where that was measured beside the time."""
    if not goal.to or outcome.case.units != IN_PROCESS:
        return ""
    return f" ({number(outcome.ratio(goal.series, goal.to, 1).median)} in CPU time)"


def plain(outcome: Outcome) -> dict[str, Any]:
    """Return a case's figures as plain data."""
    base, case = base_of(outcome), outcome.case
    contenders = {}
    for name in outcome.samples:
        figure = outcome.figure(name)
        contenders[name] = {
            "median": figure.median,
            "quartiles": [figure.low, figure.high],
            "ratio": outcome.ratio(name, base).median if base else None,
        }
    goals = []
    for goal in case.goals:
        value, reached = outcome.reached(goal) or (None, None)
        bound = {"least" if goal.least else "most": goal.bound}
        goals.append(
            {"series": goal.series, "to": goal.to, **bound, "value": value, "reached": reached}
        )
    return {
        "title": case.title,
        "unit": case.units[0],
        "base": base,
        "contenders": contenders,
        "goals": goals,
        "missing": outcome.missing,
    }
