from __future__ import annotations

from django.core.checks import run_checks


def test_djangos_checks_find_nothing_where_the_blacklist_is_not_installed() -> None:
    assert [each for each in run_checks() if each.id == "signals.E001"] == []
