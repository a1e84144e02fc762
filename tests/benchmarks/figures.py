"""What is made of repetitions: medians, spreads, and ratios of pairs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Figure", "paired"]


@dataclass(frozen=True)
class Figure:
    """The middle of several repetitions, and the two quarters around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Return the figure of some values, at least one."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def paired(values: Sequence[float], others: Sequence[float]) -> Figure:
    """Return the ratio of values that were measured next to one another."""
    return Figure.of([one / other for one, other in zip(values, others, strict=True)])
