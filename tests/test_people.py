"""Who is connected may still be: sessions, users and rights, by signal and without one."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from channels.auth import login, logout
from channels.layers import channel_layers
from django.contrib.auth import logout as log_out_of
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from aaah_core import BasePermission, accounts, apublish, workers
from aaah_core import looks as looks_module
from aaah_core import people as people_module
from aaah_core.databases import close_worker_connections
from aaah_core.people import GROUP, people_of
from aaah_core.person import name_of
from aaah_core.pool import Pool
from aaah_core.testing import connect
from tests.calls import until
from tests.conftest import Socket, action, consumer
from tests.person import (
    Chat,
    Person,
    anna,
    bert,
    code_of_end,
    deactivate,
    delete,
    grant,
    layer,
    log_out,
    looks,
    never,
    often,
    served,
    who,
)

__all__ = ["anna", "bert", "layer", "never", "often"]  # fixtures

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.django_db(transaction=True)]


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
