"""docs/installing.md: its tables are those of the code, and its messages what is said."""

from __future__ import annotations

import io
import re
import runpy
import sys
from dataclasses import MISSING, fields

import pytest
from channels.routing import URLRouter
from django.apps import apps
from django.core.management import CommandError, call_command
from django.urls import path
from importlib_metadata import version
from rest_framework.permissions import IsAdminUser

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError, conf, publish
from aaah_core import registry as registries
from aaah_core.cli import call, client, new_plugin, plugins, routes
from aaah_core.cli.command import Command
from aaah_core.testing import registry
from tests.pages import DOCS, ROOT, blocks, files

PAGE = DOCS / "installing.md"
TEXT = PAGE.read_text("utf-8")


def table(head):
    """Return the rows below a head, each as its cells."""
    rows = re.findall(r"^\| *(.*?) *\|$", TEXT[TEXT.index(head) :].split("\n\n")[0], re.MULTILINE)
    return [re.split(r" *\| *", row) for row in rows[2:]]


MESSAGES = [message for row in table("| message") for message in re.findall(r"`(.+?)`", row[0])]


def test_every_key_of_the_setting_has_its_default():
    rows = {key.strip("`"): eval(value.strip("`")) for key, value, _ in table("| key | default")}
    defaults = {
        item.name: item.default if item.default is not MISSING else item.default_factory()
        for item in fields(conf.Settings)
    }
    assert rows == defaults


def test_every_system_check_is_in_the_table():
    code = (ROOT / "aaah_core/checks.py").read_text("utf-8")
    assert [each[0].strip("`") for each in table("| id | says")] == sorted(
        set(re.findall(r'id="(aaah\.\w+)"', code))
    )


def test_every_command_is_in_the_table():
    named = {re.match(r"`aaah ([\w-]+)", each[0])[1] for each in table("| command | says")}
    modules = (call, new_plugin, plugins, routes)
    assert named == {each.__name__.rpartition(".")[2].replace("_", "-") for each in modules}


def test_the_settings_are_some(settings, tmp_path):
    (tmp_path / "settings.py").write_text(files(PAGE)["shop/settings.py"])
    given = runpy.run_path(str(tmp_path / "settings.py"))
    settings.AAAH = given["AAAH"]
    assert registries.current().problems() == []
    out = io.StringIO()
    call_command(Command(), "plugins", stdout=out)
    (console,) = blocks(PAGE, "console")
    listed = [line.split() for line in out.getvalue().splitlines()]
    rows = [line.split() for line in console.splitlines()[1:]]
    assert [row for row in listed if row in rows] == rows


def test_what_is_required_is_what_the_core_requires():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for wanted in ('requires-python = ">=3.11"', '"django>=5.2', '"channels>=4.3'):
        assert wanted in project


def shop(**attributes):
    return type("Shop", (AsyncAPIConsumer,), attributes)


def refusal(consumer_class):
    with pytest.raises(ConfigurationError) as refused:
        consumer_class.as_asgi()
    return str(refused.value)


def shown(message):
    """Whether a message, or all of it up to what the page leaves out, is on the page."""
    return any(message.replace("`", "'").startswith(each) for each in MESSAGES)


@pytest.mark.parametrize(
    "attributes",
    [
        {"hello": async_action(lambda self: None, name="hello")},
        {"codecs": ("json", "cbor")},
        {"wire": "jsonrpc"},
        {"permission_classes": (IsAdminUser,)},
    ],
    ids=["an action", "a codec", "a wire", "a permission"],
)
def test_what_a_missing_plugin_would_know_is_said_so(attributes):
    with registry():
        assert shown(refusal(shop(**attributes)))


def test_a_start_without_the_app_or_before_django_is_said_so(settings, monkeypatch):
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    assert shown(refusal(shop()))
    monkeypatch.setattr(apps, "ready", False)
    assert shown(refusal(shop()))


def install(folder, module, requires):
    info = folder / "aaah_audit-1.0.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: aaah-audit\nVersion: 1.0\nRequires-Dist: {requires}\n"
    (info / "METADATA").write_text(head)
    (info / "entry_points.txt").write_text(f"[aaah]\naudit = {module}\n")


@pytest.mark.parametrize("requires", ["aaah-core<0.1", "aaah-core>=0.1,<0.2"])
def test_a_plugin_that_does_not_fit_or_load_is_said_so(tmp_path, monkeypatch, requires):
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "aaah_audit.plugin", requires)
    (message,) = registries.build().problems()
    assert shown(message.replace(version("aaah-core"), "0.1.0"))


@pytest.mark.parametrize("setting", [{"PLUGINS": [..., "audt"]}, {"PLUGIN": []}])
def test_a_wrong_setting_is_said_so(settings, tmp_path, monkeypatch, setting):
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "json", "aaah-core")
    settings.AAAH = setting
    assert any(map(shown, registries.build().problems()))


def test_a_channel_layer_that_is_not_there_is_said_so(settings):
    settings.CHANNEL_LAYERS = {}
    with pytest.raises(ConfigurationError) as refused:
        publish("news", "headline")
    assert shown(str(refused.value))


def test_so_is_one_that_a_consumer_needs(settings):
    settings.CHANNEL_LAYERS = {}
    with pytest.raises(ConfigurationError) as refused:
        shop(groups=("news",)).as_asgi()
    assert shown(str(refused.value))


def test_a_client_that_is_missing_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.exceptions", None)
    nothing = {"codec": None, "headers": (), "timeout": 1, "on_event": None}
    with pytest.raises(CommandError) as refused:
        client.exchange("ws://127.0.0.1:1/", {}, **nothing)
    assert shown(str(refused.value))


async def test_a_path_that_leads_nowhere_is_said_so():
    with pytest.raises(ValueError, match="No route found for path"):
        await URLRouter([path("ws/", shop().as_asgi())])(
            {"type": "websocket", "path": "/other/"}, None, None
        )


def test_the_blocks_of_a_shell_install_and_upgrade_what_there_is():
    named = set(re.findall(r"\baaah-[a-z-]+", "".join(blocks(PAGE, "sh"))))
    assert named == {"aaah-core", "aaah-async-action"}
