"""docs/security.md: every threat names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aaah_core import Limits, checks, conf, permissions
from tests.test_delivery import names_of_tests

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
HEADINGS = re.findall(r"^### (.*)$", PAGE, re.MULTILINE)


def rows(heading):
    section = PAGE[PAGE.index(f"### {heading}\n") :].split("\n##")[0]
    found = re.findall(r"^\| *(.*?) *\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in found[2:]]


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 60
    assert named - names_of_tests() == set()


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_threat_has_an_answer_and_names_a_test(heading):
    assert len(rows(heading)) >= 4
    for threat, answer, tests in rows(heading):
        assert threat
        assert answer
        assert re.fullmatch(r"`test_\w+`(, `test_\w+`)*", tests), threat


def test_the_settings_limits_and_checks_of_the_page_are_ours():
    fields = {*Limits.__dataclass_fields__, *conf.Settings.__dataclass_fields__}
    assert {"connections_per_address", "rate", "frame_bytes", "ALLOWED_ORIGINS"} <= fields
    assert hasattr(permissions, "IsAuthenticatedStrictly")
    written = Path(checks.__file__).read_text("utf-8")
    for number in range(1, 5):
        assert f'"aaah.W00{number}"' in written


def test_the_readme_says_where_to_report_and_leads_to_the_page():
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme[readme.index("## Security\n") :].split("\n## ")[0]
    assert "docs/security.md" in section
    assert "public issue" in section
