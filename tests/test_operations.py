"""docs/operations.md: its settings are valid, its code runs, and it names what there is."""

from __future__ import annotations

import logging.config
import re
from dataclasses import fields
from pathlib import Path

import pytest

from aaah_core import Call, Metrics, Reply
from aaah_core.conf import Settings, read
from tests.test_delivery import names_of_tests

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def block(word):
    """Run the block of code with this word, and return its names."""
    [code] = [code for code in BLOCKS if word in code]
    names = {}
    exec(compile(code, word, "exec"), names)
    return names


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 5
    assert named - names_of_tests() == set()


def test_the_settings_are_valid_and_say_the_defaults():
    assert read(block("LEAVE_TIMEOUT")["AAAH"], Settings, "AAAH") == Settings()


def test_the_logging_is_valid():
    # Whatever it set up would be set up for the other tests too.
    configurator = logging.config.DictConfigurator(block("LOGGING")["LOGGING"])
    for formatter in configurator.config["formatters"].values():
        assert configurator.configure_formatter(formatter)
    assert set(configurator.config["loggers"]) == {"aaah"}


def test_every_logger_is_in_the_table():
    used = {
        name
        for path in [*ROOT.glob("aaah_core/**/*.py"), *ROOT.glob("plugins/*/*/**/*.py")]
        if "tests" not in path.parts
        for name in re.findall(r'getLogger\("([^"]*)"\)', path.read_text("utf-8"))
    }
    section = PAGE.split("## Logs")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([\w.]+)` \| ", section, re.MULTILINE)) == used


def test_the_numbers_are_all_in_the_table(capsys):
    block("measure")
    assert "False" in capsys.readouterr().out
    section = PAGE.split("## Numbers")[1]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", section, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {field.name for field in fields(Metrics)}


@pytest.mark.usefixtures("core")
async def test_the_middleware_that_logs_runs(caplog):
    names = block("log_error")

    async def write_down(call, reply):
        raise OSError("no space")

    async def call_next(call):
        return Reply("done")

    names["write_down"] = write_down
    assert (await names["audit"](Call("book", None), call_next)).data == "done"
    assert "nobody wrote down 'book'" in caplog.text
