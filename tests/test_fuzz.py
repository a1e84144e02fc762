"""Whatever bytes a client sends, they are answered as documented: fuzzing guided by coverage.

`python -m tests.fuzz` is what runs; each input that it finds becomes a test here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import pytest

from aaah_async_action.decorators import async_action
from tests.fuzz.clock import SLOW, Clock
from tests.fuzz.decoders import CODECS, Decoders
from tests.fuzz.inputs import seeds
from tests.fuzz.pipeline import Answering, Pipeline

ROOT = Path(__file__).parents[1]
MEBIBYTES = 512
#: A child of the shell's, for Linux counts our own memory as that of ours.
ANEW = ["/bin/sh", "-c", '"$@"; exit', "sh"]


@pytest.fixture
def pipeline():
    pipelines = []

    def start(consumer=Answering):
        pipelines.append(Pipeline(consumer))
        return pipelines[-1].run

    yield start
    for each in pipelines:
        each.close()


@pytest.mark.programme(seconds=140)
@pytest.mark.parametrize(("target", "runs"), [("decoders", 500_000), ("pipeline", 100_000)])
def test_whatever_bytes_come_they_are_answered_as_documented(target, runs, record_property):
    if find_spec("atheris") is None:
        record_property("not run", "atheris lacks: it has wheels for CPython on Linux x86-64 only")
        pytest.fail("Run it where `uv run --group fuzz python -m tests.fuzz` works.")
    finished = subprocess.run(
        [*ANEW, sys.executable, "-m", "tests.fuzz", target, "--runs", str(runs)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("AAAH_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    said = finished.stdout
    for what, pattern in REACHED.items():
        record_property(what, (re.findall(pattern, said) or ["?"])[-1])
    assert finished.returncode == 0, said[-5_000:]
    assert int(re.findall(REACHED["executions"], said)[-1]) >= runs
    assert int(re.findall(REACHED["memory at most, MB"], said)[-1]) < MEBIBYTES


#: What the fuzzer prints.
REACHED = {
    "executions": r"number_of_executed_units: +(\d+)",
    "branches reached": r"cov: (\d+)",
    "slowest, of the processor": r"slowest: (.+)",
    "memory at most, MB": r"peak_rss_mb: +(\d+)",
}


def test_each_hostile_frame_is_answered_as_documented_where_the_fuzzer_sends_it(pipeline):
    run = pipeline()
    for seed in seeds():
        Decoders().run(seed)
        run(seed)


# That the targets notice.


def test_a_decoder_that_raises_anything_else_is_found(monkeypatch):
    def decode(frame, limits):
        raise LookupError

    monkeypatch.setattr(CODECS["json"], "decode", decode, raising=False)
    with pytest.raises(LookupError):
        Decoders().run(b"\0{}")


@pytest.mark.parametrize("value", [{}, {"a": 2}])
def test_a_decoder_that_reads_what_nobody_else_does_is_found(monkeypatch, value):
    monkeypatch.setattr(CODECS["json"], "decode", lambda frame, limits: value, raising=False)
    with pytest.raises(AssertionError, match="another reader"):
        Decoders().run(b'\0{"a": 1}')


class Wrong(Answering):
    @async_action
    async def fail(self):
        raise LookupError

    @async_action
    async def twice(self):
        await self.send_json({})

    @async_action
    async def end(self):
        await self.close()

    @async_action
    async def teapot(self):
        return None, 418


@pytest.mark.parametrize("name", ["fail", "twice", "end", "teapot"])
def test_a_reply_that_is_not_documented_is_found(pipeline, name):
    with pytest.raises((AssertionError, ValueError)):
        pipeline(Wrong)(b'\0{"action": "%s"}' % name.encode())


def test_an_input_is_slow_that_takes_the_processor_for_long_whenever_it_comes():
    slow = {b"once", b"always"}

    def run(data):
        if data in slow:
            slow.discard(b"once")
            until = process_time() + 2 * SLOW
            while process_time() < until:
                pass

    clock = Clock(run)
    clock(b"never")
    clock(b"once")
    with pytest.raises(AssertionError, match="of the processor"):
        clock(b"always")
