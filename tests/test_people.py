"""Who is connected may still be: sessions, users and rights, by signal and without one."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack, login, logout
from channels.layers import InMemoryChannelLayer, channel_layers
from django.conf import settings as django_settings
from django.contrib.auth import logout as log_out_of
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    IsAuthenticated,
    accounts,
    apublish,
    workers,
)
from aaah_core import looks as looks_module
from aaah_core import people as people_module
from aaah_core.databases import close_worker_connections
from aaah_core.looks import Round
from aaah_core.people import GROUP, people_of
from aaah_core.person import name_of
from aaah_core.pool import Pool
from aaah_core.testing import Refused, connect
from tests.conftest import Socket, action, consumer

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def layer():
    layer = InMemoryChannelLayer()
    before = channel_layers["default"]
    channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", before)


@pytest.fixture
def often(settings):
    settings.AAAH = {"IDENTITY_INTERVAL": 0.05}


@pytest.fixture
def never(settings):
    settings.AAAH = {"IDENTITY_INTERVAL": None}


class Person:
    def __init__(self, name):
        self.user = User.objects.create_user(name, password="secret")
        self.browser = Browser()
        self.browser.force_login(self.user)

    @property
    def headers(self):
        name = django_settings.SESSION_COOKIE_NAME
        return {"Cookie": f"{name}={self.browser.cookies[name].value}"}

    def connect(self, application):
        return connect(application, headers=self.headers)


@pytest.fixture
def anna():
    return Person("anna")


@pytest.fixture
def bert():
    return Person("bert")


def permission():
    return Permission.objects.get(codename="view_session")


class MayView(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return scope["user"].has_perm("sessions.view_session")


async def join(self, group):
    consumer = self.consumer
    await consumer.channel_layer.group_add(group, consumer.channel_name)


async def who(self):
    return self.user.username if self.user.is_authenticated else None


join, who = action(join), action(who)


class Viewing(AsyncAPIActionHandler):
    permission_classes = (MayView,)
    join = join


class Mine(AsyncAPIActionHandler):
    permission_classes = (IsAuthenticated,)
    join = join


class Chat(AsyncAPIConsumer):
    who = who
    routepatterns = (path("viewing/", Viewing.as_aaah()), path("mine/", Mine.as_aaah()))


def served(consumer_class=Chat):
    return AuthMiddlewareStack(consumer_class.as_asgi())


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nobody tells of what it waits for
            await asyncio.sleep(0.01)


async def code_of_end(client):
    with pytest.raises(Refused) as refused:
        await client.receive()
    return refused.value.code


def log_out(person):
    person.browser.logout()


def deactivate(person):
    person.user.is_active = False
    person.user.save()


def delete(person):
    person.user.delete()


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


def deactivate_quietly(person):
    User.objects.filter(pk=person.user.pk).update(is_active=False)


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
        assert "nobody knows which sessions ended" in caplog.text
        assert (await client.call("who"))["data"] == "carla"


def looks(monkeypatch):
    """Return what waits for so many looks to end."""
    original, done = Round._run, asyncio.Condition()

    async def counted(self):
        await original(self)
        if self._look.__name__ == "_look_at_users":
            async with done:
                done.notify_all()

    monkeypatch.setattr(Round, "_run", counted)

    async def wait(times):
        async with asyncio.timeout(5), done:
            for _ in range(times):
                await done.wait()

    return wait


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


def revoke_own(user):
    user.user_permissions.remove(permission())


def revoke_of_permission(user):
    permission().user_set.remove(user)


def clear_of_permission(user):
    permission().user_set.clear()


def clear_own(user):
    user.user_permissions.clear()


def revoke_quietly(user):
    User.user_permissions.through.objects.all().delete()


OWN = [revoke_own, revoke_of_permission, clear_of_permission, clear_own]


def leave_group(user):
    user.groups.clear()


def thrown_out_of_group(user):
    Group.objects.get().user_set.remove(user)


def group_loses_permission(user):
    Group.objects.get().permissions.clear()


def group_is_deleted(user):
    Group.objects.all().delete()


def leave_group_quietly(user):
    User.groups.through.objects.all().delete()


def group_loses_permission_quietly(user):
    Group.permissions.through.objects.all().delete()


BY_GROUP = [leave_group, thrown_out_of_group, group_loses_permission, group_is_deleted]


def grant(user, by_group):
    if by_group:
        group = Group.objects.create(name="viewers")
        group.permissions.add(permission())
        user.groups.add(group)
    else:
        user.user_permissions.add(permission())


async def see_revoked(person, revoke, by_group):
    await sync_to_async(grant)(person.user, by_group)
    async with person.connect(served()) as client:
        assert (await client.call("join", "viewing/", group="secret"))["status"] == 204
        assert (await client.call("join", "mine/", group="mine"))["status"] == 204
        await sync_to_async(revoke)(person.user)
        told = await client.receive()
        assert (told["event"], told["data"]["route"]) == ("aaah.unsubscribed", "viewing/")
        await apublish("secret", "news", 1)
        await apublish("mine", "mine", 2)
        assert (await client.receive())["event"] == "mine"
        assert (await client.call("join", "viewing/", group="secret"))["status"] == 403


@pytest.mark.parametrize("revoke", OWN, ids=lambda f: f.__name__)
async def test_a_revoked_permission_ends_what_it_allowed_and_no_more(revoke, anna, never):
    await see_revoked(anna, revoke, by_group=False)


@pytest.mark.parametrize("revoke", BY_GROUP, ids=lambda f: f.__name__)
async def test_so_does_a_group_that_changes(revoke, anna, never):
    await see_revoked(anna, revoke, by_group=True)


@pytest.mark.parametrize(
    ("revoke", "by_group"),
    [
        (revoke_quietly, False),
        (leave_group_quietly, True),
        (group_loses_permission_quietly, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_rights_that_change_quietly_are_seen_by_the_next_look(revoke, by_group, anna, often):
    await see_revoked(anna, revoke, by_group)


async def test_they_are_seen_too_after_a_look_that_found_nothing(anna, often, monkeypatch):
    await sync_to_async(grant)(anna.user, by_group=False)
    async with anna.connect(served()) as client:
        await client.call("join", "viewing/", group="secret")
        looked = looks(monkeypatch)
        await looked(2)
        await sync_to_async(revoke_quietly)(anna.user)
        assert (await client.receive())["event"] == "aaah.unsubscribed"


async def test_a_superuser_who_is_none_any_more_loses_it_too(anna, often):
    await User.objects.filter(pk=anna.user.pk).aupdate(is_superuser=True)
    async with anna.connect(served()) as client:
        assert (await client.call("join", "viewing/", group="secret"))["status"] == 204
        await User.objects.filter(pk=anna.user.pk).aupdate(is_superuser=False)
        assert (await client.receive())["event"] == "aaah.unsubscribed"


async def test_a_change_that_is_rolled_back_ends_nothing(anna, never):
    from django.db import transaction

    def deactivate_in_vain():
        with transaction.atomic():
            deactivate(anna)
            transaction.set_rollback(True)

    async with anna.connect(served()) as client:
        await sync_to_async(deactivate_in_vain)()
        assert (await client.call("who"))["data"] == "anna"


async def test_a_login_elsewhere_asks_nobody(anna, never, monkeypatch):
    told = []
    monkeypatch.setattr(people_module, "announce", lambda *args, **kwargs: told.append(args))
    async with anna.connect(served()) as client:
        await sync_to_async(Browser().force_login)(anna.user)
        assert (await client.call("who"))["data"] == "anna"
    assert not told


async def test_one_look_takes_a_few_queries_however_many_are_connected(often, monkeypatch):
    people = [await sync_to_async(Person)(f"person {number}") for number in range(5)]
    for person in people:
        await sync_to_async(grant)(person.user, by_group=False)
    counted = []
    look = accounts.look

    def counting(seen):
        with CaptureQueriesContext(connections["default"]) as queries:
            found = look(seen)
        counted.append((len(seen), len(queries)))
        return found

    async with asyncio.TaskGroup() as tasks:
        go_on, all_in = asyncio.Event(), asyncio.Barrier(26)

        async def stay(person):
            async with person.connect(served()):
                await all_in.wait()
                await go_on.wait()

        for person in people * 5:
            tasks.create_task(stay(person))
        await all_in.wait()
        monkeypatch.setattr(looks_module, "look", counting)
        looked = looks(monkeypatch)
        await looked(2)
        go_on.set()
    assert counted[-1] == (25, 4)  # a query for groups' permissions too, where anybody is in one


async def test_what_is_queued_is_not_run_and_the_running_call_ends(anna, never):
    begun, ran = asyncio.Event(), []

    async def linger(self):
        begun.set()
        await asyncio.Event().wait()

    async def note(self):
        ran.append(self.user.username)

    chat = consumer(action(linger), action(note))
    async with anna.connect(served(chat)) as client:
        await client.send({"action": "linger"})
        await begun.wait()
        for _ in range(5):
            await client.send({"action": "note"})
        await sync_to_async(deactivate)(anna)
        assert await code_of_end(client) == 4401
    assert not ran


async def test_events_that_wait_for_a_slow_client_are_dropped(anna, never, layer):
    user = await User.objects.aget(pk=anna.user.pk)
    taken, go_on = asyncio.Event(), asyncio.Event()
    chat = consumer(who, groups=["room"])
    application = chat.as_asgi()
    socket = Socket(application, user=user)
    send = socket._send

    async def slow(message):
        if message["type"] == "websocket.send":
            taken.set()
            await go_on.wait()
        await send(message)

    socket._send = slow
    async with socket:
        await socket.get(0)
        for number in range(5):
            await apublish("room", "news", number)
        await taken.wait()
        await sync_to_async(deactivate)(anna)
        await until(lambda: people_of(asyncio.get_running_loop()) is None)
        go_on.set()
        await socket.get(2)
        assert [each["type"] for each in socket.sent[1:]] == ["websocket.send", "websocket.close"]
        assert json.loads(socket.sent[1]["text"])["data"] == 0
        assert socket.sent[2]["code"] == 4401


async def test_another_process_is_heard_through_the_layer(anna, never, layer):
    async with anna.connect(served()) as client:
        await until(lambda: GROUP in layer.groups)
        await User.objects.filter(pk=anna.user.pk).aupdate(is_active=False)
        message = {"type": "aaah.people", "origin": "another process", "people": None}
        message |= {"session": None, "rights": False, "later": False}
        await layer.group_send(GROUP, {"type": "of.no.interest"})
        await layer.group_send(GROUP, message)
        assert await code_of_end(client) == 4401


async def test_the_layer_is_told_no_name_and_no_key(anna, never, monkeypatch):
    sent = []

    class Layer:
        async def group_send(self, group, message):
            sent.append((group, message))

    channel_layers.set("default", Layer())
    key = anna.browser.session.session_key
    await sync_to_async(log_out)(anna)
    await sync_to_async(deactivate)(anna)
    assert [group for group, _ in sent] == [GROUP, GROUP]
    assert sent[0][1]["people"] == [name_of(anna.user)]
    text = json.dumps(sent)
    assert "anna" not in text
    assert key not in text


async def test_a_layer_that_fails_or_hangs_keeps_nobody_from_logging_out(
    anna, never, monkeypatch, caplog
):
    from aaah_core import signals

    class Layer:
        async def group_send(self, group, message):
            await asyncio.Event().wait()

    monkeypatch.setattr(signals, "PATIENCE", 0.01)
    async with anna.connect(served()) as client:
        channel_layers.set("default", Layer())
        await sync_to_async(log_out)(anna)
        assert await code_of_end(client) == 4401
    assert "could not be told" in caplog.text


async def test_without_a_layer_the_own_process_hears(anna, settings):
    settings.CHANNEL_LAYERS = {}
    channel_layers.backends.clear()
    settings.AAAH = {"IDENTITY_INTERVAL": None}
    async with anna.connect(served()) as client:
        await sync_to_async(deactivate)(anna)
        assert await code_of_end(client) == 4401


async def test_a_layer_that_makes_no_channel_at_first_is_asked_again(
    anna, never, layer, monkeypatch, caplog
):
    monkeypatch.setattr(people_module, "AGAIN", 0.01)
    make, failures = layer.new_channel, [ConnectionError("not yet")] * 2

    async def new_channel(prefix="specific"):
        if failures:
            raise failures.pop()
        return await make(prefix)

    monkeypatch.setattr(layer, "new_channel", new_channel)
    async with anna.connect(served()):
        await until(lambda: GROUP in layer.groups)
    assert "not yet" in caplog.text


async def test_a_layer_that_forgot_us_is_joined_again_by_the_next_look(anna, often, layer):
    async with anna.connect(served()):
        await until(lambda: GROUP in layer.groups)
        layer.groups.clear()
        await until(lambda: GROUP in layer.groups)


async def test_channels_own_logout_makes_nobody_of_the_user_and_ends_the_sessions_other_sockets(
    anna, never, quick, monkeypatch
):
    monkeypatch.setattr(people_module, "SOON", 0.05)

    async def leave(self):
        await logout(self.scope)

    chat = consumer(who, action(leave), routepatterns=Chat.routepatterns)
    async with anna.connect(served()) as other, anna.connect(served(chat)) as client:
        await client.call("join", "mine/", group="mine")
        await client.call("leave")
        assert (await client.receive())["event"] == "aaah.unsubscribed"
        assert (await client.call("who"))["data"] is None
        assert await code_of_end(other) == 4401


async def test_channels_own_login_is_looked_at_from_then_on(anna, never, quick):
    async def enter(self):
        await login(self.scope, await User.objects.aget(pk=anna.user.pk))
        await sync_to_async(self.scope["session"].save)()

    chat = consumer(who, action(enter))
    async with connect(served(chat)) as client:
        assert (await client.call("who"))["data"] is None
        await client.call("enter")
        assert (await client.call("who"))["data"] == "anna"
        await until(lambda: people_of(asyncio.get_running_loop()) is not None)
        await sync_to_async(deactivate)(anna)
        assert await code_of_end(client) == 4401


async def test_set_user_is_looked_at_in_the_place_of_who_was_there(anna, bert, never):
    async def become(self):
        await self.consumer.set_user(await User.objects.aget(username="bert"))

    chat = consumer(who, action(become))
    async with anna.connect(served(chat)) as client:
        await client.call("become")
        await sync_to_async(delete)(anna)
        assert (await client.call("who"))["data"] == "bert"
        await sync_to_async(delete)(bert)
        assert await code_of_end(client) == 4401


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


async def test_who_may_connect_is_asked_again_only_when_something_changed(anna, often, monkeypatch):
    tickets = ["one"]

    class Ticket(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            return bool(tickets and tickets.pop())

    user = await User.objects.aget(pk=anna.user.pk)
    chat = consumer(who, permission_classes=(Ticket,), groups=["all"])
    async with connect(chat.as_asgi(), user=user) as client:
        await looks(monkeypatch)(2)
        assert (await client.call("who"))["data"] == "anna"
        await User.objects.filter(pk=user.pk).aupdate(is_staff=True)
        assert await code_of_end(client) == 4403


async def test_who_was_let_in_though_not_active_stays(anna, often, monkeypatch):
    await User.objects.filter(pk=anna.user.pk).aupdate(is_active=False)
    user = await User.objects.aget(pk=anna.user.pk)
    async with connect(Chat.as_asgi(), user=user) as client:
        await looks(monkeypatch)(2)
        assert (await client.call("who"))["data"] == "anna"


async def test_a_session_that_ends_during_the_handshake_is_refused(anna, never):
    asked, go_on = asyncio.Event(), asyncio.Event()

    class Slow(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            asked.set()
            await go_on.wait()
            return True

    came = []

    async def come(self):
        came.append(self)

    chat = consumer(who, connect=come, permission_classes=(Slow,))
    user = await User.objects.aget(pk=anna.user.pk)
    async with Socket(chat.as_asgi(), user=user) as socket:
        await asked.wait()
        await sync_to_async(delete)(anna)
        assert await socket.get(0) == {"type": "websocket.close", "code": 4401}
        go_on.set()
        await asyncio.wait_for(asyncio.shield(socket.task), 5)
    assert not came


async def test_why_a_connection_ended_is_in_the_log_without_a_name(anna, never, caplog):
    caplog.set_level(logging.INFO, "aaah")
    async with anna.connect(served()) as client:
        await sync_to_async(deactivate)(anna)
        assert await code_of_end(client) == 4401
    assert "the user is not active any more" in caplog.text
    assert "anna" not in caplog.text


async def test_when_the_last_has_left_nothing_is_left(anna, never, layer):
    before = asyncio.all_tasks()
    async with anna.connect(served()), anna.connect(served()):
        pass
    assert people_of(asyncio.get_running_loop()) is None
    assert asyncio.all_tasks() == before
    assert not layer.groups


# An action that changes the very user of its connection.


class IsStaff(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return scope["user"].is_staff


class Staff(AsyncAPIActionHandler):
    permission_classes = (IsStaff,)
    join = join


class Own(AsyncAPIConsumer):
    routepatterns = (path("staff/", Staff.as_aaah()),)

    @action
    async def who(self):
        return [self.user.username, self.user.email]

    @action
    async def deactivate(self):
        self.user.is_active = False
        await self.user.asave()

    @action
    async def delete(self):
        await self.user.adelete()

    @action
    async def resign(self):
        self.user.is_staff = False
        await self.user.asave()

    @action
    async def rename(self, email):
        self.user.email = email  # which is not saved yet

    @action
    async def save(self):
        await self.user.asave()


async def code_after_all(client):
    while True:  # a reply may come before
        try:
            await client.receive()
        except Refused as refused:
            return refused.code


@pytest.fixture
async def user():
    return await User.objects.acreate(username="anna", is_staff=True)


@pytest.mark.parametrize("what", ["deactivate", "delete"])
async def test_who_ends_the_own_account_is_closed_with_4401(what, user, never):
    async with connect(Own.as_asgi(), user=user) as client:
        await client.send({"action": what})
        assert await code_after_all(client) == 4401


async def test_who_gives_up_a_right_loses_the_memberships_that_it_gave(user, often, monkeypatch):
    async with connect(Own.as_asgi(), user=user) as client:
        await looks(monkeypatch)(2)  # now it is known what there was
        assert (await client.call("join", route="staff/", group="g"))["status"] == 204
        await client.send({"action": "resign"})
        got = [await client.receive(), await client.receive()]
        assert {each.get("event") or each["action"] for each in got} == {
            "resign",
            "aaah.unsubscribed",
        }


async def test_what_an_action_has_not_saved_yet_survives_a_look(user, often, monkeypatch):
    async with connect(Own.as_asgi(), user=user) as client:
        await client.call("rename", email="new@example.com")
        await looks(monkeypatch)(2)
        assert (await client.call("who"))["data"] == ["anna", "new@example.com"]
        await client.call("save")
    await user.arefresh_from_db()
    assert user.email == "new@example.com"


async def test_who_is_no_row_can_log_out(rf):
    request = rf.get("/")
    request.session = SessionStore()
    request.session["mine"] = 1
    request.user = SimpleNamespace(pk=1, is_authenticated=True)
    await sync_to_async(log_out_of)(request)
    assert "mine" not in request.session


async def test_clients_that_take_every_worker_keep_nobody_from_being_looked_at(
    anna, often, monkeypatch
):
    free = threading.Event()
    monkeypatch.setattr(workers, "_made", Pool(1, 60.0, close_worker_connections))
    async with anna.connect(served()) as client:
        taken = asyncio.ensure_future(workers.run_sync(free.wait))
        try:
            await User.objects.filter(pk=anna.user.pk).aupdate(is_active=False)
            assert await code_of_end(client) == 4401
        finally:
            free.set()
            await taken
            workers._made.shutdown()
