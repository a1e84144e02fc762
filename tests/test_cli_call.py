"""The command `aaah call`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError

from aaah_core import AsyncAPIConsumer, hookimpl
from aaah_core.testing import registry
from aaah_demo.server import serve
from tests.desk import Closed, Desk, aaah, shell


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
