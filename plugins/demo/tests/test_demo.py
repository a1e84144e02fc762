"""The command `aaah-demo`."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve as serve_websockets

from aaah_demo.scenes import SCENES
from aaah_demo.server import serve
from aaah_demo.show import show

DEMO = str(Path(sys.executable).with_name("aaah-demo"))
TITLES = [scene.title for scene in SCENES]
PAGE_REPLY = {
    "errors": [],
    "action": "your_custom_action",
    "data": {"message": "your_custom_action will be handled", "model_id": 5},
    "route": "test_child_route/5/",
    "status": 200,
}


def environment(**variables):
    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DJANGO_SETTINGS_MODULE", "UV") and not name.startswith("AAAH_")
    }
    return {**bare, "PYTHONIOENCODING": "utf-8", **variables}


def once(*arguments, **variables):
    return subprocess.run(
        [DEMO, "--once", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment(**variables),
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("temporary")
    finished = once(TMPDIR=str(folder))
    finished.left_behind = list(folder.iterdir())
    return finished


def scene(finished, number):
    """Return the lines that one scene printed."""
    following = [*TITLES[number + 1 :], "All 6 replies"][0]
    return finished.stdout.partition(f"\n{TITLES[number]}\n")[2].partition(f"\n{following}")[0]


def frames(finished, number):
    sent, received = scene(finished, number).splitlines()[:2]
    assert sent.startswith("  → ")
    assert received.startswith("  ← ")
    return sent[4:], received[4:]


def test_the_demo_ends_well(finished):
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "All 6 replies are as they must be." in finished.stdout
    assert finished.stdout.count("✓") == 6
    assert "✗" not in finished.stdout


def test_the_demo_leaves_nothing_behind(finished):
    assert finished.left_behind == []


def test_the_demo_shows_the_plugins(finished):
    rows = {line.split()[0]: line.split()[1:4] for line in finished.stdout.splitlines() if line}
    assert rows["msgpack"] == ["aaah-msgpack", "0.1.0", "loaded"]
    assert rows["async_action"] == ["aaah-async-action", "0.1.0", "loaded"]
    assert rows["wire"] == ["aaah-core", "0.1.0", "loaded"]


def test_the_demo_shows_the_pages_exchange_in_json(finished):
    sent, received = frames(finished, 0)
    assert json.loads(sent) == {"action": "your_custom_action", "route": "test_child_route/5/"}
    assert json.loads(received) == PAGE_REPLY


def test_the_demo_shows_the_bytes_of_the_same_in_messagepack(finished):
    sent, received = (frame.partition(" bytes ") for frame in frames(finished, 1))
    sent_bytes, received_bytes = ast.literal_eval(sent[2]), ast.literal_eval(received[2])
    assert (int(sent[0]), int(received[0])) == (len(sent_bytes), len(received_bytes))
    assert msgpack.unpackb(sent_bytes) == {
        "action": "your_custom_action",
        "route": "test_child_route/5/",
    }
    assert msgpack.unpackb(received_bytes) == PAGE_REPLY


@pytest.mark.parametrize(("number", "status"), [(2, 403), (3, 404), (4, 400), (5, 200)])
def test_the_demo_shows_refusals_and_that_the_connection_lives_on(finished, number, status):
    _, received = frames(finished, number)
    assert json.loads(received)["status"] == status


def test_the_demo_is_plain_where_nobody_looks(finished):
    assert "\x1b" not in finished.stdout


def test_the_page_is_what_the_first_two_scenes_hold_the_server_to():
    assert [(each.codec, each.reply) for each in SCENES[:2]] == [
        ("json", PAGE_REPLY),
        ("msgpack", PAGE_REPLY),
    ]


@contextmanager
def scripted(replies):
    """Serve the replies as they are, one for each scene, whatever is asked."""
    left = {
        codec: [reply for reply, each in zip(replies, SCENES, strict=True) if each.codec == codec]
        for codec in ("json", "msgpack")
    }

    def answer(connection):
        codec = connection.subprotocol.removeprefix("aaah.")
        for _, reply in zip(connection, left[codec], strict=False):
            if reply is None:
                return
            connection.send(msgpack.packb(reply) if codec == "msgpack" else json.dumps(reply))

    subprotocols = ["aaah.json", "aaah.msgpack"]
    with serve_websockets(answer, "127.0.0.1", 0, subprotocols=subprotocols) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"


RIGHT = [each.reply for each in SCENES]


def test_a_server_that_answers_as_it_must_passes(capsys):
    with scripted(RIGHT) as url:
        assert show(url) == []
    assert capsys.readouterr().out.count("✓") == len(SCENES)


@pytest.mark.parametrize("number", range(len(SCENES)))
@pytest.mark.parametrize("change", [{"status": 201}, {"more": 1}, {"data": {"model_id": 5.0}}])
def test_each_reply_that_differs_is_named(capsys, number, change):
    replies = list(RIGHT)
    replies[number] = {**RIGHT[number], **change}
    with scripted(replies) as url:
        assert show(url) == [TITLES[number]]
    assert capsys.readouterr().out.count("✗ it must be") == 1


def test_a_number_that_is_equal_and_of_another_type_differs():
    wrong = {**PAGE_REPLY, "data": {**PAGE_REPLY["data"], "model_id": 5.0}}
    assert wrong == PAGE_REPLY
    with scripted([wrong, wrong, *RIGHT[2:]]) as url:
        assert show(url) == TITLES[:2]


def test_a_connection_that_ends_is_a_reply_that_differs():
    with scripted([*RIGHT[:4], None, None]) as url:
        assert show(url) == TITLES[4:]


def test_a_disabled_plugin_stops_the_demo_with_a_sentence():
    finished = once(AAAH_DISABLED_PLUGINS="msgpack")
    assert finished.returncode == 1
    assert "names the codec 'msgpack'" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "disabled" in finished.stdout


def test_a_port_that_is_taken_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finished = once("--port", str(taken.getsockname()[1]))
    assert finished.returncode == 1
    assert finished.stderr.startswith("aaah-demo: ")
    assert "Address already in use" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_server_ends_with_its_block():
    async def accept(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["code"] == 1012

    with serve(accept, 0) as url:
        connection = connect(url, proxy=None).__enter__()
    with pytest.raises(ConnectionClosed):
        connection.recv()
    with pytest.raises(ConnectionRefusedError):
        connect(url, proxy=None).__enter__()


@pytest.fixture
def staying(tmp_path):
    """A demo that stays up, and what it printed."""
    process = subprocess.Popen(
        [DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(TMPDIR=str(tmp_path)),
        # Who runs in the background of a shell is born deaf to it, and so are its children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - that one is safe
    )
    printed = ""
    for line in process.stdout:
        printed += line
        if "ws.recv" in line:
            break
    yield process, printed
    process.kill()
    process.communicate()


def hints(printed):
    return [line.strip() for line in printed.partition("until Ctrl-C")[2].splitlines() if line]


def test_the_demo_stays_and_what_it_prints_can_be_typed(staying):
    _, printed = staying
    commands = [line for line in hints(printed) if line.startswith("aaah ")]
    assert len(commands) == 3
    for command in commands:
        arguments = command.split()[1:]
        program = str(Path(sys.executable).with_name("aaah"))
        finished = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=True, env=environment()
        )
        if arguments[0] == "call":
            assert json.loads(finished.stdout) == {**PAGE_REPLY, "request_id": 1}
    python = "\n".join(hints(printed)[-2:])
    finished = subprocess.run(
        [sys.executable, "-c", python], capture_output=True, text=True, check=True
    )
    assert len(json.loads(finished.stdout)["data"]) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_quietly_also_with_a_client_connected(staying, tmp_path, number):
    process, printed = staying
    url = hints(printed)[1].split()[2]
    with connect(url, proxy=None):
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err, out.strip()) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
