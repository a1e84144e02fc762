"""The targets by name."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.decoders import Decoders
from tests.fuzz.pipeline import Pipeline

TARGETS = {"decoders": Decoders, "pipeline": Pipeline}


def target(name: str) -> Callable[[bytes], None]:
    return TARGETS[name]().run
