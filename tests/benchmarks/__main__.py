"""``python -m tests.benchmarks [CASE…] [--json FILE] [--write PAGE] [--quick]``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.benchmarks.case import Run
from tests.benchmarks.cases import CASES
from tests.benchmarks.page import write
from tests.benchmarks.report import lines, plain, surroundings
from tests.benchmarks.runner import run_cases

# Many short repetitions: what disturbs a machine for a while disturbs all alike.
_FULL = Run(repetitions=30, seconds=0.08)
_QUICK = Run(repetitions=5, seconds=0.02, patience=1.5, quick=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("case", nargs="*", help=f"one of: {', '.join(CASES)}; all if none is given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put them into a page, too")
    parser.add_argument("--quick", action="store_true", help="a look, within a minute")
    arguments = parser.parse_args()
    for name in arguments.case:
        if name not in CASES:
            parser.error(f"there is no case {name!r}: there are {', '.join(CASES)}")
    if arguments.write and (arguments.case or arguments.quick):
        parser.error("--write takes all cases, and no --quick")
    return arguments


def main() -> None:
    """Run the cases that were asked for."""
    arguments = _arguments()
    around = surroundings()
    print(around)
    outcomes = []
    cases = [CASES[name] for name in arguments.case or CASES]
    for outcome in run_cases(cases, _QUICK if arguments.quick else _FULL):
        outcomes.append(outcome)
        print(*lines(outcome), "", sep="\n", flush=True)
    if arguments.write:
        write(arguments.write, around, outcomes)
    if arguments.json:
        figures = {outcome.case.name: plain(outcome) for outcome in outcomes}
        written = {"with": around, "cases": figures}
        arguments.json.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
