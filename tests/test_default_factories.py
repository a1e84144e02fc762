"""A default of a plugin's settings that can be made only once Django is set up."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from django.core.exceptions import AppRegistryNotReady
from django.test import override_settings

from aaah_core import PluginError, conf, plugin_settings
from aaah_core import registry as registries
from aaah_core.registry import Plugin


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """Let a test declare settings that no other test sees."""
    monkeypatch.setattr(conf, "declared", {})
    yield
    conf.read_plugin.cache_clear()


class Apps:
    """Stands for what a default needs of Django."""

    def __init__(self, value=()):
        self.ready = False
        self._value = value

    def names(self):
        if not self.ready:
            raise AppRegistryNotReady("Apps aren't loaded yet.")
        return self._value


def settings_of(apps):
    @dataclass
    class Settings:
        names: list[str] = field(default_factory=apps.names)
        size: int = 1

    return Settings


def problems():
    """Return what a start says of the plugin `audit`."""
    registry = registries.Registry()
    registry.plugins["audit"] = Plugin("audit", "aaah-audit", "1.5")
    registries._check_settings(registry, conf.current(), [])
    return registry.problems()


def test_a_default_that_needs_the_apps_is_made_when_they_are_there():
    apps = Apps(["auth"])
    settings = plugin_settings("audit", settings_of(apps))
    apps.ready = True
    assert settings.names == ["auth"]
    assert problems() == []


def test_a_default_that_cannot_be_made_at_start_is_told_with_its_plugin():
    plugin_settings("audit", settings_of(Apps()))
    [problem] = problems()
    assert problem.startswith("Plugin 'audit' (aaah-audit 1.5)")
    assert "reading its settings raised AppRegistryNotReady: Apps aren't loaded yet" in problem
    assert "mend the setting, or the default in its dataclass" in problem


def test_a_default_that_nobody_needs_need_not_be_made():
    plugin_settings("audit", settings_of(Apps()))
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": {"names": []}}}):
        assert problems() == []


def test_a_default_of_another_type_is_told_at_start_where_it_could_not_be_told_before():
    apps = Apps("auth")
    plugin_settings("audit", settings_of(apps))
    apps.ready = True
    [problem] = problems()
    assert "the default of names is to be list, and not str" in problem


def test_what_is_wrong_beside_such_a_default_is_told_at_once():
    @dataclass
    class Settings:
        names: list[str] = field(default_factory=Apps().names)
        size: int = "big"

    with pytest.raises(PluginError, match="the default of size is to be int, and not str"):
        plugin_settings("audit", Settings)
