"""docs/identity.md: its blocks run, and its message is what is sent."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from django.urls import path

from aaah_core import AsyncAPIConsumer, conf
from aaah_core.security import Protected
from aaah_core.testing import Refused, connect

PAGE = (Path(__file__).parents[1] / "docs" / "identity.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PYTHON = [code for kind, code in BLOCKS if kind == "python"]


def run(name, monkeypatch):
    (code,) = (code for code in PYTHON if code.startswith(f"# {name}.py\n"))
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(code, module.__dict__)
    return module


def test_the_settings_are_some(settings):
    given = [code for code in PYTHON if code.startswith("# settings.py")]
    assert len(given) == 2
    for code in given:
        namespace = {}
        exec(code, namespace)
        settings.AAAH = namespace["AAAH"]
        (key,) = settings.AAAH
        assert getattr(conf.current(), key) == settings.AAAH[key]


async def test_who_leaves_in_place_is_told_what_the_page_says(monkeypatch):
    run("consumers", monkeypatch)
    application = run("asgi", monkeypatch).application.application_mapping["websocket"]
    assert isinstance(application, Protected)
    rooms = sys.modules["consumers"].Rooms
    user = SimpleNamespace(pk=1, is_authenticated=True, is_active=True)
    (message,) = (code for kind, code in BLOCKS if kind == "text")
    async with connect(rooms.as_asgi(), user=user) as client:
        assert (await client.call("join", "rooms/tea/"))["status"] == 204
        assert (await client.call("leave"))["status"] == 204
        assert await client.receive() == json.loads(message.removeprefix("←"))
        assert (await client.call("join", "rooms/tea/"))["status"] == 403


async def test_a_ticket_that_is_taken_back_or_expires_ends_the_connection(monkeypatch, settings):
    settings.AAAH = {"IDENTITY_INTERVAL": 0.05}
    tickets = run("tickets", monkeypatch)
    for ticket, back in ((tickets.Ticket(1, 2**40), {1}), (tickets.Ticket(2, 0), set())):

        async def application(scope, receive, send, ticket=ticket):
            scope = {**scope, "aaah.credential": ticket}
            await AsyncAPIConsumer.as_asgi()(scope, receive, send)

        async with connect(application, user=SimpleNamespace(pk=1)) as client:
            tickets.BACK |= back
            with pytest.raises(Refused) as refused:
                await client.receive()
        assert refused.value.code == 4401


@pytest.mark.django_db(transaction=True)
async def test_the_handler_conceals(monkeypatch):
    handler = run("handlers", monkeypatch).GroupHandler
    routes = [path("groups/<int:pk>/", handler.as_aaah())]
    chat = type("Chat", (AsyncAPIConsumer,), {"routepatterns": routes})
    await Group.objects.acreate(pk=1, name="open")
    await Group.objects.acreate(pk=2, name="secret one")
    async with connect(chat.as_asgi()) as client:
        replies = [await client.call("retrieve", f"groups/{pk}/") for pk in (1, 2, 3)]
    assert [each["status"] for each in replies] == [200, 404, 404]
    assert replies[1]["errors"] == replies[2]["errors"]
