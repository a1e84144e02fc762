"""The command `aaah plugins`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.desk import aaah, shell

CORE = {"json", "permissions", "routes", "wire"}
INSTALLED = CORE | {
    *(
        "async_action",
        "cbor",
        "drf",
        "jsonrpc",
        "msgpack",
        "opentelemetry",
        "prometheus",
        "rest_framework_channels",
        "simplejwt",
    )
}


def states(finished):
    return {plugin["name"]: plugin["state"] for plugin in json.loads(finished.stdout)}


@pytest.fixture
def install(tmp_path):
    """Install a stranger's plugin where only PYTHONPATH leads."""

    def install(name, source, requires="aaah-core"):
        (tmp_path / f"stranger_{name}.py").write_text(source)
        information = tmp_path / f"stranger_{name}-2.5.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: stranger-{name}\nVersion: 2.5\n"
            f"Requires-Dist: {requires}\n"
        )
        (information / "entry_points.txt").write_text(f"[aaah]\n{name} = stranger_{name}\n")
        return str(tmp_path)

    return install


def test_plugins_are_a_table():
    _, out, err = aaah("plugins")
    heading, *lines = out.splitlines()
    assert heading.split() == ["name", "distribution", "version", "state", "hooks"]
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows.keys() == INSTALLED
    assert rows["json"] == ["aaah-core", "0.1.0", "loaded", "aaah_codecs,", "aaah_select_codec"]
    assert err == ""


def test_plugins_are_objects_with_six_keys():
    _, out, _ = aaah("plugins", "--json")
    plugins = json.loads(out)
    assert {tuple(plugin) for plugin in plugins} == {
        ("name", "distribution", "version", "hooks", "state", "error")
    }
    [msgpack] = [plugin for plugin in plugins if plugin["name"] == "msgpack"]
    assert msgpack == {
        "name": "msgpack",
        "distribution": "aaah-msgpack",
        "version": "0.1.0",
        "hooks": ["aaah_codecs"],
        "state": "loaded",
        "error": None,
    }


def test_plugins_are_listed_without_settings(tmp_path):
    finished = shell("plugins", "--json", cwd=tmp_path)
    assert finished.returncode == 0
    assert states(finished) == dict.fromkeys(INSTALLED, "loaded")
    assert "set DJANGO_SETTINGS_MODULE, or give --settings" in finished.stderr


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit('no secret')", "SystemExit: no secret"),
        ("SECRET_KEY = 'x'; INSTALLED_APPS = ['no_such_app']", "No module named 'no_such_app'"),
    ],
)
def test_plugins_are_listed_with_settings_that_fail(tmp_path, source, named):
    (tmp_path / "failing.py").write_text(source)
    finished = shell("plugins", "--json", "--settings", "failing", cwd=tmp_path)
    assert finished.returncode == 0
    assert states(finished) == dict.fromkeys(INSTALLED, "loaded")
    assert "'failing'" in finished.stderr
    assert named in finished.stderr
    assert "Traceback" not in finished.stderr


def test_settings_stand_before_or_behind_the_subcommand(tmp_path):
    (tmp_path / "ours.py").write_text("AAAH = {'DISABLED_PLUGINS': ['msgpack']}")
    expected = {**dict.fromkeys(INSTALLED, "loaded"), "msgpack": "disabled"}
    for arguments in (
        ("--settings", "ours", "plugins", "--json"),
        ("plugins", "--json", "--settings", "ours"),
    ):
        finished = shell(*arguments, cwd=tmp_path)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert states(finished) == expected


def test_a_disabled_plugin_is_listed():
    finished = shell("plugins", "--json", AAAH_DISABLED_PLUGINS="drf,msgpack")
    assert states(finished) == {
        **dict.fromkeys(INSTALLED, "loaded"),
        "drf": "disabled",
        "msgpack": "disabled",
    }


def test_what_is_wrong_with_the_setting_is_said_beside_the_list(tmp_path):
    (tmp_path / "ours.py").write_text("AAAH = {'PLUGIN': []}")
    finished = shell("plugins", "--json", "--settings", "ours", cwd=tmp_path)
    assert states(finished) == dict.fromkeys(INSTALLED, "loaded")
    assert "AAAH has no key 'PLUGIN'; did you mean 'PLUGINS'?" in finished.stderr


@pytest.mark.parametrize(
    ("source", "requires", "cause"),
    [
        ("raise RuntimeError('out of paper')", "aaah-core", "RuntimeError: out of paper"),
        (
            "from aaah_core import hookimpl\n@hookimpl\ndef aaah_codec(): ...",
            "aaah-core",
            "did you mean 'aaah_codecs'?",
        ),
        ("", "aaah-core>=9", "it needs aaah-core>=9"),
    ],
    ids=["raises on import", "misspells a hook", "needs another core"],
)
def test_a_broken_plugin_is_listed_with_its_error(install, source, requires, cause):
    place = install("press", source, requires)
    finished = shell("plugins", "--json", PYTHONPATH=place)
    assert finished.returncode == 0
    assert states(finished) == {**dict.fromkeys(INSTALLED, "loaded"), "press": "broken"}
    [press] = [each for each in json.loads(finished.stdout) if each["name"] == "press"]
    assert cause in press["error"]
    as_table = shell("plugins", PYTHONPATH=place)
    assert as_table.returncode == 0
    row, error = as_table.stdout.partition("\npress ")[2].splitlines()[:2]
    assert row.split() == ["stranger-press", "2.5", "broken"]
    assert error == f"    error: {' '.join(press['error'].split())}"


@pytest.mark.parametrize("content", [b"[aaah]\nfoo\n", b"[aaah]\nfoo = x\xff\n"])
def test_plugins_are_listed_however_broken_the_metadata_of_one_is(install, content):
    place = install("press", "")
    (Path(place) / "stranger_press-2.5.dist-info" / "entry_points.txt").write_bytes(content)
    finished = shell("plugins", "--json", PYTHONPATH=place)
    assert (finished.returncode, "Traceback" in finished.stderr) == (0, False)
    assert states(finished) == {**dict.fromkeys(INSTALLED, "loaded"), "stranger-press": "broken"}


def test_manage_py_has_the_command_too():
    command = ("python", "-m", "django", "aaah", "plugins", "--json")
    finished = shell(command=command, DJANGO_SETTINGS_MODULE="aaah_core.testing.settings")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert states(finished) == dict.fromkeys(INSTALLED, "loaded")
