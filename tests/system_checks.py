"""What the tests of system checks share."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from aaah_core import AsyncAPIConsumer, checks


def found(check_id):
    """Return what Django's own run finds, of one id."""
    return [each for each in run_checks(tags=["aaah"]) if each.id == check_id]


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch):
    """Hide the consumers of other tests, wrong ones among them: a class lives on for a while."""
    before = set(checks._children(AsyncAPIConsumer))
    children = checks._children

    def own(parent):
        return (child for child in children(parent) if child not in before)

    monkeypatch.setattr(checks, "_children", own)


def application(monkeypatch, source):
    """Make a module `site_under_check`, which has an application if its source gives one."""

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != "site_under_check":
                return None
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, Finder)

        @staticmethod
        def create_module(spec):
            return ModuleType(spec.name)

        @staticmethod
        def exec_module(module):
            exec(compile(source, "site.py", "exec"), vars(module))

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    monkeypatch.delitem(sys.modules, "site_under_check", raising=False)
    return override_settings(ASGI_APPLICATION="site_under_check.application")
