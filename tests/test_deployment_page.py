"""docs/deployment.md: its commands have options that there are, and its files fit one another."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser

import uvicorn
from daphne.cli import CommandLineInterface
from django.test import RequestFactory

from aaah_core import Limits, conf, leaving
from aaah_core.security import Protected
from tests.pages import DOCS, blocks, imported, written

PAGE = DOCS / "deployment.md"
TEXT = PAGE.read_text("utf-8")
UVICORN = {option: each for each in uvicorn.main.params for option in each.opts}
DAPHNE = CommandLineInterface().parser._option_string_actions


def _commands(name):
    """Return the words of each command of a server that the page has, without its name."""
    texts = [text.replace("\\\n", " ") for kind, text in blocks(PAGE) if kind in ("sh", "ini")]
    for line in "\n".join(texts).splitlines():
        words = shlex.split(line.removeprefix("ExecStart="), comments=True)
        if words and words[0].rpartition("/")[2] == name:
            yield words[1:]
    for command in re.findall(r"^CMD (\[.*\])$", TEXT, re.MULTILINE):
        words = json.loads(command)
        if words[0] == name:
            yield words[1:]


def _unit(kind):
    """Return the unit of systemd that has a section."""
    (text,) = (text for text in blocks(PAGE, "ini") if f"[{kind}]" in text)
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    return unit[kind]


async def test_uvicorn_has_each_option_and_takes_its_value():
    commands = list(_commands("uvicorn"))
    assert len(commands) == 3
    for words in commands:
        context = uvicorn.main.make_context("uvicorn", list(words))  # raises what is wrong
        assert context.params["app"] == "chat.asgi:application"
        assert context.params["ws_max_size"] == Limits().frame_bytes


async def test_daphne_has_each_option_and_takes_its_value():
    (words,) = _commands("daphne")
    given = CommandLineInterface().parser.parse_args(words)
    assert given.websocket_max_message_size == Limits().frame_bytes


def test_each_option_that_the_page_speaks_of_is_there():
    told = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", TEXT))
    others = {"--no-cache-dir", "--time", "--param", "--timeout", "--deploy", "--fail-level"}
    # Of the servers that were tried by hand.
    others |= {"--graceful-timeout", "--interface", "--websocket-ping-interval"}
    assert told - others <= {*UVICORN, *DAPHNE}
    assert UVICORN["--ws-ping-interval"].default == UVICORN["--ws-ping-timeout"].default == 20
    assert (DAPHNE["--ping-interval"].default, DAPHNE["--ping-timeout"].default) == (20, 30)
    assert DAPHNE["--websocket_timeout"].default == 24 * 3600


def test_the_unit_waits_for_what_leaves():
    service = _unit("Service")
    graceful = int(re.search(r"--timeout-graceful-shutdown (\d+)", service["ExecStart"])[1])
    assert int(service["TimeoutStopSec"]) > conf.current().LEAVE_TIMEOUT + 2 + graceful == 17
    assert service["KillMode"] == "mixed"
    assert int(service["LimitNOFILE"]) > Limits().connections
    socket = _unit("Socket")
    assert int(socket["Backlog"]) == UVICORN["--backlog"].default
    assert socket["NoDelay"] == "yes"


def test_the_proxy_waits_longer_than_it_takes_a_ping_to_come():
    (text,) = blocks(PAGE, "nginx")
    waits = int(re.search(r"proxy_read_timeout (\d+)s;", text)[1])
    assert waits > UVICORN["--ws-ping-interval"].default + UVICORN["--ws-ping-timeout"].default


def test_the_settings_are_some(tmp_path, settings):
    written(PAGE, tmp_path)
    with imported(tmp_path, "chat/settings_aaah.py") as module:
        settings.AAAH = module.AAAH
        assert conf.current().LIMITS == {"connections_per_address": 100}
    with imported(tmp_path, "chat/settings_layer.py") as module:
        assert _layer_of_scaling() == module.CHANNEL_LAYERS


def _layer_of_scaling():
    (text,) = (text for text in blocks(DOCS / "scaling.md", "python") if "core.Redis" in text)
    namespace = {}
    exec(text, namespace)
    return namespace["CHANNEL_LAYERS"]


def test_the_application_is_protected(tmp_path):
    written(PAGE, tmp_path)
    (tmp_path / "chat" / "consumers.py").write_text(
        "from aaah_core import AsyncAPIConsumer\n\n\nclass Chat(AsyncAPIConsumer):\n    pass\n"
    )
    with imported(tmp_path, "chat/asgi.py") as module:
        assert isinstance(module.application.application_mapping["websocket"], Protected)


def test_the_view_says_that_the_process_leaves(tmp_path, monkeypatch):
    written(PAGE, tmp_path)
    request = RequestFactory().get("/health")
    with imported(tmp_path, "chat/views.py") as module:
        assert module.health(request).status_code == 200
        monkeypatch.setattr(leaving, "began", lambda: True)
        assert module.health(request).status_code == 503
