"""How long an input keeps the processor busy."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import process_time

#: Seconds of the processor that no input may take.
SLOW = 0.05


class Clock:
    """Runs inputs, prints which was the slowest yet, and refuses one that is slow."""

    def __init__(self, run: Callable[[bytes], None]) -> None:
        self._slowest = 0.0
        self._run = run

    def __call__(self, data: bytes) -> None:
        spent = self._once(data)
        if spent > SLOW:
            spent = self._again(data)
        if spent > self._slowest:  # at once: the fuzzer ends the process without a word to Python
            self._slowest = spent
            print(f"slowest: {spent * 1000:.1f} ms", flush=True)
        assert spent <= SLOW, f"it took {spent * 1000:.0f} ms of the processor"

    def _once(self, data: bytes) -> float:
        began = process_time()
        self._run(data)
        return process_time() - began

    def _again(self, data: bytes) -> float:
        """Return what it takes when nothing else is in its way: garbage, or a cold cache."""
        gc.collect()
        gc.disable()
        try:
            return min(self._once(data) for _ in range(3))
        finally:
            gc.enable()
