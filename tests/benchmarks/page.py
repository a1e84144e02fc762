"""`docs/performance.md`: the figures of the last run, between two marks."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.report import base_of, in_cpu, number
from tests.benchmarks.runner import Outcome

__all__ = ["write"]

_BAR = 40  # characters


def write(path: Path, around: str, outcomes: Sequence[Outcome]) -> None:
    """Put figures in place of those of this minor version of Python.

    Args:
        path: The page.
        around: What they were measured with.
        outcomes: The cases.

    Raises:
        ValueError: The page has no place for them.
    """
    version = ".".join(platform.python_version_tuple()[:2])
    place = re.compile(rf"(<!-- figures of {re.escape(version)} -->\n).*?(<!-- end -->)", re.DOTALL)
    text, places = place.subn(
        lambda match: match[1] + "\n".join(_section(around, outcomes)) + "\n" + match[2],
        path.read_text(),
    )
    if not places:
        raise ValueError(f"{path} has no line <!-- figures of {version} -->.")
    path.write_text(text)


def _section(around: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield ""
    yield f"## Python {platform.python_version()}"
    yield ""
    yield f"{around}."
    yield ""
    yield "| case | figure | goal | measured | |"
    yield "|---|---|---|---|---|"
    for outcome in outcomes:
        yield from _goals(outcome)
    yield ""
    for outcome in outcomes:
        yield from _case(outcome)


def _goals(outcome: Outcome) -> Iterator[str]:
    for goal in outcome.case.goals:
        what = f"{goal.series} ÷ {goal.to}" if goal.to else outcome.case.units[0]
        bound = f"{'≥' if goal.least else '≤'} {number(goal.bound)}"
        value, reached = outcome.reached(goal) or (None, False)
        measured = "not measured"
        if value is not None:
            measured = f"{number(value)}{in_cpu(outcome, goal)}"
        verdict = "reached" if reached else "**not reached**"
        yield f"| `{outcome.case.name}` | {what} | {bound} | {measured} | {verdict} |"


def _case(outcome: Outcome) -> Iterator[str]:
    case, base = outcome.case, base_of(outcome)
    yield f"### `{case.name}`: {case.title}"
    yield ""
    ratios = (f"÷ {base}", "quartiles") if base else ()
    yield f"| {' | '.join(('', 'unit', 'median', 'quartiles', *ratios))} |"
    yield f"|---|---|{'--:|' * (2 + len(ratios))}"
    for unit, of in enumerate(case.units):
        for name in outcome.samples:
            figures = [outcome.figure(name, unit)]
            figures += [outcome.ratio(name, base, unit)] if base else []
            cells = [
                cell
                for figure in figures
                for cell in (number(figure.median), f"{number(figure.low)}, {number(figure.high)}")
            ]
            yield f"| {name} | {of} | {' | '.join(cells)} |"
    for name, why in outcome.missing.items():
        yield f"| {name} | not measured: {why} |"
    yield ""
    if len(outcome.samples) > 1:
        yield from _chart(outcome)


def _chart(outcome: Outcome) -> Iterator[str]:
    """Yield a bar for each series: its ratio, or its figure where there is none to divide by."""
    base = base_of(outcome)
    width = max(len(name) for name in outcome.samples)
    medians = {
        name: (outcome.ratio(name, base) if base else outcome.figure(name)).median
        for name in outcome.samples
    }
    longest = max(medians.values())
    yield "```text"
    yield f"{'':{width}}  {outcome.case.units[0]}{f' ÷ {base}' if base else ''}"
    for name, median in medians.items():
        yield f"{name:{width}}  {_blocks(median / longest):{_BAR}}  {number(median)}"
    yield "```"
    yield ""


def _blocks(share: float) -> str:
    """Return a bar, to an eighth of a character; what is there at all shows."""
    eighths = max(1, round(share * _BAR * 8))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
