"""The command `aaah call --trace`."""

from __future__ import annotations

import functools
import io
import json
import re
from contextlib import asynccontextmanager

import pytest
from django.core.management import CommandError, call_command

from aaah_async_action.decorators import async_action
from aaah_core import AllowAny, AsyncAPIConsumer, Call, IsAuthenticated, Match, Reply, hookimpl
from aaah_core import registry as registries
from aaah_core.cli import trace
from aaah_core.registry import current
from tests.desk import HERE, ChildHandler, Desk, aaah, uncounted

__all__ = ["uncounted"]  # a fixture


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
    status, out, err = aaah("call", f"{__name__}:Whale", "fall", "--trace")
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
    _, out, err = aaah("call", f"{__name__}:Whale", "rename", "--route", "async", "--trace")
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
        aaah("call", f"{__name__}:Listed", "echo", "--trace", "--timeout", timeout)
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
