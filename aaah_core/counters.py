"""Counts of what happens seldom. With every message, only plugins that want to count do."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal, TypeAlias

__all__ = ["Counted", "count", "counted"]

#: What is counted; each has a label, of few values and none of a client's choice.
Counted: TypeAlias = Literal["accepted", "refused", "closed", "overloads", "events"]

_counts: Counter[tuple[Counted, str]] = Counter()
# Event loops of several threads may count at once.
_lock = threading.Lock()


def count(what: Counted, label: str, by: int = 1) -> None:
    """Count something."""
    with _lock:
        _counts[what, label] += by


def counted(what: Counted) -> dict[str, int]:
    """Return how often something happened since the process began, by label."""
    with _lock:
        return {label: number for (name, label), number in _counts.items() if name == what}
