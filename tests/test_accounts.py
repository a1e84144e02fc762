"""What ends a session, and where it is looked for: by signals, and by looks at the database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client as Browser
from django.utils import timezone

from aaah_core import accounts
from aaah_core.people import people_of
from aaah_core.testing import connect
from tests.person import (
    Chat,
    Person,
    anna,
    bert,
    code_of_end,
    deactivate,
    deactivate_quietly,
    delete,
    layer,
    log_out,
    looks,
    never,
    often,
    served,
)

__all__ = ["anna", "bert", "layer", "never", "often"]  # fixtures

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.django_db(transaction=True)]


def change_password(person):
    person.user.set_password("another")
    person.user.save()


def save_password_alone(person):
    person.user.set_password("another")
    person.user.save(update_fields=["password"])


@pytest.mark.parametrize(
    "end",
    [log_out, deactivate, delete, change_password, save_password_alone],
    ids=lambda f: f.__name__,
)
async def test_whose_session_ends_is_closed_with_4401_at_once(end, anna, bert, never):
    async with bert.connect(served()) as other, anna.connect(served()) as client:
        assert (await client.call("who"))["data"] == "anna"
        await sync_to_async(end)(anna)
        assert await code_of_end(client) == 4401
        assert (await other.call("who"))["data"] == "bert"
    assert not channel_layers["default"].groups


def delete_session(person):
    Session.objects.filter(session_key=person.browser.session.session_key).delete()


def let_session_expire(person):
    session = Session.objects.filter(session_key=person.browser.session.session_key)
    session.update(expire_date=timezone.now() - timedelta(seconds=1))


def delete_quietly(person):
    User.objects.filter(pk=person.user.pk)._raw_delete("default")


def change_password_quietly(person):
    person.user.set_password("another")
    User.objects.filter(pk=person.user.pk).update(password=person.user.password)


QUIET = [
    delete_session,
    let_session_expire,
    deactivate_quietly,
    delete_quietly,
    change_password_quietly,
]


@pytest.mark.parametrize("end", QUIET, ids=lambda f: f.__name__)
async def test_what_no_signal_tells_is_seen_by_the_next_look(end, anna, bert, often):
    async with bert.connect(served()) as other, anna.connect(served()) as client:
        await sync_to_async(end)(anna)
        assert await code_of_end(client) == 4401
        assert (await other.call("who"))["data"] == "bert"


async def test_who_logs_out_of_one_session_stays_in_the_other(anna, never):
    second = Browser()
    await sync_to_async(second.force_login)(anna.user)
    cookie = second.cookies[django_settings.SESSION_COOKIE_NAME].value
    headers = {"Cookie": f"{django_settings.SESSION_COOKIE_NAME}={cookie}"}
    async with connect(served(), headers=headers) as other, anna.connect(served()) as client:
        await sync_to_async(anna.browser.logout)()
        assert await code_of_end(client) == 4401
        assert (await other.call("who"))["data"] == "anna"


@pytest.mark.parametrize("engine", ["cache", "cached_db", "file", "signed_cookies"])
@pytest.mark.parametrize("signal", [True, False])
async def test_every_session_of_djangos_is_looked_at(engine, signal, settings, tmp_path):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    settings.AAAH = {"IDENTITY_INTERVAL": None if signal else 0.05}
    await sync_to_async(cache.clear)()
    anna, bert = await sync_to_async(Person)("anna"), await sync_to_async(Person)("bert")
    async with bert.connect(served()) as other, anna.connect(served()) as client:
        assert (await client.call("who"))["data"] == "anna"
        key = anna.browser.session.session_key
        if signal:
            await sync_to_async(anna.browser.logout)()
        elif engine == "signed_cookies":  # nothing is kept of it that could be deleted
            settings.SESSION_COOKIE_AGE = -1
            assert await code_of_end(other) == 4401
        else:
            await sync_to_async(anna.browser.session.delete)(key)
        assert await code_of_end(client) == 4401
        if engine != "signed_cookies" or signal:
            assert (await other.call("who"))["data"] == "bert"


async def test_a_cache_that_is_away_ends_nobodys_session(
    settings, anna, often, monkeypatch, caplog
):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    anna = await sync_to_async(Person)("carla")
    async with anna.connect(served()) as client:
        looked = looks(monkeypatch)

        def away(*args, **kwargs):
            raise ConnectionError("the cache is away")

        with monkeypatch.context() as broken:
            for name in ("get", "has_key", "__contains__"):
                broken.setattr(type(cache._connections[cache._alias]), name, away)
            await looked(2)
        assert (await client.call("who"))["data"] == "carla"
        await looked(2)
        assert "backends.cache.SessionStore answers, a logout elsewhere ends no" in caplog.text
        assert (await client.call("who"))["data"] == "carla"


async def test_a_session_signed_with_a_secret_that_was_replaced_is_good(settings, anna, often):
    row = User.objects.filter(pk=anna.user.pk)
    async with anna.connect(served()) as client:
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another"
        await row.aupdate(username="one")
        while (await client.call("who"))["data"] != "one":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        settings.SECRET_KEY_FALLBACKS = []
        await row.aupdate(username="two")
        assert await code_of_end(client) == 4401


@pytest.mark.parametrize(
    ("end", "is_closed"),
    [
        (deactivate_quietly, True),
        (delete_quietly, True),
        (change_password_quietly, True),
        (delete_session, False),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_of_a_user_whom_no_session_brought_the_row_is_looked_at(
    end, is_closed, anna, often, monkeypatch
):
    user = await User.objects.aget(pk=anna.user.pk)
    async with connect(Chat.as_asgi(), user=user) as client:
        looked = looks(monkeypatch)
        await sync_to_async(end)(anna)
        if is_closed:
            assert await code_of_end(client) == 4401
        else:
            await looked(2)
            assert (await client.call("who"))["data"] == "anna"


@pytest.mark.parametrize(
    "user",
    [AnonymousUser(), None, SimpleNamespace(pk=1, username="x"), User(pk=77, username="unsaved")],
    ids=["anonymous", "none", "object", "unsaved"],
)
async def test_who_is_in_no_database_is_not_looked_at(user, often):
    async with connect(Chat.as_asgi(), user=user):
        assert people_of(asyncio.get_running_loop()) is None


async def test_a_user_of_another_database_is_looked_for_there(anna, often, monkeypatch):
    user = await User.objects.aget(pk=anna.user.pk)
    user._state.db = "other"
    asked = []

    def from_other(ask):
        def asking(model, alias, keys):
            asked.append(alias)
            return ask(model, "default", keys)

        return asking

    for name in ("_rows", "_rights"):
        monkeypatch.setattr(accounts, name, from_other(getattr(accounts, name)))
    async with connect(Chat.as_asgi(), user=user) as client:
        await sync_to_async(deactivate_quietly)(anna)
        assert await code_of_end(client) == 4401
    assert set(asked) == {"other"}
