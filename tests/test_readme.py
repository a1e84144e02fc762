"""The README: its blocks run in order; its messages, tables and commands are what happens."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import shlex
import socket
import sys
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path

import importlib_metadata
import pytest
import uvicorn
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aaah_core import PluginError, hookspecs
from aaah_core.testing import Refused, connect

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def _blocks(kind):
    return [code for each, code in BLOCKS if each == kind]


def _table(heading):
    """Return the rows below a heading, each as a list of cells."""
    section = README[README.index(f"## {heading}\n") :].split("\n## ")[0]
    rows = re.findall(r"^\| *(.*?) *\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r" *\| *", row)] for row in rows[1:]]


FILES = {re.match(r"# (\S+)\n", code)[1]: code for code in _blocks("python")}
PROJECT = tomllib.loads(_blocks("toml")[0])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The README's files, imported in order, as modules by path."""
    for name, code in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names = [name.removesuffix(".py").replace("/", ".") for name in FILES]
    yield {name: importlib.import_module(name) for name in names}
    for name in {*names, *(name.split(".")[0] for name in names)}:
        del sys.modules[name]


@asynccontextmanager
async def served(application):
    """Serve with uvicorn on a socket of loopback, and give its address."""
    config = uvicorn.Config(application, ws="websockets-sansio", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield "{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            await serving


async def run(line):
    """Run a command line, and return what it wrote."""
    command, *arguments = shlex.split(line)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name(command), *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


def test_no_block_is_left_out():
    assert README.count("```") == 2 * len(BLOCKS)
    kinds = [kind for kind, _ in BLOCKS]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "python": len(FILES),
        "text": 1,
        "console": 1,
        "sh": 3,
        "toml": 1,
    }


def test_the_app_has_15_lines_and_the_plugin_10():
    for name, most in (("library/consumers.py", 15), ("aaah_audit/plugin.py", 10)):
        lines = [line for line in FILES[name].splitlines() if line and not line.startswith("#")]
        assert len(lines) <= most


async def test_the_app_answers_the_messages_of_the_readme(project):
    (text,) = _blocks("text")
    exchanges = [each.split("←") for each in text.split("→")[1:]]
    assert len(exchanges) == 5
    application = project["library.asgi"].application
    headers = {"Origin": "http://testserver", "Host": "testserver"}
    async with connect(application, "/ws/", headers=headers) as client:
        for sent, answered in exchanges:
            await client.send_frame(sent.strip())
            assert await client.receive() == json.loads(answered)


async def test_the_shell_shows_what_the_readme_shows(project):
    (text,) = _blocks("console")
    line, shown = text.removeprefix("$ ").split("\n", 1)
    assert "127.0.0.1:8000" in line
    async with served(project["library.asgi"].application) as address:
        assert await run(line.replace("127.0.0.1:8000", address)) == shown


async def test_the_four_hooks_are_answered_by_the_plugins_of_the_table(
    project, tmp_path, monkeypatch
):
    rows = {
        hook.strip("`"): default
        for hook, _, default in _table("The four hooks of the dispatcher")[1:]
    }
    assert list(rows) == [name for name in vars(hookspecs) if name.startswith("aaah_")][:4]
    own = importlib_metadata.distribution("aaah-core").entry_points.select(group="aaah")
    plugins = {hook: re.match(r"`(\w+)`", default)[1] for hook, default in rows.items()}
    for hook, plugin in plugins.items():
        assert hasattr(own[plugin].load(), hook)
    assert set(plugins.values()) == own.names
    command = re.search(r"`(aaah plugins --explain .*?)`", README)[1]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    explained = await run(command)
    for hook in ("aaah_select_codec", "aaah_route_resolver", "aaah_response_shaper"):
        assert re.search(rf"{hook} .* {plugins[hook]} +aaah-core", explained)


async def test_a_message_is_followed_and_a_call_traced_as_the_readme_says(
    project, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    explain = re.search(r"`(aaah plugins --explain .*?)`", README)[1]
    followed = await run(f"{explain} {re.search(r'`(--route .*?)`', README)[1]}")
    assert "'books/1/' leads from Library to BookHandler, with pk=1" in followed
    traced = re.search(r"`(aaah call --trace .*?)`", README, re.DOTALL)[1]
    assert json.loads(await run(traced))["data"] == ["Emma"]


def test_the_table_of_distributions_is_that_of_the_workspace():
    rows = {name.strip("`"): cell for name, _, cell in _table("Installing")[1:]}
    folders = [ROOT, *(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
    found = [tomllib.loads((each / "pyproject.toml").read_text())["project"] for each in folders]
    assert set(rows) == {project["name"] for project in found}
    for name in set(rows) - {"aaah-core"}:
        named = set(re.findall(r"`(.*?)`", rows[name]))
        # What a need brings along is not repeated.
        brought = {"aaah-core"}.union(*map(_needs, {"aaah-core", *named}))
        assert named <= _needs(name) <= named | brought


def _needs(name):
    needs = map(Requirement, importlib_metadata.requires(name) or ())
    return {canonicalize_name(need.name) for need in needs if not need.marker}


def test_what_is_to_be_installed_is_a_distribution_of_the_workspace():
    (line,) = [code for code in _blocks("sh") if code.startswith("pip install aaah")]
    for name in shlex.split(line)[2:]:
        assert importlib_metadata.distribution(name).metadata["License-Expression"]
    assert "client" in importlib_metadata.metadata("aaah-core").get_all("Provides-Extra")


async def test_a_disabled_plugin_is_left_out(project, settings, monkeypatch):
    settings.AAAH = project["library.without_drf"].AAAH
    monkeypatch.setenv("AAAH_DISABLED_PLUGINS", ",".join(settings.AAAH["DISABLED_PLUGINS"]))
    plugins = {each["name"]: each["state"] for each in json.loads(await run("aaah plugins --json"))}
    assert plugins.pop("drf") == "disabled"
    assert set(plugins.values()) == {"loaded"}


async def test_a_client_speaks_what_it_offers(project):
    application = project["library.binary"].BinaryLibrary.as_asgi()
    rows = _table("Codecs, per consumer")[1:]
    assert len(rows) == 4
    for offers, speaks in rows:
        offered = re.findall(r"`aaah\.(\w+)`", offers)
        codec = re.match(r"`(\w+)`|nothing", speaks)[1]
        chosen = connect(
            application, codec=codec, subprotocols=[f"aaah.{each}" for each in offered]
        )
        if codec is None:
            with pytest.raises(Refused):
                await chosen.__aenter__()
            continue
        async with chosen as client:
            assert client.subprotocol == (f"aaah.{codec}" if offered else None)
            assert (await client.call("search", word="mm"))["data"] == ["Emma"]
            await client.send({"action": "search", "word": "mm"})
            assert isinstance(await client.receive_frame(), bytes) is (
                "binary" in speaks or codec == "msgpack"
            )


def install(folder, name, version, entry_points, requires=()):
    """Write the metadata of a distribution, as an installer would."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    points = [f"{key} = {value}" for key, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[aaah]", *points, ""]))


async def test_the_plugin_is_found_and_sees_every_outcome(project, settings, tmp_path, caplog):
    name, version, requires = (
        PROJECT["project"][key] for key in ("name", "version", "dependencies")
    )
    install(tmp_path, name, version, PROJECT["project"]["entry-points"]["aaah"], requires)
    settings.AAAH = {}  # the plugins are found anew
    caplog.set_level("INFO", "audit")
    async with connect(project["library.consumers"].Library.as_asgi()) as client:
        await client.call("search", word="mm")
        await client.call("retrieve", route="books/3/")
        await client.call("unknown")
    seen = [record.getMessage() for record in caplog.records if record.name == "audit"]
    assert seen == ["search: 200", "retrieve: 404", "unknown: 405"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (None, "names 'faulty', and no such plugin is installed"),
        ("1 / 0", "ZeroDivisionError"),
        (FILES["aaah_audit/plugin.py"].replace("aaah_middle", "aaah_midle"), "aaah_middleware"),
    ],
    ids=["not installed", "does not load", "misspells a hook"],
)
async def test_a_plugin_with_a_fault_stops_the_start_and_is_listed(
    project, settings, tmp_path, monkeypatch, code, says
):
    if code is not None:
        (tmp_path / "faulty.py").write_text(code)
        install(tmp_path, "faulty", "1.0", {"faulty": "faulty"})
    settings.AAAH = {"PLUGINS": [..., "faulty"]}
    with pytest.raises(PluginError, match=says):
        project["library.consumers"].Library.as_asgi()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AAAH_PLUGINS", "...,faulty")
    states = {each["name"]: each["state"] for each in json.loads(await run("aaah plugins --json"))}
    assert states.pop("faulty", None) == ("broken" if code else None)
    assert set(states.values()) == {"loaded"}
    sys.modules.pop("faulty", None)


def test_the_two_commands_are_there():
    demo, tests = _blocks("sh")[1:]
    assert demo == "pip install uv && uv run aaah-demo\n"
    assert tests == "pip install uv && uv run --group test pytest\n"
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {"dev", "test"} <= set(workspace["dependency-groups"])
    assert "aaah-demo" in workspace["dependency-groups"]["dev"]
    assert workspace["project"]["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in README
    commands = importlib_metadata.entry_points(group="console_scripts")
    assert callable(commands["aaah-demo"].load())
