"""The workers, seen from the command: started, asked over a pipe, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.benchmarks.environments import ROOT, Missing, peers
from tests.benchmarks.project import DATABASE, LAYER

__all__ = ["OURS", "Started", "Worker", "starting"]

#: The contenders that run in the environment of the command itself.
OURS = ("aaah", "parts", "bare", "raw", "client")


class Worker:
    """One contender in a process of its own."""

    def __init__(self, contender: str, process: subprocess.Popen[str]) -> None:
        self.contender = contender
        self._process = process

    def ready(self) -> None:
        """Wait until it has started.

        Raises:
            Missing: It did not start.
        """
        self._answer()

    def ask(self, measure: str, **arguments: Any) -> Any:
        """Return what a measure of `measures.py` returns there.

        Raises:
            Missing: It failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"measure": measure, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise Missing(f"{self.contender} ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Missing(f"{self.contender}: {answer['error']}")
        return answer["value"]


#: The workers by contender, and why there is none for a contender.
Started = tuple[dict[str, Worker], dict[str, str]]


@contextmanager
def starting(
    contenders: Iterable[str],
    database: dict[str, Any] | None = None,
    layer: dict[str, Any] | None = None,
) -> Iterator[Started]:
    """Start a worker for each contender, all at once, and end them with the block.

    Args:
        contenders: Their names; for one more worker of a contender, with a colon and more.
        database: Another database than SQLite, as in `DATABASES`.
        layer: Another channel layer than that in memory, as in `CHANNEL_LAYERS`.
    """
    workers, missing = {}, {}
    with ExitStack() as stack:
        for contender in dict.fromkeys(contenders):
            try:
                process = stack.enter_context(_process(contender, database, layer))
                workers[contender] = Worker(contender, process)
            except Missing as error:
                missing[contender] = str(error)
        for contender, worker in list(workers.items()):
            try:
                worker.ready()
            except Missing as error:
                missing[contender] = str(error)
                del workers[contender]
        yield workers, missing


@contextmanager
def _process(
    contender: str, database: dict[str, Any] | None, layer: dict[str, Any] | None
) -> Iterator[subprocess.Popen[str]]:
    contender = contender.partition(":")[0]
    python = sys.executable if contender in OURS else str(peers())
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        environment = {**os.environ, "TMPDIR": folder}
        for name in list(environment):
            if name.startswith("AAAH_") or name in ("DJANGO_SETTINGS_MODULE", DATABASE, LAYER):
                del environment[name]
        if database is not None:
            environment[DATABASE] = json.dumps(database)
        if layer is not None:
            # Nobody has what another contender left in Redis.
            own = {**layer, "CONFIG": {**layer["CONFIG"], "prefix": contender}}
            environment[LAYER] = json.dumps(own)
        process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.worker", contender],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()
