"""The process of one contender: it reads what to measure, line by line, and answers with figures.

It runs where its contender is installed: only that contender, Django and this folder are imported.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from tests.benchmarks import measures

__all__ = ["Bench"]


class Bench:
    """A contender, its scenes once they are asked for, and an event loop."""

    def __init__(self, name: str) -> None:
        self.contender = importlib.import_module(f"tests.benchmarks.contenders.{name}")
        self.user = self.contender.setup()
        self.runner = asyncio.Runner()
        self._scenes: dict[str, Any] = {}

    def scene(self, name: str) -> Any:
        """Return what the contender calls by this name, made once."""
        if name not in self._scenes:
            self._scenes[name] = getattr(self.contender, name)()
        return self._scenes[name]


def _serve(name: str, commands: TextIO, answers: TextIO) -> None:
    logging.disable(logging.CRITICAL)
    try:
        bench = Bench(name)
    except Exception as error:  # noqa: BLE001 - whatever keeps a contender from starting
        _write(answers, {"error": repr(error)})
        return
    _write(answers, {"value": None})
    for line in commands:
        _write(answers, _measured(bench, json.loads(line)))


def _measured(bench: Bench, command: dict[str, Any]) -> dict[str, Any]:
    measure: Callable[..., Any] = getattr(measures, command.pop("measure"))
    gc.collect()
    try:
        return {"value": measure(bench, **command)}
    except Exception as error:  # noqa: BLE001 - it is reported, and the next may work
        return {"error": repr(error)}


def _write(answers: TextIO, answer: dict[str, Any]) -> None:
    json.dump(answer, answers)
    answers.write("\n")
    answers.flush()


if __name__ == "__main__":
    # Whatever a contender prints goes to stderr: stdout carries the answers.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        _serve(sys.argv[1], sys.stdin, answers)
    # Threads of a server, or of a pool, end with the process.
    os._exit(0)
