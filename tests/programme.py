"""How a run of all tests is spread over processes, and the table of `pytest -m programme`.

A test says of itself ``@pytest.mark.programme(seconds=90)``: about how long it takes, so that the
long ones begin first; and ``alone=True`` if what it judges is wrong of a machine that does more.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Processes at most that a run is spread over: more of them wait for the longest file.
MOST = 4


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Spread a run of all tests over the processors, where pytest-xdist is; `-n` goes before it.

    Who names files or tests has them without workers, which take their time to start.
    """
    if getattr(config.option, "numprocesses", 0) is not None or hasattr(config, "workerinput"):
        return
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    if "not programme" in config.option.markexpr:
        config.option.numprocesses = min(os.cpu_count() or 1, MOST)
        config.option.dist = "loadfile"  # what the tests of a module share is made once
    elif config.option.markexpr == "programme":
        # The longest of it hardly does anything but wait.
        config.option.numprocesses = min((os.cpu_count() or 1) + 1, MOST)
        config.option.dist = "load"
        config.option.maxschedchunk = 1


def _said(item):
    """Return what a test says of itself: whether it runs alone, and about how long."""
    marks = list(item.iter_markers("programme"))
    alone = any(mark.kwargs.get("alone") for mark in marks)
    return alone, max((mark.kwargs.get("seconds", 0) for mark in marks), default=0)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Let the longest begin first, and those last that run alone."""
    if config.option.markexpr != "programme" or not hasattr(config, "workerinput"):
        return
    workers = config.workerinput["workercount"]
    ordered = sorted(items, key=lambda item: (_said(item)[0], -_said(item)[1]))
    # A worker is given two at first: a long one, and one that may wait for the end of that.
    short = [item for item in ordered if _said(item) == (False, 0)][:workers]
    rest = [item for item in ordered if item not in short]
    for place, item in enumerate(short):
        rest.insert(2 * place + 1, item)
    items[:] = rest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Run a test beside those of other workers, or alone."""
    if not hasattr(item.config, "workerinput") or item.get_closest_marker("programme") is None:
        return (yield)
    with _turn(fcntl.LOCK_EX if _said(item)[0] else fcntl.LOCK_SH):
        return (yield)


@contextmanager
def _turn(kind):
    with Path(__file__).open() as lock:  # until it is closed
        fcntl.flock(lock, kind)
        yield


def pytest_terminal_summary(terminalreporter):
    """Print of each test of the programme its name, what it recorded, and how long it took."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if "programme" in report.keywords and report.when == "call"
    ]
    if not reports:
        return
    terminalreporter.section("the programme")
    for report in sorted(reports, key=lambda report: report.nodeid):
        name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        terminalreporter.write_line(f"{report.outcome:6} {report.duration:6.1f} s  {name}")
        for what, value in report.user_properties:
            terminalreporter.write_line(f"{'':17}{what}: {value}")
    spent = sum(report.duration for report in reports)
    terminalreporter.write_line(f"{len(reports)} tests in {spent:.0f} s")
