"""A look that hangs or fails, and who comes in while somebody leaves."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import user_logged_out
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError
from django.test import RequestFactory

from aaah_core import BasePermission, accounts, identity, looks, signals
from aaah_core import people as people_module
from aaah_core.care import Care
from aaah_core.testing import connect
from tests.calls import until
from tests.conftest import consumer
from tests.person import (
    Person,
    anna,
    code_of_end,
    deactivate,
    deactivate_quietly,
    layer,
    never,
    often,
    served,
)
from tests.test_credentials import NOBODYS_ROW, Pass, showing

__all__ = ["anna", "layer", "never", "often"]  # fixtures

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.django_db(transaction=True)]

#: What a database may say, if somebody chose it.
FORGED = "away\n2026 CRITICAL root: all is lost\x1b[2J" + "x" * 5000


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(people_module, "SOON", 0.05)
    monkeypatch.setattr(looks, "AGAIN", 0.01)


def first(monkeypatch, stand_in):
    """Let something stand in for the first look at the database."""
    left = [stand_in]
    monkeypatch.setattr(
        looks, "look", lambda people: left.pop()(people) if left else accounts.look(people)
    )


@pytest.fixture
def hanging(monkeypatch):
    """Let the first look hang until the test is over; returns what tells that it does."""
    hangs, free, ended = threading.Event(), threading.Event(), threading.Event()

    def hang(people):
        hangs.set()
        free.wait()
        ended.set()
        return accounts.look(people)

    first(monkeypatch, hang)
    yield hangs
    free.set()
    assert not hangs.is_set() or ended.wait(5)


def is_plain(text):
    assert "\n2026 CRITICAL" not in text
    assert "\x1b" not in text
    assert "x" * 1000 not in text
    return True


@pytest.mark.parametrize("signal", [True, False])
async def test_a_look_that_hangs_is_given_up_and_the_next_one_sees(
    signal, anna, soon, hanging, monkeypatch, settings, caplog
):
    monkeypatch.setattr(looks, "LONGEST", 0.05)
    settings.AAAH = {"IDENTITY_INTERVAL": None if signal else 0.05}
    async with anna.connect(served()) as client:
        if not signal:
            await until(hanging.is_set)
        await sync_to_async(deactivate if signal else deactivate_quietly)(anna)
        assert await code_of_end(client) == 4401
    assert "no answer within 0.05 s" in caplog.text
    assert [each.levelname for each in caplog.records if each.name == "aaah.identity"]


async def test_no_more_looks_hang_at_once_than_may(anna, soon, often, monkeypatch, caplog):
    free, hung = threading.Event(), []

    def hang(people):
        hung.append(threading.current_thread())
        free.wait()
        return accounts.look(people)

    monkeypatch.setattr(looks, "LONGEST", 0.01)
    monkeypatch.setattr(looks, "MOST", 2)
    monkeypatch.setattr(looks, "look", hang)
    async with anna.connect(served()) as client:
        await until(lambda: "looks before this one still wait" in caplog.text)
        assert len(hung) == 2
        monkeypatch.setattr(looks, "LONGEST", 5)
        free.set()
        await sync_to_async(deactivate_quietly)(anna)
        assert await code_of_end(client) == 4401
    for thread in hung:
        thread.join(5)


async def test_a_look_that_fails_after_a_signal_is_tried_again_though_none_is_due(
    anna, never, soon, monkeypatch, caplog
):
    def fail(people):
        raise DatabaseError(FORGED)

    monkeypatch.setattr(people_module, "SOON", 60)
    async with anna.connect(served()) as client:
        first(monkeypatch, fail)
        await sync_to_async(deactivate)(anna)
        assert await code_of_end(client) == 4401
    assert "could not be looked at" in caplog.text
    assert is_plain(caplog.text)


async def test_a_cache_that_is_away_hides_no_change_of_users(settings, often, monkeypatch, caplog):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    dora = await sync_to_async(Person)("dora")

    def away(*args, **kwargs):
        raise ConnectionError(FORGED)

    async with dora.connect(served()) as client:
        with monkeypatch.context() as broken:
            for name in ("get", "has_key", "__contains__"):
                broken.setattr(type(cache._connections[cache._alias]), name, away)
            await sync_to_async(deactivate_quietly)(dora)
            assert await code_of_end(client) == 4401
    assert is_plain(caplog.text)


def tell_of_logout(person):
    """Do the first half of a logout of Django's; return what does the other."""
    request = RequestFactory().get("/")
    request.session, request.user = person.browser.session, person.user
    user_logged_out.send(sender=User, request=request, user=person.user)
    return request.session.flush


@pytest.mark.parametrize("others", [True, False], ids=["with-others", "alone"])
async def test_who_comes_in_between_a_logout_and_the_end_of_the_session_is_closed(
    others, anna, never, soon
):
    async def come_in_between():
        flush = await sync_to_async(tell_of_logout)(anna)
        async with anna.connect(served()) as client:
            assert (await client.call("who"))["data"] == "anna"
            await sync_to_async(flush)()
            assert await code_of_end(client) == 4401

    if others:
        bert = await sync_to_async(Person)("bert")
        async with bert.connect(served()) as other:
            await asyncio.sleep(0.1)  # what is looked at as the first comes is over
            await come_in_between()
            assert (await other.call("who"))["data"] == "bert"
    else:
        await come_in_between()


async def test_a_check_that_hangs_keeps_nobody_else_from_being_looked_at(anna, often, monkeypatch):
    monkeypatch.setattr(identity, "PATIENCE", 0.01)
    asked = []

    class Hangs(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            asked.append(handler)
            if len(asked) > 1:
                await asyncio.Event().wait()
            return True

    bert = await sync_to_async(Person)("bert")
    slow = consumer(permission_classes=(Hangs,))
    async with anna.connect(served(slow)), bert.connect(served()) as client:
        await User.objects.filter(pk=anna.user.pk).aupdate(is_staff=True)
        await until(lambda: len(asked) == 2)
        await sync_to_async(deactivate_quietly)(bert)
        assert await code_of_end(client) == 4401


@pytest.mark.parametrize("given_up", [True, False])
async def test_a_kind_of_credentials_that_hangs_keeps_nobody_from_being_looked_at(
    given_up, anna, often, monkeypatch, caplog
):
    asked, free, ended = threading.Event(), threading.Event(), threading.Event()

    class Slow(Pass):
        @classmethod
        def ended(cls, credentials):
            asked.set()
            free.wait()
            ended.set()
            return {}

    if given_up:
        monkeypatch.setattr(looks, "LONGEST_OF_CREDENTIALS", 0.05)
    monkeypatch.setattr(looks, "MOST", 1)
    async with (
        connect(showing(Slow("a")), user=NOBODYS_ROW) as slow,
        connect(showing(Pass("b")), user=NOBODYS_ROW) as client,
        anna.connect(served()) as other,
    ):
        await until(asked.is_set)
        if given_up:
            await until(lambda: "Slow could not say which hold" in caplog.text)
        await sync_to_async(deactivate_quietly)(anna)
        assert await code_of_end(other) == 4401
        monkeypatch.setattr(Pass, "revoked", {"b"})
        assert await code_of_end(client) == 4401
        assert (await slow.call("hello"))["data"] == "hello"
        free.set()
        assert await asyncio.to_thread(ended.wait, 5)


async def test_however_often_a_look_is_asked_for_that_fails_it_is_tried_again_once(monkeypatch):
    async def fail(due):
        raise DatabaseError("away")

    looking, later = looks.Round(fail), []
    with monkeypatch.context() as patched:
        loop = asyncio.get_running_loop()
        patched.setattr(loop, "call_later", lambda *what, **kwargs: later.append(what) or what)
        for _ in range(5):
            looking.ask({"anna"})
            await asyncio.wait([looking.task])
        [(seconds, try_again)] = later
        try_again()
        await asyncio.wait([looking.task])
    assert (seconds, len(later)) == (looks.AGAIN, 2)


async def test_a_look_is_at_some_at_a_time_so_that_a_crowd_takes_none_too_long(monkeypatch):
    monkeypatch.setattr(looks, "AT_ONCE", 3)
    seen, everybody = [], {str(number) for number in range(8)}

    async def look(due):
        seen.append(due)
        if len(seen) == 2:
            raise DatabaseError("away")

    looking = looks.Round(look)
    for _ in range(2):
        looking.ask(everybody if not seen else ())
        await asyncio.wait([looking.task])
    assert [len(each) for each in seen] == [3, 3, 3, 2]
    assert seen[0] | seen[2] | seen[3] == everybody  # those of the look that failed are seen again


@pytest.mark.usefixtures("never")
async def test_nothing_is_kept_of_who_has_left():
    async with (
        connect(showing(Pass("a")), user=NOBODYS_ROW),
        connect(showing(Pass("b")), user=NOBODYS_ROW) as left,
    ):
        people = people_module.people_of(asyncio.get_running_loop())
        people._ask_to_look(people._connections, rights=True)
        await left.close()
        assert people._suspects <= people._connections.keys()


@pytest.mark.usefixtures("often")
async def test_what_a_kind_of_credentials_raises_forges_no_line(monkeypatch, caplog):
    def fail(credentials):
        raise RuntimeError(FORGED)

    monkeypatch.setattr(Pass, "ended", fail)
    async with connect(showing(Pass("a")), user=NOBODYS_ROW):
        await until(lambda: "Pass could not say which hold" in caplog.text)
    assert is_plain(caplog.text)


async def test_what_a_layer_raises_forges_no_line(caplog):
    class Layer:
        async def group_send(self, group, message):
            raise ConnectionError(FORGED)

    await signals._send(Layer(), {})
    people_module._deaf(ConnectionError(FORGED))
    care = Care.__new__(Care)
    care.lost, care._look_in, care._delay = False, lambda delay: None, lambda: 1
    care.trouble(ConnectionError(FORGED))
    assert len(caplog.records) == 3
    assert is_plain(caplog.text)
