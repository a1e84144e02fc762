"""The command `aaah`."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError

from aaah_core import describe
from tests.desk import HERE, Desk, aaah, shell


def test_the_command_tells_its_own_name_and_version():
    assert shell("--version").stdout == "0.1.0\n"
    assert shell("--help").stdout.startswith("usage: aaah [-h]")
    assert shell("call", "--help").stdout.startswith("usage: aaah call [-h]")
    nothing = shell()
    assert nothing.returncode == 2
    assert "COMMAND" in nothing.stderr


@pytest.mark.parametrize("command", [("plugins", "--explain"), ("routes",)])
@pytest.mark.parametrize(
    ("consumer", "message"),
    [
        ("no_such_module:Desk", "No module named 'no_such_module'"),
        (f"{HERE}:NoSuchConsumer", "NoSuchConsumer"),
        ("Desk", "Name a consumer as module:Class"),
        (f"{HERE}:ChildHandler", "is no AsyncAPIConsumer"),
        (f"{HERE}:Broken", "did you mean 'msgpack'?"),
    ],
)
def test_a_consumer_that_is_none_is_an_error_that_says_why(command, consumer, message):
    with pytest.raises(CommandError) as caught:
        aaah(*command, consumer)
    assert message in str(caught.value)


def test_a_consumer_needs_settings(tmp_path):
    finished = shell("routes", "somewhere:Library", cwd=tmp_path)
    assert finished.returncode == 1
    assert "set DJANGO_SETTINGS_MODULE, or give --settings" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_project_is_found_where_one_stands(tmp_path):
    (tmp_path / "shop.py").write_text(
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['aaah_core']\nAAAH = {'CODECS': ['msgpack']}\n"
    )
    (tmp_path / "counter.py").write_text(
        "from aaah_core import AsyncAPIConsumer\nclass Counter(AsyncAPIConsumer): ...\n"
    )
    finished = shell("routes", "counter:Counter", cwd=tmp_path, DJANGO_SETTINGS_MODULE="shop")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "codecs: msgpack (subprotocol aaah.msgpack)" in finished.stdout


def test_routes_say_what_a_consumer_offers():
    _, out, _ = aaah("routes", f"{HERE}:Desk")
    assert out.startswith(
        f"{HERE}.Desk\n"
        f"    codecs: json (subprotocol aaah.json), msgpack (subprotocol aaah.msgpack)\n"
        f"    wire: aaah\n"
    )
    assert (
        f"\nbooks/<int:pk>/  {HERE}.ChildHandler\n"
        f"    permissions: IsAuthenticated\n"
        f"    rename(pk: integer, title: string, tags?: array of string or null) -> string"
        f"  Give a book another title.\n"
    ) in out
    assert f"\n(no route)  {HERE}.Desk\n    permissions: none\n" in out
    assert '    sort(by: "title" or "year", within: Span, on: date)\n' in out
    assert "    tell()" in out
    assert "[broadcast]" in out


def test_routes_as_json_are_what_describe_says():
    _, out, _ = aaah("routes", f"{HERE}.Desk", "--json")
    assert json.loads(out) == json.loads(json.dumps(describe(Desk)))
