"""The benchmarks: that they compare like with like, and print and write what they found."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.case import IN_PROCESS, Case, Goal, Run, Series
from tests.benchmarks.cases import CASES
from tests.benchmarks.environments import Missing
from tests.benchmarks.page import write
from tests.benchmarks.processes import starting
from tests.benchmarks.report import lines, plain
from tests.benchmarks.runner import Outcome, run_cases

ROOT = Path(__file__).parents[1]
OURS, BARE = "AAAH", "bare Channels"


def outcome(**case):
    made = Case(
        **{
            "name": "echo",
            "title": "Echo",
            "series": (Series(OURS, "aaah", "echo"), Series(BARE, "bare", "echo")),
            "units": ("µs",),
            "repetition": lambda workers, series, run: (1.0,),
            "goals": (Goal(OURS, 0.2, to=BARE), Goal(OURS, 5), Goal(OURS, 30, least=True)),
            **case,
        }
    )
    samples = {OURS: [(10.0,), (20.0,), (30.0,)], BARE: [(100.0,), (100.0,), (600.0,)]}
    return Outcome(made, samples)


@pytest.mark.parametrize("scene", ["echo", "child"])
def test_ours_bare_channels_and_the_floor_give_the_same_reply(scene):
    with starting(["aaah", "bare", "raw"]) as (workers, missing):
        assert missing == {}
        replies = [worker.ask("reply", scene=scene, whole=True) for worker in workers.values()]
    assert replies[0]["status"] == 200
    assert replies[0]["request_id"] == 7
    assert replies[1:] == [replies[0], replies[0]]


def test_a_case_is_measured_by_a_process_for_each_contender():
    series = tuple(Series(each, each, "echo") for each in ("aaah", "bare", "raw"))
    case = Case(**{**vars(CASES["echo"]), "series": series, "goals": ()})
    [measured] = run_cases([case], Run(repetitions=2, seconds=0.001))
    assert measured.missing == {}
    assert {name: len(samples) for name, samples in measured.samples.items()} == {
        "aaah": 2,
        "bare": 2,
        "raw": 2,
    }
    assert all(
        value > 0 for samples in measured.samples.values() for sample in samples for value in sample
    )


def test_an_event_is_told_to_two_processes_over_redis(redis):
    ours = {"series": (Series(OURS, "aaah", "told"),), "helpers": ("aaah:second", "client")}
    case = Case(**{**vars(CASES["redis"]), **ours, "goals": (), "warm": False})
    [measured] = run_cases([case], Run(repetitions=1, seconds=0.001))
    assert measured.missing == {}
    assert all(value > 0 for value in measured.samples[OURS][0])


def test_a_case_repeats_no_more_once_patience_ends():
    case = Case(**{**vars(CASES["echo"]), "series": (Series("raw", "raw", "echo"),), "goals": ()})
    [measured] = run_cases([case], Run(repetitions=1000, seconds=0.001, patience=0))
    assert len(measured.samples["raw"]) == 1


def test_a_contender_that_does_something_else_is_left_out_and_named():
    series = (Series("echo", "raw", "echo"), Series("child", "raw", "child"))
    case = Case(**{**vars(CASES["echo"]), "series": series, "goals": ()})
    [measured] = run_cases([case], Run(repetitions=1, seconds=0.001))
    assert list(measured.samples) == ["echo"]
    assert "it replies" in measured.missing["child"]


def test_a_contender_that_fails_says_why():
    with starting(["raw"]) as (workers, _), pytest.raises(Missing, match="raw: AttributeError"):
        workers["raw"].ask("reply", scene="nothing")


def test_the_table_has_medians_quartiles_and_ratios_of_pairs():
    head, titles, ours, bare, *goals = lines(outcome())
    assert head == "echo: Echo"
    assert titles.split() == ["µs", "median", "quartiles", "÷", "bare", "Channels", "quartiles"]
    assert ours.split() == [OURS, "20", "15,", "25", "0.1", "0.075,", "0.15"]
    assert bare.split() == ["bare", "Channels", "100", "100,", "350", "1", "1,", "1"]
    assert goals == [
        "  goal: AAAH ÷ bare Channels ≤ 0.2: 0.1, reached",
        "  goal: AAAH, µs ≤ 5: 20, NOT REACHED",
        "  goal: AAAH, µs ≥ 30: 20, NOT REACHED",
    ]


def test_a_ratio_in_process_is_told_in_cpu_time_too():
    both = outcome(units=IN_PROCESS)
    both.samples = {OURS: [(10.0, 30.0)], BARE: [(100.0, 100.0)]}
    *_, goal, _, _ = lines(both)
    assert goal == "  goal: AAAH ÷ bare Channels ≤ 0.2: 0.1 (0.3 in CPU time), reached"


def test_a_goal_without_figures_is_not_measured():
    unmeasured = outcome()
    unmeasured.samples = {}
    unmeasured.missing = {OURS: "it is ill"}
    *_, missing, goal, _, _ = lines(unmeasured)
    assert missing == "  NOT MEASURED: AAAH: it is ill"
    assert goal == "  goal: AAAH ÷ bare Channels ≤ 0.2: NOT MEASURED"


def test_plain_figures_have_each_contenders_median_and_its_ratio_to_bare():
    figures = plain(outcome())
    assert figures["base"] == BARE
    assert figures["contenders"][OURS] == {"median": 20, "quartiles": [15, 25], "ratio": 0.1}
    assert figures["contenders"][BARE]["ratio"] == 1
    assert [goal["reached"] for goal in figures["goals"]] == [True, False, False]


def test_the_page_keeps_what_stands_around_the_figures(tmp_path):
    version = ".".join(platform.python_version_tuple()[:2])
    page = tmp_path / "page.md"
    page.write_text(f"Before\n<!-- figures of {version} -->\nold\n<!-- end -->\nAfter\n")
    for _ in range(2):
        write(page, "Python, a machine", [outcome()])
        text = page.read_text()
        assert text.startswith(f"Before\n<!-- figures of {version} -->\n")
        assert text.endswith("\n<!-- end -->\nAfter\n")
        assert "old" not in text
        assert "\nPython, a machine.\n" in text
        assert text.count("| `echo` | AAAH ÷ bare Channels | ≤ 0.2 | 0.1 | reached |") == 1
        assert "| AAAH | µs | 20 | 15, 25 | 0.1 | 0.075, 0.15 |" in text
        assert f"\nAAAH           {'█' * 4} " in text


def test_a_page_without_a_place_for_the_figures_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Nothing here\n")
    with pytest.raises(ValueError, match="has no line <!-- figures of"):
        write(page, "Python, a machine", [outcome()])


def test_the_command_names_its_cases_and_refuses_others():
    command = [sys.executable, "-m", "tests.benchmarks", "no-such-case"]
    environment = {name: each for name, each in os.environ.items() if name != "COLUMNS"}
    refused = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert f"there are {', '.join(CASES)}" in refused.stderr


@pytest.mark.parametrize("partly", ["--quick", "echo"])
def test_a_page_is_written_by_a_whole_run_alone(partly):
    command = [sys.executable, "-m", "tests.benchmarks", partly, "--write", "page.md"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--write takes all cases, and no --quick" in refused.stderr


def test_every_goal_is_about_a_row_of_its_case():
    for case in CASES.values():
        names = {each.name for each in case.series}
        assert case.goals or case.name == "parts", "only the parts of a whole have no goal"
        for goal in case.goals:
            assert goal.series in names
            assert goal.to in {"", *names}
