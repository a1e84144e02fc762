"""The setting `AAAH`, and the settings of plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import pytest
from django.test import override_settings

from aaah_core import ConfigurationError, conf, plugin_settings
from aaah_core.conf import Settings, current, mapping, nearest, read


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """Let a test declare settings that no other test sees."""
    monkeypatch.setattr(conf, "declared", dict(conf.declared))
    yield
    conf.read_plugin.cache_clear()


@pytest.fixture
def environment(monkeypatch):
    """Return what sets a variable, and has it read."""

    def set_variable(name, value):
        monkeypatch.setenv(name, value)
        current.cache_clear()

    yield set_variable
    monkeypatch.undo()
    current.cache_clear()


def test_without_the_setting_everything_has_a_default():
    with override_settings(AAAH={}):
        assert current() == Settings()
    defaults = Settings()
    assert defaults.PLUGINS == [...]
    assert defaults.CODECS == ["json"]
    assert defaults.WIRE == "aaah"
    assert defaults.SYNC_WORKERS == 16


def test_the_setting_is_read_once_and_again_when_a_test_overrides_it():
    with override_settings(AAAH={"WIRE": "one"}):
        assert current().WIRE == "one"
        assert current() is current()
        with override_settings(AAAH={"WIRE": "two"}):
            assert current().WIRE == "two"
        assert current().WIRE == "one"
        with override_settings(DEBUG=True):
            assert current().WIRE == "one"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"PLUGIN": []}, r"AAAH has no key 'PLUGIN'; did you mean 'PLUGINS'\? It knows: PLUGINS, "),
        ({"ZZZ": 1}, r"AAAH has no key 'ZZZ'\. It knows: "),
        ({5: 1}, "AAAH has no key 5"),
        ({"WIRE": 5}, "AAAH is set wrongly: .*WIRE"),
        ({"SYNC_WORKERS": "many"}, "AAAH is set wrongly: SYNC_WORKERS is to be int, and not str"),
        ({"SYNC_WORKERS": 0}, "AAAH is set wrongly: .*SYNC_WORKERS"),
        ({"PLUGINS": "audit"}, r"PLUGINS is to be list, and not str\. .* example: \[\"name\"\]"),
        ({"LIMITS": []}, r"LIMITS is to be dict, and not list\. Write for example: \{"),
        ({"DISABLED_PLUGINS": ["a", 5]}, r"DISABLED_PLUGINS\[1\] is to be str, and not int"),
        (
            {"PLUGIN_SETTINGS": {"first": {}, "audit": 5}},
            r"AAAH is set wrongly: PLUGIN_SETTINGS\['audit'\] is to be dict, and not int",
        ),
        ({"LAYER_CANARY": "x"}, r"LAYER_CANARY is to be float \| None, and not str"),
        (["json"], r"AAAH is a dict of settings, and not \['json'\]"),
        (None, "AAAH is a dict of settings, and not None"),
    ],
)
def test_a_wrong_setting_is_refused_and_the_message_says_where(setting, said):
    with override_settings(AAAH=setting), pytest.raises(ConfigurationError, match=said):
        current()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("audit", ["audit"]),
        (" audit , ... ,metrics,", ["audit", ..., "metrics"]),
    ],
)
def test_the_environment_wins_over_the_setting(environment, text, names):
    with override_settings(AAAH={"PLUGINS": ["other"], "DISABLED_PLUGINS": ["another"]}):
        environment("AAAH_PLUGINS", text)
        assert names == current().PLUGINS
        assert current().DISABLED_PLUGINS == ["another"]


def test_the_environment_disables_plugins(environment):
    environment("AAAH_DISABLED_PLUGINS", "audit,metrics")
    assert current().DISABLED_PLUGINS == ["audit", "metrics"]
    assert current().PLUGINS == [...]


def test_the_setting_is_left_as_it_was(environment):
    setting = {"WIRE": "aaah"}
    with override_settings(AAAH=setting):
        environment("AAAH_PLUGINS", "audit")
        assert current().PLUGINS == ["audit"]
    assert setting == {"WIRE": "aaah"}


def test_a_word_that_is_close_is_proposed():
    assert nearest("jsn", ["json", "msgpack"]) == "; did you mean 'json'?"
    assert nearest("xml", ["json"]) == "."
    assert nearest("xml", []) == "."


def test_a_mapping_is_returned_and_anything_else_refused():
    assert mapping({"a": 1}, "x") == {"a": 1}
    with pytest.raises(ConfigurationError, match=r"x is a dict of settings, and not \[\]"):
        mapping([], "x")


# Of plugins.


@dataclass
class Audit:
    path: str = "audit.log"
    size: Annotated[int, msgspec.Meta(ge=1)] = 10
    names: list[str] = field(default_factory=list)


def of_audit(**values):
    return override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": values}})


def test_settings_of_a_plugin_have_its_defaults_and_what_was_set():
    settings = plugin_settings("audit", Audit)
    with of_audit(size=5):
        assert (settings.path, settings.size, settings.names) == ("audit.log", 5, [])


def test_settings_of_a_plugin_are_read_when_an_attribute_is():
    settings = plugin_settings("audit", Audit)
    for size in (5, 6):
        with of_audit(size=size):
            assert settings.size == size
    with override_settings(AAAH={}):
        assert settings.size == 10


def test_settings_may_be_declared_where_no_django_settings_can_be_read(monkeypatch):
    def fail(*args):
        raise AssertionError

    monkeypatch.setattr(conf, "read", fail)
    plugin_settings("audit", Audit)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"siez": 1}, r"AAAH\[\"PLUGIN_SETTINGS\"\]\['audit'\] has no key 'siez'; .* 'size'\?"),
        ({"size": "big"}, r"\['audit'\] is set wrongly: .*size"),
        ({"size": 0}, r"\['audit'\] is set wrongly: .*size"),
    ],
)
def test_wrong_settings_of_a_plugin_are_refused(values, said):
    settings = plugin_settings("audit", Audit)
    with of_audit(**values), pytest.raises(ConfigurationError, match=said):
        print(settings.size)


def test_an_attribute_that_the_plugin_did_not_declare_is_an_attribute_error():
    settings = plugin_settings("audit", Audit)
    with pytest.raises(AttributeError, match="other"):
        print(settings.other)


def test_a_plugin_that_is_declared_anew_is_read_anew():
    @dataclass
    class Other:
        size: int = 99

    first = plugin_settings("audit", Audit)
    assert first.size == 10
    plugin_settings("audit", Other)
    assert first.size == 99


def test_any_dataclass_can_be_read():
    assert read({"size": 3}, Audit, "x") == Audit(size=3)
    assert read({}, Audit, "x") == Audit()
