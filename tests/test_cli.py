"""The command `aaah`."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import (
    AllowAny,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Call,
    IsAuthenticated,
    Match,
    PermissionDenied,
    Reply,
    describe,
    hookimpl,
)
from aaah_core import registry as registries
from aaah_core.cli import trace
from aaah_core.registry import current
from aaah_core.testing import connect, registry
from aaah_demo.server import serve

HERE = __name__
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


@pytest.fixture
def uncounted(settings):
    """Use the plugins that put nothing around each action."""
    settings.AAAH = {
        "DISABLED_PLUGINS": ["jsonrpc", "opentelemetry", "prometheus"]
    }  # a trace builds a registry of its own
    with registry("async_action", "drf", "msgpack", "rest_framework_channels"):
        yield


@dataclass
class Span:
    begin: int
    end: int


class ChildHandler(AsyncAPIActionHandler):
    permission_classes = (IsAuthenticated,)

    @async_action
    async def rename(self, pk: int, title: str, tags: list[str] | None = None) -> str:
        """Give a book another title.

        And more, which is not in a summary.
        """
        return title


class Desk(AsyncAPIConsumer):
    codecs = ("json", "msgpack")
    routepatterns = (path("books/<int:pk>/", ChildHandler.as_aaah()),)

    @async_action
    async def echo(self, data=None, **kwargs):
        return {"data": data, "request_id": self.call.request_id, **self.call.params}

    @async_action
    async def sort(self, by: Literal["title", "year"], within: Span, on: date):
        pass

    @async_action
    async def headers(self, names: list[str]):
        sent = {name.decode(): value.decode() for name, value in self.scope["headers"]}
        return [sent.get(name) for name in names]

    @async_action
    async def ring(self):
        await self.send_json({"event": "bell", "data": 1, "status": 200})
        return "rung"

    @async_action(mode="broadcast", broadcast_type="news", group="news")
    async def tell(self):
        return "told"

    @async_action
    async def raw(self) -> bytes:
        return b"\x00\xff"

    @async_action
    async def refuse(self):
        raise PermissionDenied

    @async_action
    async def teapot(self):
        return Reply(status=503, errors=[{"code": "tea", "detail": "Short and stout."}])

    @async_action
    async def wait(self):
        await asyncio.Event().wait()

    @async_action
    async def hang_up(self):
        await self.close(4503)
        await asyncio.Event().wait()


class Nobody(BasePermission):
    def can_connect(self, scope, handler, message=None):
        return False


class Closed(AsyncAPIConsumer):
    permission_classes = (Nobody,)


class Broken(AsyncAPIConsumer):
    codecs = ("msgpak",)


def aaah(*arguments):
    """Run in this process, and return what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("aaah", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def shell(*arguments, command=("aaah",), cwd=None, **variables):
    """Run the installed script in a process and an environment of its own."""
    bare = {
        name: value
        for name, value in os.environ.items()
        if name != "DJANGO_SETTINGS_MODULE" and not name.startswith("AAAH_")
    }
    program, *rest = command
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *rest, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**bare, **variables},
    )


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


# aaah plugins


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


def test_the_command_tells_its_own_name_and_version():
    assert shell("--version").stdout == "0.1.0\n"
    assert shell("--help").stdout.startswith("usage: aaah [-h]")
    assert shell("call", "--help").stdout.startswith("usage: aaah call [-h]")
    nothing = shell()
    assert nothing.returncode == 2
    assert "COMMAND" in nothing.stderr


# aaah plugins --explain


def explained(consumer):
    _, out, _ = aaah("plugins", "--explain", consumer, "--json")
    return [tuple(row.values())[:6] for row in json.loads(out)]


@pytest.mark.usefixtures("uncounted")
def test_explain_names_who_answers_each_hook_of_a_consumer():
    rows = explained(f"{HERE}:Desk")
    own = [row[1:] for row in rows if row[0] == f"{HERE}.Desk"]
    assert ("aaah_codecs", "msgpack", "msgpack", "aaah-msgpack", "0.1.0") in own
    assert ("aaah_select_codec", "(each handshake)", "json", "aaah-core", "0.1.0") in own
    assert ("aaah_route_resolver", "Desk", "routes", "aaah-core", "0.1.0") in own
    assert ("aaah_response_shaper", "aaah", "wire", "aaah-core", "0.1.0") in own
    assert ("aaah_actions", "echo", "async_action", "aaah-async-action", "0.1.0") in own
    assert ("aaah_connection", "(nobody answers)", "", "", "") in own
    assert len({hook for hook, *_ in own}) == 10


def test_explain_names_who_answers_for_the_handlers_that_routes_reach():
    rows = explained(f"{HERE}:Desk")
    child = [row[1:4] for row in rows if row[0] == f"{HERE}.Desk > {HERE}.ChildHandler"]
    assert ("aaah_actions", "rename", "async_action") in child
    assert ("aaah_permission_check", "IsAuthenticated", "permissions") in child
    assert {hook for hook, *_ in child} == {
        "aaah_route_resolver",
        "aaah_permission_check",
        "aaah_actions",
        "aaah_middleware",
        "aaah_exception_handlers",
    }


def test_explain_shows_a_stranger_who_answers_instead():
    class Porter:
        @hookimpl
        def aaah_select_codec(self, allowed):
            return allowed[0]

        @hookimpl
        def aaah_middleware(self, action):
            async def middleware(call, call_next):
                return await call_next(call)

            return middleware if action is not None and action.name == "echo" else None

    with registry("async_action", "msgpack", Porter()):
        rows = [row[1:4] for row in explained(f"{HERE}:Desk")]
    assert ("aaah_middleware", "echo", "Porter") in rows
    selectors = [plugin for hook, _, plugin in rows if hook == "aaah_select_codec"]
    assert selectors == ["Porter", "json"]


@pytest.mark.usefixtures("uncounted")
def test_explain_reads_as_text_under_a_line_for_each_handler():
    _, out, _ = aaah("plugins", "--explain", f"{HERE}.Desk")
    headings = [line for line in out.splitlines() if line and not line.startswith(" ")]
    assert headings == [f"{HERE}.Desk", f"{HERE}.Desk > {HERE}.ChildHandler"]
    rows = [line.split() for line in out.splitlines()]
    assert ["aaah_codecs", "msgpack", "msgpack", "aaah-msgpack", "0.1.0"] in [r[:5] for r in rows]
    assert ["rename", "IsAuthenticated", "(permissions)", ">", "the", "action"] in rows


def around(name, seen):
    """Return a plugin with a middleware that notes its name."""

    class Onion:
        @hookimpl
        def aaah_middleware(self, action):
            async def middleware(call, call_next):
                seen.append(name)
                return await call_next(call)

            return middleware if action is None or action.name == "echo" else None

    Onion.__name__ = name
    return Onion()


def test_explain_tells_who_was_asked_and_what_won():
    class Late:
        @hookimpl(trylast=True)
        def aaah_exception_handlers(self):
            return {ValueError: print}

    class Early:
        @hookimpl
        def aaah_exception_handlers(self):
            return {ValueError: print}

    with registry("async_action", "msgpack", Late(), Early()):
        _, out, _ = aaah("plugins", "--explain", f"{HERE}:Desk", "--json")
    rows = [row for row in json.loads(out) if row["subject"] == "ValueError"][:2]
    assert [(row["plugin"], row["won"]) for row in rows] == [
        ("Early", "yes"),
        ("Late", "no: another was first"),
    ]
    assert rows[0]["asked"][0] == "Early"
    assert "Late" in rows[0]["asked"]


async def test_explain_shows_the_onion_in_the_order_in_which_a_call_passes_it():
    seen = []
    with registry("async_action", "msgpack", around("Outer", seen), around("Inner", seen)):
        explain = functools.partial(aaah, "plugins", "--explain", f"{HERE}:Desk")
        _, out, _ = await sync_to_async(explain)()
        async with connect(Desk.as_asgi()) as client:
            await client.call("echo")
    [line] = [line for line in out.splitlines() if line.split()[:1] == ["echo"]]
    assert seen == ["Outer", "Inner"]
    assert line.split(None, 1)[1] == "Outer's middleware > Inner's middleware > the action"


def steps(*arguments):
    """Return what a message passes, as (step, plugin, what)."""
    _, out, _ = aaah("plugins", "--explain", f"{HERE}:Desk", *arguments, "--json")
    return [tuple(step.values()) for step in json.loads(out)]


@pytest.mark.usefixtures("uncounted")
def test_explain_follows_a_message_step_by_step():
    found = steps("--route", "books/5/", "--action", "rename")
    assert [step for step, *_ in found if step != "if it raises"] == [
        *("decode", "parse", "route", "check", "action", "shape", "encode")
    ]
    assert ("route", "routes", "'books/5/' leads from Desk to ChildHandler, with pk=5") in found
    [check] = [step for step in found if step[0] == "check"]
    assert check[1:] == (
        "permissions",
        "IsAuthenticated of ChildHandler, on the event loop, about: call, event",
    )
    [action] = [step for step in found if step[0] == "action"]
    assert action[1:] == ("async_action", "ChildHandler.rename, on the event loop, mode response")
    assert any("Http404" in what for step, _, what in found if step == "if it raises")


def test_explain_follows_a_message_that_reaches_no_action():
    with registry("async_action", "msgpack", around("Onion", [])):
        nowhere, unknown = steps("--route", "nowhere/"), steps("--action", "rename")
        all_of_them = steps("--route", "")
    said = ("route", "routes", "'nowhere/' leads nowhere from Desk: 404")
    assert said in nowhere
    assert "there is no 'rename': 405; Desk has echo" in " ".join(what for *_, what in unknown)
    for found in (nowhere, unknown):
        assert ("middleware", "Onion", "stands around what reaches no action") in found
    assert sum(step == "action" for step, *_ in all_of_them) > 5


def test_explain_of_a_message_reads_as_text():
    _, out, _ = aaah("plugins", "--explain", f"{HERE}:Desk", "--action", "echo")
    assert out.splitlines()[0].split()[:2] == ["1.", "decode"]


@pytest.mark.parametrize("option", ["--route", "--action"])
def test_a_route_or_an_action_is_explained_of_a_consumer(option):
    with pytest.raises(CommandError, match="go with --explain CONSUMER"):
        aaah("plugins", option, "x")


# aaah call --trace


def traced(*arguments):
    """Return the exit status, the reply and the steps of a call in this process."""
    status, out, err = aaah("call", f"{HERE}:Desk", *arguments, "--trace")
    rows = [re.split(r" {2,}", line.strip()) for line in err.splitlines()]
    return status, json.loads(out), rows[1:]


@pytest.mark.usefixtures("uncounted")
def test_a_traced_call_tells_each_step_in_order_with_times():
    status, reply, rows = traced("echo", "--data", "1")
    assert (status, reply["data"]["data"]) == (0, 1)
    assert [row[2] for row in rows] == ["decode", "parse", "action", "shape", "encode"]
    assert [row[3] for row in rows] == ["json", "wire", "async_action", "wire", "json"]
    times = [float(row[0].removesuffix(" ms")) for row in rows]
    assert times == sorted(times)
    assert all(float(row[1].removesuffix(" ms")) >= 0 for row in rows)


class Whole:
    """Answers the hooks that nobody else answers here."""

    @hookimpl
    def aaah_middleware(self):
        async def onion(call, call_next):
            return await call_next(call)

        return onion

    @hookimpl
    def aaah_exception_handlers(self):
        return {LookupError: lambda call, error: Reply(status=418)}

    @hookimpl
    def aaah_connection(self):
        @asynccontextmanager
        async def context(consumer):
            yield

        return context

    @hookimpl
    def aaah_route_resolver(self, handler_class):
        async def resolve(route, call):
            return Match(ChildHandler) if route == "async" else None

        return resolve if handler_class is Whale else None

    @hookimpl
    def aaah_select_codec(self, allowed):
        return allowed[0]


class Whale(AsyncAPIConsumer):
    permission_classes = (IsAuthenticated | AllowAny,)

    @async_action
    def fall(self):
        raise LookupError


@pytest.mark.usefixtures("uncounted")
def test_a_traced_call_shows_what_every_hook_gave(monkeypatch):
    built = functools.partial(registries.build, {"whole": Whole()})
    monkeypatch.setattr(trace, "build", built)
    status, out, err = aaah("call", f"{HERE}:Whale", "fall", "--trace")
    assert (status, json.loads(out)["status"]) == (1, 418)
    rows = [line.split(" ms")[2].split() for line in err.splitlines()[1:]]
    said = [" ".join(row) for row in rows]
    assert said[0] == "connection whole stays around it"
    assert "middleware whole onion: 418" in said
    assert "action async_action fall, in a worker thread: raised LookupError" in said
    assert "exception whole LookupError: 418" in said
    [outer] = [line for line in err.splitlines() if "middleware" in line]
    [inner] = [line for line in err.splitlines() if "fall," in line]
    assert outer.index("middleware") < inner.index("action")
    _, out, err = aaah("call", f"{HERE}:Whale", "rename", "--route", "async", "--trace")
    assert json.loads(out)["status"] == 403
    assert "'async'" in err


def test_a_traced_call_shows_the_route_the_check_that_refused_and_no_data():
    status, reply, rows = traced("rename", "--route", "books/5/", "--param", "title=secret")
    assert (status, reply["status"]) == (1, 403)
    steps = {row[2]: row[3:] for row in rows}
    assert steps["route"] == ["routes", "'books/5/': ChildHandler"]
    assert steps["check call"] == ["permissions", "IsAuthenticatedCheck: False"]
    assert "action" not in steps
    assert "secret" not in str(rows)


def test_a_traced_call_tells_what_an_action_raised_and_events_before_its_reply():
    status, _, rows = traced("refuse")
    assert status == 1
    assert ["refuse, on the event loop: raised PermissionDenied"] in [row[4:] for row in rows]
    _, out, err = aaah("call", f"{HERE}:Desk", "ring", "--trace")
    assert json.loads(out)["data"] == "rung"
    assert '"event": "bell"' in err


class Listed(Desk):
    wire = "listed"


@pytest.mark.parametrize(
    ("payload", "timeout"), [([200, "x"], "60"), ({"id": 1}, "60"), (None, "0.05")]
)
def test_a_traced_call_in_another_wire_says_that_it_speaks_none_but_aaah(
    monkeypatch, payload, timeout
):
    class Wire:
        @hookimpl
        def aaah_request_parser(self, consumer_class):
            return (lambda payload: Call("echo")) if consumer_class.wire == "listed" else None

        @hookimpl
        def aaah_response_shaper(self, consumer_class):
            return (lambda call, reply: payload) if consumer_class.wire == "listed" else None

    monkeypatch.setattr(trace, "build", lambda: registries.build({"listed": Wire()}))
    with pytest.raises(CommandError) as caught:
        aaah("call", f"{HERE}:Listed", "echo", "--trace", "--timeout", timeout)
    assert "Listed has the wire 'listed', and `call` speaks the wire aaah only" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((f"{HERE}:Broken", "echo"), "did you mean 'msgpack'?"),
        ((f"{HERE}:Closed", "echo"), "Closed closed the connection with 4403"),
        ((f"{HERE}:Desk", "wait", "--timeout", "0.1"), "did not answer within 0.1 s"),
        (("ws://127.0.0.1/", "echo"), "Name a consumer as module:Class"),
    ],
)
def test_a_traced_call_without_a_reply_says_why(arguments, says):
    with pytest.raises(CommandError) as caught:
        aaah("call", *arguments, "--trace")
    assert says in str(caught.value)


def test_a_traced_call_that_is_refused_shows_its_steps_and_the_check_that_refused():
    err = io.StringIO()
    with pytest.raises(CommandError, match="--header 'NAME: VALUE'") as caught:
        call_command("aaah", "call", f"{HERE}:Closed", "echo", "--trace", stderr=err)
    assert "NobodyCheck of the plugin 'permissions', said False." in str(caught.value)
    [_, *rows] = [re.split(r" {2,}", line.strip()) for line in err.getvalue().splitlines()]
    assert [row[2:] for row in rows] == [["check connect", "permissions", "NobodyCheck: False"]]


def test_a_trace_leaves_nothing_in_what_serves():
    before = current().plans.copy()
    traced("echo")
    assert current().plans == before
    [codec, *_] = current().manager.hook.aaah_codecs()[0]
    assert "Traced" not in type(codec).__name__


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


# aaah routes


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


# aaah call


@pytest.fixture(scope="module")
def desk():
    with serve(Desk.as_asgi(), 0) as url:
        yield url


def called(*arguments):
    status, out, err = aaah("call", *arguments)
    return status, json.loads(out), err


def no_reply(*arguments):
    with pytest.raises(CommandError) as caught:
        aaah("call", *arguments)
    assert caught.value.returncode == 3
    return str(caught.value)


def test_a_call_prints_its_reply(desk):
    assert called(desk, "ring") == (
        0,
        {
            "errors": [],
            "data": "rung",
            "action": "ring",
            "route": "",
            "status": 200,
            "request_id": 1,
        },
        '{"event": "bell", "data": 1, "status": 200}\n',
    )


def test_a_reply_is_printed_for_people(desk):
    _, out, _ = aaah("call", desk, "echo", "--data", '"Zoë"')
    assert '\n  "data": {\n    "data": "Zoë",' in out


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_parameters_are_json_where_they_can_be(desk, codec):
    arguments = ["--param=count=5", "--param=on=true", "--param=word=five", "--param=odd=NaN"]
    arguments += ["--param=eq=a=b", '--data={"x": [1, null]}', "--codec", codec]
    _, reply, _ = called(desk, "echo", *arguments)
    assert reply["data"] == {
        "count": 5,
        "on": True,
        "word": "five",
        "odd": "NaN",
        "eq": "a=b",
        "data": {"x": [1, None]},
        "request_id": 1,
    }


def test_a_call_takes_a_route(desk):
    status, reply, _ = called(desk, "rename", "--route", "books/5/", "--param", "title=Emma")
    assert (status, reply["status"], reply["route"]) == (1, 403, "books/5/")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_bytes_of_a_reply_are_printed_as_base64(desk, codec):
    _, reply, _ = called(desk, "raw", "--codec", codec)
    assert reply["data"] == "AP8="


def test_cookies_and_headers_are_sent(desk):
    _, reply, _ = called(
        *(desk, "headers", "--data", "1", "--param", 'names=["cookie", "x-tea"]'),
        *("--cookie", "a=1", "--cookie", "b=2=3", "--header", "X-Tea: green, no sugar"),
    )
    assert reply["data"] == ["a=1; b=2=3", "green, no sugar"]


@pytest.mark.parametrize(("action", "status"), [("refuse", 1), ("nothing", 1), ("teapot", 2)])
def test_the_exit_status_is_told_by_the_replys(desk, action, status):
    exit_status, reply, _ = called(desk, action)
    assert exit_status == status
    assert reply["status"] // 100 == status + 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "{secret"), "argument --data: it is not JSON"),
        (("--param", "secret"), "argument --param: write it as KEY=VALUE"),
        (("--cookie", "secret"), "argument --cookie: write it as NAME=VALUE"),
        (("--header", "secret"), "argument --header: write it as 'Name: value'"),
        (("--timeout", "0"), "argument --timeout: it is a number of seconds above 0"),
        (("--timeout", "soon"), "argument --timeout: it is a number of seconds above 0"),
    ],
)
def test_a_wrong_argument_is_not_repeated(desk, arguments, message):
    with pytest.raises(CommandError) as caught:
        aaah("call", desk, "echo", *arguments)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_an_absent_server_is_said_to_be_absent():
    port = free_port()
    message = no_reply(f"ws://me:secret@127.0.0.1:{port}/ws/?token=secret", "echo")
    assert message == (
        f"ws://127.0.0.1:{port}/ws/ cannot be reached (Connection refused). Is the server running?"
    )


def test_a_refused_connection_says_what_may_refuse():
    with serve(Closed.as_asgi(), 0) as url:
        message = no_reply(f"{url}?token=secret", "echo", "--cookie", "sessionid=secret")
    assert message.startswith(f"{url} refused the connection with HTTP 403.")
    assert "--cookie" in message
    assert "secret" not in message


def test_a_consumer_without_the_codec_refuses(desk):
    class OnlyJSON(AsyncAPIConsumer):
        codecs = "json"

    with serve(OnlyJSON.as_asgi(), 0) as url:
        assert "--codec" in no_reply(url, "echo", "--codec", "msgpack")


def test_a_server_that_ignores_the_codec_is_not_believed():
    async def accept(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    with serve(accept, 0) as url:
        assert no_reply(url, "echo") == (f"{url} does not speak aaah.json: give another --codec.")


def test_a_reply_that_cannot_be_read_is_said_so():
    async def mumble(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "aaah.json"})
        await receive()
        await send({"type": "websocket.send", "text": "{"})
        await receive()

    with serve(mumble, 0) as url:
        assert "The message is not valid JSON." in no_reply(url, "echo")


def test_what_is_no_reply_to_the_request_is_passed_by():
    async def chat(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "aaah.json"})
        await receive()
        for text in ("[1]", '{"status": 200, "request_id": 2}', '{"status": 200, "more": true}'):
            await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.send", "text": '{"status": 204}'})
        await receive()

    with serve(chat, 0) as url:
        status, reply, err = called(url, "echo")
    assert (status, reply) == (0, {"status": 204})
    assert err == '[1]\n{"status": 200, "request_id": 2}\n{"status": 200, "more": true}\n'


def test_a_connection_that_closes_tells_its_code(desk):
    assert no_reply(desk, "hang_up") == (
        f"{desk} closed the connection with 4503 (GOING_AWAY) before it replied; see its log."
    )


def test_a_reply_that_does_not_come_ends_at_the_timeout(desk):
    message = no_reply(desk, "wait", "--timeout", "0.2")
    assert message == f"{desk} did not answer within 0.2 s: wait longer with --timeout."


def test_what_is_no_websocket_is_said_so():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.listen()
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("aaah")), "call", f"ws://127.0.0.1:{port}/", "x"],
            stderr=subprocess.PIPE,
            text=True,
        )
        peer, _ = listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(b"SSH-2.0-Something\r\n\r\n")
        _, err = process.communicate()
    assert process.returncode == 3
    assert "does not answer as a WebSocket server" in err


@pytest.mark.parametrize(
    "url", ["http://localhost/", "localhost:8000", "ws://", "ws://[::1", "ws://localhost:99999/"]
)
def test_a_url_that_is_none_is_an_error(url):
    assert "write it as ws://host:port/path" in no_reply(url, "echo")


def test_a_codec_that_nobody_offers_is_an_error():
    message = no_reply("ws://127.0.0.1:1/", "echo", "--codec", "msgpak")
    assert "'msgpak'; did you mean 'msgpack'?" in message
    assert "pip install aaah-msgpak" in message


def test_a_plugin_that_fails_to_offer_codecs_is_named():
    class Clumsy:
        @hookimpl
        def aaah_codecs(self):
            raise RuntimeError("dropped it")

    with registry(Clumsy()):
        assert "'Clumsy'" in no_reply("ws://127.0.0.1:1/", "echo")


def test_without_a_client_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.exceptions", None)
    assert 'pip install "aaah-core[client]"' in no_reply("ws://127.0.0.1:1/", "echo")


def test_a_call_needs_no_settings(desk, tmp_path):
    for settings in ({}, {"DJANGO_SETTINGS_MODULE": "no_such_settings"}):
        finished = shell("call", desk, "ring", "--codec", "msgpack", cwd=tmp_path, **settings)
        assert finished.returncode == 0
        assert json.loads(finished.stdout)["data"] == "rung"
        assert ("no_such_settings" in finished.stderr) == bool(settings)


def test_the_shell_gets_the_exit_status(desk):
    assert [shell("call", desk, action).returncode for action in ("ring", "refuse", "teapot")] == [
        0,
        1,
        2,
    ]
    absent = shell("call", f"ws://127.0.0.1:{free_port()}/", "ring")
    assert absent.returncode == 3
    assert absent.stderr.count("\n") == 1
