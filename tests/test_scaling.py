"""docs/scaling.md: its settings are layers that work, and the tests that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from aaah_core import layers
from tests.benchmarks.cases import CASES
from tests.test_delivery import names_of_tests

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "scaling.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 10
    assert named - names_of_tests() == set()


def test_every_benchmark_that_is_named_exists():
    (line,) = re.findall(r"-m tests\.benchmarks (.+)", PAGE)
    assert set(line.split()) <= CASES.keys()
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(line.split())


@pytest.mark.parametrize("block", BLOCKS, ids=["memory", "core", "pubsub"])
def test_the_settings_are_of_a_layer_without_the_trap(block):
    namespace = {}
    exec(block, namespace)
    settings = namespace["CHANNEL_LAYERS"]["default"]
    layer = import_string(settings["BACKEND"])(**settings.get("CONFIG", {}))
    assert layers.trap(layer) is None


def test_the_readme_and_the_page_on_delivery_lead_here():
    assert "docs/scaling.md" in (ROOT / "README.md").read_text("utf-8")
    assert "scaling.md" in (ROOT / "docs" / "delivery.md").read_text("utf-8")
