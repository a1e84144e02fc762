"""Settings that cannot be, of plugins and of AAAH: what a start says of them."""

from __future__ import annotations

import pytest
from django.test import override_settings

from aaah_core import ConfigurationError, WrongSettings
from aaah_core import registry as registries
from tests.moth import HOOK, Chat, install, refusal, require

__all__ = ["install"]  # a fixture

DECLARED = f"""
{HOOK}
from dataclasses import dataclass

@dataclass
class Settings:
    path: str = "here"
    size: int = 1

settings = plugin_settings("moth", Settings)
"""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"pth": "x"}, ["has no key 'pth'; did you mean 'path'?", "It knows: path, size"]),
        ({"size": "x"}, ["is set wrongly: size is to be int, and not str."]),
        ("x", ["is set wrongly"]),
    ],
)
def test_a_setting_that_cannot_be_is_a_wrong_setting(install, values, says):
    install("moth", DECLARED)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": values}}):
        error = refusal()
    if isinstance(values, dict):
        require(error, WrongSettings, ["AAAH[\"PLUGIN_SETTINGS\"]['moth']", *says])
    else:
        assert type(error) is WrongSettings


@pytest.mark.parametrize("schema", ["dict", "{'path': 'here'}", "type('Settings', (), {})"])
def test_settings_that_are_no_dataclass_are_wrong_settings(install, schema):
    install("moth", f"{HOOK}\nsettings = plugin_settings('moth', {schema})")
    require(refusal(), WrongSettings, ["which is no dataclass", "Write @dataclass above a class"])


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("key: str", "the key 'key' has no default, so that installing the plugin is not enough"),
        ("key: int = 'x'", "the default of key is to be int, and not str. Mend the default"),
        ("key: list[int] = None", "the default of key is to be list, and not None."),
    ],
)
def test_a_setting_without_a_default_that_fits_is_the_plugins_mistake(install, key, says):
    install("moth", DECLARED.replace('path: str = "here"', key) + HOOK)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": {"key": "7"}}}):
        error = refusal()
    require(error, WrongSettings, ["plugin_settings('moth', Settings): ", says, "mend the plugin"])
    assert "inside the hook's body" not in str(error)


def test_settings_of_a_plugin_that_has_none_are_wrong_settings(install):
    install("moth", HOOK)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": {"size": 1}}}):
        error = refusal()
    assert type(error) is WrongSettings
    assert "has 'moth', and that plugin has no settings" in str(error)


@pytest.mark.parametrize("key", ["PLUGINS", "DISABLED_PLUGINS"])
def test_a_plugin_that_is_named_and_not_installed_is_a_wrong_setting(install, key):
    install("moth", HOOK)
    with override_settings(AAAH={key: ["mth"]}):
        error = refusal()
    assert type(error) is WrongSettings
    assert f"AAAH[\"{key}\"] names 'mth'" in str(error)
    assert "did you mean 'moth'?" in str(error)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            {"WIRE": "aah"},
            (
                "AAAH[\"WIRE\"] is 'aah', and no loaded plugin answers aaah_request_parser for it; "
                "did you mean 'aaah'? Known: "
            ),
        ),
        (
            {"CODECS": ["jsn"]},
            (
                "AAAH[\"CODECS\"] names the codec 'jsn', and no loaded plugin offers it; did you "
                "mean 'json'? Offered: "
            ),
        ),
        ({"CODECS": [5]}, 'AAAH["CODECS"] has 5, which is neither the name'),
        ({"CODECS": []}, 'AAAH["CODECS"] has no codec: name one.'),
    ],
)
def test_a_wire_or_codec_of_the_setting_is_not_blamed_on_the_consumer(setting, says):
    with override_settings(AAAH=setting):
        assert says in str(refusal())


@pytest.mark.parametrize("setting", [{"PLUGINS": ["json"]}, {"DISABLED_PLUGINS": ["moth"]}])
def test_a_plugin_that_is_left_out_by_a_setting_is_said_to_be(install, setting):
    install("moth", HOOK)

    class Known(Chat):
        codecs = ("moth",)

    class Allowed(Chat):
        permission_classes = (object,)

    for consumer_class in (Known, Allowed):
        with (
            override_settings(AAAH=setting),
            registries.use(registries.build()),
            pytest.raises(ConfigurationError) as caught,
        ):
            consumer_class.as_asgi()
        said = str(caught.value)
        assert "Installed, and left out by PLUGINS or DISABLED_PLUGINS: " in said
        assert "moth" in said.partition("left out")[2]
        assert "pip install" not in said


def test_a_key_of_the_setting_that_nobody_knows_is_a_wrong_setting():
    with override_settings(AAAH={"PLUGIN": []}):
        error = refusal()
    assert type(error) is WrongSettings
    assert "AAAH has no key 'PLUGIN'; did you mean 'PLUGINS'?" in str(error)
