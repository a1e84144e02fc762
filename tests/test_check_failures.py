"""Checks that raise, or give no bool: each denies, and the log names its plugin and method."""

from __future__ import annotations

import logging

import pytest
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Check,
    PermissionDenied,
)
from aaah_core.testing import Refused, connect, registered
from tests.knowing import Entry, Knows

pytestmark = pytest.mark.parametrize("form", ["async", "plain"])


class Shelf(AsyncAPIActionHandler):
    @async_action
    async def read(self):
        return "open"


class Desk(AsyncAPIConsumer):
    permission_classes = (Entry(),)
    groups = ("desk",)
    routepatterns = [path("shelf/", Shelf.as_aaah())]

    @async_action
    async def read(self):
        return "open"

    @async_action
    async def take(self):
        await self.acheck_object_permissions("book")

    @async_action(mode="broadcast")
    async def told(self, text: str):
        return text


def check(name, ask, form):
    """Return a check whose one method calls a function, which gets its last argument."""

    def plain(self, *arguments):
        return ask(arguments[-1])

    async def awaited(self, *arguments):
        return ask(arguments[-1])

    return type("Mine", (Check,), {name: awaited if form == "async" else plain})()


def fails(argument):
    raise KeyError("key")


def forgets(argument):
    return None


@pytest.mark.parametrize(
    ("moment", "action", "route"),
    [("call", "read", ""), ("call", "read", "shelf/"), ("object", "take", "")],
)
async def test_which_check_of_a_call_raised_is_in_the_log(moment, action, route, form, caplog):
    with registered(Knows(check(moment, fails, form))):
        async with connect(Desk.as_asgi()) as client:
            assert (await client.call(action, route=route))["status"] == 500
    assert caplog.text.count(f"Asked was Mine.{moment} of Plugin") == 1


async def test_which_check_raised_at_connect_is_in_the_log(form, caplog):
    with registered(Knows(check("connect", fails, form))), pytest.raises(Refused):
        async with connect(Desk.as_asgi()):
            raise AssertionError
    assert caplog.text.count("Asked was Mine.connect of Plugin") == 1


async def test_which_check_of_an_event_raised_is_in_the_log(form, caplog):
    def is_shown(event):
        return fails(event) if event.data == "hidden" else True

    with registered(Knows(check("event", is_shown, form))):
        async with connect(Desk.as_asgi()) as client:
            await client.call("told", text="hidden")
            await client.call("told", text="shown")
            assert (await client.receive())["data"] == "shown"
    assert caplog.text.count("Asked was Mine.event of Plugin") == 1


async def test_an_exception_that_is_raised_again_and_again_keeps_one_note(form, caplog):
    error = KeyError("key")

    def fails(argument):
        raise error

    with registered(Knows(check("call", fails, form))):
        async with connect(Desk.as_asgi()) as client:
            for _ in range(3):
                assert (await client.call("read"))["status"] == 500
    assert len(error.__notes__) == 1


async def test_a_refusal_of_an_event_is_no_failure(form, caplog):
    def is_shown(event):
        if event.data == "hidden":
            raise PermissionDenied
        return True

    with registered(Knows(check("event", is_shown, form))):
        async with connect(Desk.as_asgi()) as client:
            await client.call("told", text="hidden")
            await client.call("told", text="shown")
            assert (await client.receive())["data"] == "shown"
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize(("conceals", "status"), [(False, 403), (True, 404)])
async def test_no_bool_about_an_object_denies_it(conceals, status, form, caplog):
    concealing = type("Concealing", (Desk,), {"conceal_objects": conceals})
    with registered(Knows(check("object", forgets, form))):
        async with connect(concealing.as_asgi()) as client:
            assert (await client.call("take"))["status"] == status
    assert "Mine.object of Plugin" in caplog.text


async def test_a_permission_that_forgets_to_return_denies_as_in_rest_framework(form, caplog):
    def has_permission(self, scope, handler, action, **kwargs):
        return True if scope.get("user") else None

    async def awaited(self, scope, handler, action, **kwargs):
        return has_permission(self, scope, handler, action)

    method = awaited if form == "async" else has_permission
    forgets = type("IsKnown", (BasePermission,), {"has_permission": method})

    class Library(Desk):
        permission_classes = (forgets,)

    async with connect(Library.as_asgi()) as client:
        assert (await client.call("read"))["status"] == 403
    async with connect(Library.as_asgi(), user=object()) as client:
        assert (await client.call("read"))["status"] == 200
    assert "IsKnownCheck.call of Plugin 'permissions'" in caplog.text
