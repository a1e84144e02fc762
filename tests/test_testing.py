"""The tools for tests: a client in memory, a registry of one's own, and the pytest plugin."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings

from aaah_core import (
    AsyncAPIConsumer,
    Codec,
    OfferedTwice,
    PluginError,
    Unpublished,
    apublish,
    conf,
    plugin_settings,
    run_sync,
)
from aaah_core.defaults import json
from aaah_core.defaults.json import JSONCodec
from aaah_core.registry import current
from aaah_core.testing import (
    Client,
    Conversation,
    Refused,
    connect,
    dropped_layer,
    live_server,
    registered,
    registry,
)
from aaah_core.testing.pytest_plugin import pytest_pyfunc_call
from tests.conftest import action, collector, consumer, plugin, python

pytestmark = pytest.mark.usefixtures("core")


@action
async def scope(self):
    found = {key: self.scope.get(key) for key in ("path", "subprotocols", "user")}
    found["query"] = self.scope["query_string"].decode()
    found["headers"] = [
        [key.decode(), value.decode("latin-1")] for key, value in self.scope["headers"]
    ]
    return found


@action
async def echo(self, text=None):
    return text, 200


@action
async def data(self):
    return repr(self.call.data)


@action
async def leave(self):
    await self.close(4321)


@action
async def tell(self):
    await self.send_json({"event": "first", "data": 1, "status": 200})
    await self.send_json({"event": "second", "data": 2, "status": 200})
    return "told"


class Chat(AsyncAPIConsumer):
    scope_of = action(scope, name="scope_of")
    echo = echo
    leave = leave
    tell = tell
    data = data


# Connecting.


async def test_a_client_comes_with_the_path_headers_and_user_it_is_given():
    headers = {"Origin": "https://example.com", "X-Name": "Zoë"}
    async with connect(Chat.as_asgi(), "/chat/?a=1&b=?", user="me", headers=headers) as client:
        assert isinstance(client, Client)
        assert (await client.call("scope_of"))["data"] == {
            "path": "/chat/",
            "query": "a=1&b=?",
            "user": "me",
            "subprotocols": [],
            "headers": [["origin", "https://example.com"], ["x-name", "Zoë"]],
        }


async def test_without_a_user_the_scope_has_none():
    seen = []

    async def connect_(self):
        seen.append("user" in self.scope)
        await self.accept()

    for options in ({}, {"user": None}):
        async with connect(consumer(connect=connect_).as_asgi(), **options):
            pass
    assert seen == [False, True]


class Reversed(Codec):
    """A codec that nobody would read by accident."""

    name = "reversed"
    frame = "bytes"

    def encode(self, payload):
        return JSONCodec().encode(payload).encode()[::-1]

    def decode(self, frame, limits):
        return JSONCodec().decode(frame[::-1], limits)


async def test_a_client_asks_for_a_codec_by_name_or_as_an_object():
    with registry(collector(), plugin(aaah_codecs=lambda: [Reversed()])):
        chat = consumer(echo, codecs=["json", "reversed"]).as_asgi()
        for codec in ("reversed", Reversed()):
            async with connect(chat, codec=codec) as client:
                assert client.subprotocol == "aaah.reversed"
                assert (await client.call("echo", text="hi"))["data"] == "hi"
        async with connect(chat) as client:
            assert client.subprotocol is None
            assert (await client.call("echo", text="hi"))["data"] == "hi"


@pytest.mark.parametrize("codecs", [[Reversed(), "json"], Reversed(), "reversed", ["reversed"]])
async def test_without_a_codec_a_client_speaks_the_default_of_the_consumer(codecs):
    with registry(collector(), plugin(aaah_codecs=lambda: [Reversed()])):
        async with connect(consumer(echo, codecs=codecs).as_asgi()) as client:
            assert client.subprotocol is None
            await client.send({"action": "echo", "text": "hi"})
            assert isinstance(await client.receive_frame(), bytes)
            assert (await client.call("echo", text="hi"))["data"] == "hi"


async def test_of_a_wrapped_consumer_the_default_is_that_of_the_settings():
    def wrapped(application):
        async def wrapper(scope, receive, send):
            await application({**scope, "user": "wrapped"}, receive, send)

        return wrapper

    with (
        override_settings(AAAH={"CODECS": ["reversed", "json"]}),
        registry(collector(), plugin(aaah_codecs=lambda: [Reversed()])),
    ):
        async with connect(wrapped(Chat.as_asgi())) as client:
            assert (await client.call("scope_of"))["data"]["user"] == "wrapped"


async def test_an_unknown_codec_is_a_lookup_error():
    with pytest.raises(LookupError, match="'nobodys'"):
        async with connect(Chat.as_asgi(), codec="nobodys"):
            pass


async def test_a_client_may_offer_other_subprotocols_than_its_codec():
    async with connect(Chat.as_asgi(), subprotocols=["chat", "aaah.json"]) as client:
        assert client.subprotocol == "aaah.json"
        offered = (await client.call("scope_of"))["data"]["subprotocols"]
        assert offered == ["chat", "aaah.json"]


async def test_a_connection_that_is_refused_raises_its_code():
    async def refuse(self):
        await self.close(4321)

    with pytest.raises(Refused, match="closed with 4321") as refused:
        async with connect(consumer(connect=refuse).as_asgi()):
            raise AssertionError
    assert refused.value.code == 4321


# Calling.


async def test_a_call_sends_only_what_it_is_given():
    async with connect(Chat.as_asgi()) as client:
        assert (await client.call("data"))["data"] == "MISSING"
        assert (await client.call("data", data=None))["data"] == "None"
        reply = await client.call("data", "?x", {"a": 1}, request_id=7)
        assert (reply["data"], reply["route"], reply["request_id"]) == ("{'a': 1}", "?x", 7)


async def test_events_that_come_before_a_reply_are_kept_in_order():
    async with connect(Chat.as_asgi()) as client:
        assert (await client.call("tell"))["data"] == "told"
        assert (await client.call("echo", text="later"))["data"] == "later"
        assert [(await client.receive())["event"] for _ in range(2)] == ["first", "second"]
        await client.send({"action": "echo", "text": "sent"})
        assert (await client.receive())["data"] == "sent"


async def test_a_frame_goes_out_as_it_is():
    async with connect(Chat.as_asgi()) as client:
        for frame, status in (('{"action": "echo"}', 200), ("{", 400), (b"{}", 415)):
            await client.send_frame(frame)
            assert (await client.receive())["status"] == status


async def test_a_connection_that_is_closed_during_a_call_raises_its_code():
    async with connect(Chat.as_asgi()) as client:
        assert client.closed is None
        with pytest.raises(Refused) as refused:
            await client.call("leave")
        assert refused.value.code == client.closed == 4321


async def test_what_does_not_come_in_time_is_a_timeout():
    async with connect(Chat.as_asgi(), timeout=0.1) as client:
        for _ in range(2):  # the first has ended the application, which must not end the test
            with pytest.raises(TimeoutError):
                await client.receive()


# Leaving.


async def test_a_client_that_leaves_waits_for_the_clean_up_and_leaves_once():
    codes = []

    async def disconnect(self, code):
        codes.append(code)

    chat = consumer(disconnect=disconnect).as_asgi()
    async with connect(chat) as client:
        await client.close(4001)
        assert codes == [4001]
        await client.close()
    async with connect(chat):
        pass
    with pytest.raises(LookupError):
        async with connect(chat):
            raise LookupError
    assert codes == [4001, 1000, 1000]


# A registry.


def test_a_registry_has_the_cores_own_plugins_and_those_it_is_given():
    class Named:
        pass

    module = plugin(aaah_codecs=lambda: [Reversed()])
    before = current()
    with registry(module, Named(), Named) as isolated:
        assert current() is isolated
        assert isolated.problems() == []
        loaded = {name for name, each in isolated.plugins.items() if each.state == "loaded"}
        assert {"json", "routes", "permissions", "wire", module.__name__, "Named"} <= loaded
        assert len([name for name in loaded if name.startswith("Named")]) == 2
        with registry() as inner:
            assert current() is inner
            assert module.__name__ not in inner.plugins
        assert current() is isolated
    assert current() is before


def test_a_registry_ends_with_its_block_whatever_happens():
    before = current()
    with pytest.raises(LookupError), registry():
        raise LookupError
    assert current() is before


def test_a_name_that_is_not_installed_is_a_problem_of_the_registry():
    with registry("nobodys") as isolated:
        (problem,) = isolated.problems()
    assert "'nobodys'" in problem


def test_registered_adds_to_what_is_installed():
    module = plugin(aaah_codecs=lambda: [Reversed()])
    before = current()
    with registered(module) as whole:
        assert current() is whole
        assert {module.__name__, "msgpack", "drf", "json"} <= set(whole.plugins)
    assert current() is before


@pytest.mark.parametrize("use", [registered, registry])
def test_a_plugin_that_is_not_installed_may_have_a_name_and_so_settings(use, monkeypatch):
    @dataclass
    class Settings:
        PATH: str = ""

    monkeypatch.setattr(conf, "declared", dict(conf.declared))
    settings = plugin_settings("moth", Settings)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": {"PATH": "here"}}}):
        with use(moth=plugin(aaah_codecs=lambda: None)) as built:
            assert built.problems() == []
            assert built.plugins["moth"].hooks == ["aaah_codecs"]
        assert settings.PATH == "here"


@pytest.mark.parametrize("name", ["json", "moth"])
def test_a_plugin_that_is_installed_by_now_is_registered_once(name):
    with registered(**{name: json}) as whole:
        assert whole.plugins["json"].distribution == "aaah-core"
        assert "moth" not in whole.plugins


def test_a_plugin_of_a_test_takes_no_name_of_an_installed_one():
    stand_in = registered(json=plugin(aaah_codecs=lambda: None))
    said = r"an installed plugin has that name.*another_name="
    with pytest.raises(OfferedTwice, match=said), stand_in:
        raise AssertionError


def test_registered_refuses_a_plugin_with_a_fault_at_once():
    misspelt = registered(plugin(aaah_codec=lambda: None))
    with pytest.raises(PluginError, match="aaah_codec, which is no hook"), misspelt:
        raise AssertionError


# A real server.


@pytest.mark.parametrize("codec", [None, "json", "msgpack"])
async def test_a_client_over_a_socket_does_what_one_in_memory_does(codec):
    with registry(collector(), "msgpack"):
        chat = consumer(echo, tell, leave, codecs=["json", "msgpack"])
        async with (
            live_server(chat.as_asgi()) as server,
            server.connect("/chat/?a=1", codec=codec) as client,
        ):
            assert isinstance(client, Conversation)
            assert client.subprotocol == (codec and f"aaah.{codec}")
            assert (await client.call("echo", text="hi"))["data"] == "hi"
            assert (await client.call("tell"))["data"] == "told"
            assert [(await client.receive())["event"] for _ in range(2)] == ["first", "second"]
            with pytest.raises(Refused, match="closed with 4321"):
                await client.call("leave")
            assert client.closed == 4321
            with pytest.raises(Refused, match="closed with 4321"):
                await client.send({})


async def test_a_server_that_refuses_a_client_over_a_socket_says_so_with_a_status():
    async with live_server(Chat.as_asgi()) as server:
        with pytest.raises(Refused) as refused:
            async with server.connect(subprotocols=["aaah.morse"]):
                raise AssertionError
    assert refused.value.code == 403


async def test_headers_arrive_over_a_socket_and_a_timeout_is_one():
    async with (
        live_server(Chat.as_asgi()) as server,
        server.connect(headers={"X-Name": "Zoe"}, timeout=0.1) as client,
    ):
        assert ["x-name", "Zoe"] in (await client.call("scope_of"))["data"]["headers"]
        with pytest.raises(TimeoutError):
            await client.receive()


async def test_without_a_server_a_live_one_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r'pip install "aaah-core\[live\]"'):
        async with live_server(Chat.as_asgi()):
            raise AssertionError


# Accidents.


async def test_a_client_that_reads_nothing_for_too_long_is_given_up(quick):
    gone = asyncio.Event()

    async def disconnect(self, code):
        gone.code = code
        gone.set()

    chat = consumer(echo, disconnect=disconnect, limits={"send_timeout": 0.05})
    async with connect(chat.as_asgi()) as client:
        with client.stalled():
            await client.send({"action": "echo"})
            await asyncio.wait_for(gone.wait(), 5)
            await client.ended()
        with pytest.raises(Refused, match="closed with 1006"):
            await client.receive_frame()
    assert gone.code == 4429


async def test_a_dropped_layer_fails_and_comes_back_as_it_was():
    layer = get_channel_layer()
    before = dict(vars(layer))
    async with connect(consumer(groups=["room"]).as_asgi()) as client:
        with dropped_layer(), pytest.raises(Unpublished) as caught:
            await apublish("room", "news")
        assert "dropped by a test" in str(caught.value.__cause__)
        assert vars(layer).keys() == before.keys()
        await apublish("room", "news")
        told = [(await client.receive())["event"] for _ in range(2)]
        assert set(told) == {"aaah.resync", "news"}


def test_a_layer_that_is_not_there_cannot_be_dropped():
    with pytest.raises(LookupError, match="has no layer 'nobodys'"), dropped_layer("nobodys"):
        raise AssertionError


# The pytest plugin.


@pytest.fixture
def group(db):
    """Make a row in the test's transaction."""
    return Group.objects.create(name="uncommitted")


async def test_the_workers_of_a_test_with_a_database_see_its_transaction(group):
    def look():
        return Group.objects.get().name, connection.in_atomic_block

    assert await run_sync(look) == ("uncommitted", True)


async def test_what_a_worker_writes_is_in_the_transaction_too(group):
    def write(self):
        Group.objects.create(name="written")
        return Group.objects.count()

    async with connect(consumer(action(write)).as_asgi()) as client:
        assert (await client.call("write"))["data"] == 2


@pytest.mark.django_db(transaction=True)
async def test_the_transactions_of_the_two_tests_before_are_gone_and_a_worker_has_its_own():
    def look():
        return Group.objects.count(), connection.in_atomic_block

    assert await run_sync(look) == (0, False)


def test_a_test_without_a_database_is_run_as_it_is():
    wrapper = pytest_pyfunc_call(None)
    next(wrapper)
    with pytest.raises(StopIteration) as stopped:
        wrapper.send("result")
    assert stopped.value.value == "result"


def test_a_project_without_django_runs_its_tests_with_the_plugin_loaded(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it(): assert 'aaah_core.testing.pytest_plugin' in sys.modules"
    )
    said = python(f"""
        import pytest, sys
        plugins = ["-p", "no:cacheprovider", "-p", "no:django", "-p", "no:asyncio"]
        sys.exit(pytest.main([*plugins, "--rootdir", {str(tmp_path)!r}, {str(tmp_path)!r}]))
    """)
    assert "1 passed" in said


@pytest.mark.parametrize("sent", [[], [{"type": "websocket.accept"}]], ids=["first", "accepted"])
async def test_an_application_that_dies_is_told_of_at_once_and_not_after_the_timeout(sent):
    async def dies(scope, receive, send):
        for message in sent:
            await send(message)
        await asyncio.get_running_loop().run_in_executor(None, str)  # after the client waits
        raise ValueError("no database")

    async with asyncio.timeout(10) as waited:
        with pytest.raises(ValueError, match="no database"):
            async with connect(dies, timeout=3600) as client:
                await client.receive()
        assert not waited.expired()
