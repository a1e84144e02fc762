"""The command `aaah plugins --explain`."""

from __future__ import annotations

import functools
import json

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError

from aaah_core import hookimpl
from aaah_core.testing import connect, registry
from tests.desk import HERE, Desk, aaah, uncounted

__all__ = ["uncounted"]  # a fixture


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
