"""The plugin in a project, beside what is installed there and what is not."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import call_command


def test_a_project_without_the_blacklist_passes_the_checks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not apps.is_installed("rest_framework_simplejwt.token_blacklist")
    call_command("check", tags=["models"])
    assert "no issues" in capsys.readouterr().out
