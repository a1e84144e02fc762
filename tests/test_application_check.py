"""What `manage.py check` says of `ASGI_APPLICATION`."""

from __future__ import annotations

import pytest
from django.test import override_settings

from aaah_core import checks
from tests.system_checks import application, found, no_leftovers

__all__ = ["no_leftovers"]  # a fixture that all here use


def test_the_consumers_of_the_asgi_application_are_compiled(core, monkeypatch):
    source = """if True:
        from aaah_core import AsyncAPIConsumer
        class Far(AsyncAPIConsumer):
            wire = "nobodys"
        application = Far.as_asgi()
    """
    with application(monkeypatch, source):
        (error,) = found("aaah.E002")  # once, though the class is found as well
    assert "Far" in error.msg


def test_the_routes_of_the_asgi_application_are_looked_at(core, monkeypatch):
    source = """if True:
        from aaah_core import AsyncActionHandler, AsyncAPIConsumer
        from django.urls import re_path
        class Leaf(AsyncActionHandler):
            pass
        class Far(AsyncAPIConsumer):
            routepatterns = [re_path(r"([a-z]+)+/", Leaf.as_aaah())]
        application = Far.as_asgi()
    """
    with application(monkeypatch, source):
        messages = checks.check_routes()
    assert [each.id for each in messages] == ["aaah.W002"]


@pytest.mark.parametrize("source", ["application = None", "application = object()"])
def test_an_application_that_is_imported_is_no_fault(core, monkeypatch, source):
    with application(monkeypatch, source):
        assert found("aaah.W007") == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "AttributeError: module 'site_under_check' has no attribute 'application'"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_"),
        ("application = (", "SyntaxError: '(' was never closed (site.py, line 1)"),
        ("import sys; sys.nothing", "AttributeError: module 'sys' has no attribute 'nothing'"),
        ("import os; os.environ['NOT_SET']", "KeyError: 'NOT_SET'"),
    ],
)
def test_an_application_that_cannot_be_imported_is_w007(core, monkeypatch, source, said):
    with application(monkeypatch, source):
        (warning,) = found("aaah.W007")
        assert found("aaah.E002") == found("aaah.W004") == []
    start = "ASGI_APPLICATION is 'site_under_check.application', and importing it raised "
    assert warning.msg.startswith(start + said)
    assert "shell -c 'import site_under_check'" in warning.hint


@pytest.mark.parametrize("value", ["nowhere", object()])
def test_a_setting_that_is_no_path_is_w007(core, value):
    with override_settings(ASGI_APPLICATION=value):
        (warning,) = found("aaah.W007")
    assert "Mend the setting" in warning.hint


def test_no_setting_is_no_fault(core):
    with override_settings(ASGI_APPLICATION=None):
        assert found("aaah.W007") == []


def test_what_we_refuse_in_an_application_is_said_once(core, monkeypatch):
    with application(monkeypatch, "from aaah_core import ConfigurationError as E; raise E('no')"):
        assert found("aaah.W007") == []
        assert [each.msg for each in found("aaah.E002")] == ["no"]
