"""Fuzzing guided by coverage: `python -m tests.fuzz [decoders|pipeline] [--runs N]`.

Whatever is reached by an input and by none before it is kept in `.fuzz/`, and the next run begins
with it. An input that is answered otherwise than documented ends the run with its traceback, and
its bytes are written to `.fuzz/findings/`.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

# The compiled msgpack tells the fuzzer nothing; this is read as it is imported.
os.environ["MSGPACK_PUREPYTHON"] = "1"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaah_core.testing.settings")

import atheris
import django

KEPT = Path(__file__).parents[2] / ".fuzz"
#: What tells the fuzzer where an input led.
INSTRUMENTED = ["aaah_core", "aaah_msgpack", "aaah_async_action", "msgpack"]
#: MiB of memory that the whole process may take.
MEMORY = 512
#: Seconds after which an input hangs; what merely is slow is measured on the processor.
HANGS = 60


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=["decoders", "pipeline"], nargs="?", default="pipeline")
    parser.add_argument("--runs", type=int, default=100_000)
    arguments = parser.parse_args()

    with atheris.instrument_imports(include=INSTRUMENTED):
        django.setup()
        from tests.fuzz.clock import Clock
        from tests.fuzz.inputs import LONGEST, seeds
        from tests.fuzz.targets import target

        run = target(arguments.target)

    corpus, findings = KEPT / arguments.target, KEPT / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    with TemporaryDirectory() as begun:
        for seed in seeds():
            (Path(begun) / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
        options = {
            "runs": arguments.runs,
            "max_len": LONGEST,
            "rss_limit_mb": MEMORY,
            "timeout": HANGS,
            "artifact_prefix": f"{findings}/",
            "print_final_stats": 1,
        }
        given = [f"-{name}={value}" for name, value in options.items()]
        gc.freeze()
        atheris.Setup([sys.argv[0], *given, str(corpus), begun], Clock(run))
        _fuzz()


def _fuzz() -> None:
    atheris.Fuzz()


# Instrumented code asks for large frames: where Python has no room left for one, it gets memory
# from the system for each call, which takes half of all time. So there is room from the start.
_fuzz.__code__ = _fuzz.__code__.replace(co_stacksize=100_000)

main()
