"""How a run of all tests is spread over the processors."""

from __future__ import annotations

import os

import pytest

#: More of them wait for the longest file.
MOST = 4


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Answer `-n logical`, which stands in pyproject.toml; `-n 2` or `-n 0` go before it.

    Who names files or tests has them without workers, which take their time to start, and the
    programme has the machine to itself: it measures times.
    """
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    usual = "not programme" in config.option.markexpr
    return min(os.cpu_count() or 1, MOST) if everything and usual else 0
