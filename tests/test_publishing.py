"""Publishing from wherever code runs: after the commit, numbered, in one reply with the call."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, channel_layers
from django.contrib.auth.models import Group
from django.db import connections, transaction
from django.db.models.signals import post_save
from hypothesis import given
from hypothesis import strategies as st

from aaah_core import AsyncAPIConsumer, Unpublished, apublish, numbering, publish, run_sync
from aaah_core.numbering import Heard, Line, Lines
from aaah_core.testing import connect
from tests.conftest import action

pytestmark = pytest.mark.usefixtures("core")


class Layer(InMemoryChannelLayer):
    """A layer that notes what it is sent, and fails or hangs where it is told to."""

    def __init__(self):
        super().__init__()
        self.sent = []
        self.fails = self.hangs = False

    async def group_send(self, group, message):
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise OSError("the layer is gone")
        self.sent.append((group, message.get("name")))
        await super().group_send(group, message)


@pytest.fixture(autouse=True)
def layer():
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", layer := Layer())
    yield layer
    channel_layers.set("default", before)


class Room(AsyncAPIConsumer):
    groups = ("room",)

    @action
    async def hello(self):
        return "hello"

    @action
    async def tell(self):
        await apublish("room", "told")
        return "told"

    @action
    def tell_plainly(self):
        publish("room", "told")
        return "told"


# After the commit.

committed = pytest.mark.django_db(transaction=True)


@committed
def test_what_is_published_in_a_transaction_is_sent_once_it_is_committed(layer):
    with transaction.atomic():
        with transaction.atomic():
            publish("room", "news")
        assert layer.sent == []
    assert layer.sent == [("room", "news")]


@committed
def test_what_is_rolled_back_is_not_sent(layer):
    with transaction.atomic():
        publish("room", "news")
        transaction.set_rollback(True)
    with transaction.atomic():
        with transaction.atomic():
            publish("room", "news")
            transaction.set_rollback(True)
        publish("room", "other")
    assert layer.sent == [("room", "other")]


@committed
def test_without_a_transaction_or_where_it_is_asked_for_it_is_sent_at_once(layer):
    publish("room", "news")
    with transaction.atomic():
        publish("room", "other", on_commit=False)
        assert layer.sent == [("room", "news"), ("room", "other")]


@committed
def test_what_is_published_is_what_it_was_then(layer):
    data = [1]

    async def run():
        async with connect(Room.as_asgi()) as client:
            await client.call("hello")

            def change():
                with transaction.atomic():
                    publish("room", "news", data)
                    data.append(2)

            await run_sync(change)
            assert (await client.receive())["data"] == [1]

    asyncio.run(run())


@committed
def test_async_code_below_a_transaction_publishes_after_it_too(layer):
    with transaction.atomic():
        async_to_sync(apublish)("room", "news")
        async_to_sync(apublish)("room", "now", on_commit=False)
        assert layer.sent == [("room", "now")]
    assert layer.sent == [("room", "now"), ("room", "news")]


@pytest.mark.django_db(transaction=True, databases=["default"])
def test_it_waits_for_the_transactions_of_all_databases(layer, monkeypatch):
    class Other:
        """A second database, as far as it is looked at."""

        atomic_blocks = [object()]
        hooks = []

        def on_commit(self, hook):
            self.hooks.append(hook)

    other = Other()
    default = connections["default"]
    monkeypatch.setattr(connections, "all", lambda initialized_only: [default, other])
    with transaction.atomic():
        publish("room", "news")
    assert layer.sent == []
    other.atomic_blocks = []
    other.hooks[0]()
    assert layer.sent == [("room", "news")]


@pytest.mark.django_db
def test_the_transaction_of_a_test_keeps_nothing_back(layer):
    publish("room", "news")
    assert layer.sent == [("room", "news")]


@committed
def test_a_signal_publishes_after_the_commit_of_what_it_tells(layer):
    def told(instance, **kwargs):
        publish("room", "saved", {"name": instance.name})

    post_save.connect(told, sender=Group)
    try:
        with transaction.atomic():
            Group.objects.create(name="a")
            transaction.set_rollback(True)
        assert layer.sent == []
        with transaction.atomic():
            Group.objects.create(name="a")
        assert layer.sent == [("room", "saved")]
    finally:
        post_save.disconnect(told, sender=Group)


@committed
def test_a_failure_after_the_commit_is_logged_and_the_commit_stands(layer, caplog):
    layer.fails = True
    done = []
    with transaction.atomic():
        publish("room", "news")
        transaction.on_commit(lambda: done.append(True))
    assert done
    assert "an event could not be published after a commit" in caplog.text
    assert "the layer is gone" in caplog.text


# Wherever.


async def test_in_the_thread_of_an_event_loop_it_says_what_to_call_and_waits_for_nobody(layer):
    with pytest.raises(RuntimeError, match=r"await apublish\(\)"):
        publish("room", "news")
    assert layer.sent == []


async def test_a_thread_of_its_own_reaches_those_whom_a_layer_in_memory_serves():
    async with connect(Room.as_asgi()) as one, connect(Room.as_asgi()) as other:
        for client in (one, other):
            await client.call("hello")
        asyncio.get_running_loop().set_debug(True)  # which refuses what is not safe for threads
        thread = threading.Thread(target=publish, args=("room", "news", 1))
        thread.start()
        for client in (one, other):
            assert (await client.receive())["data"] == 1
        await asyncio.to_thread(thread.join)


async def test_a_thread_of_an_event_loop_of_its_own_reaches_them_too():
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        await asyncio.to_thread(async_to_sync(apublish), "room", "news", 1)
        assert (await client.receive())["data"] == 1


async def test_a_group_of_an_impossible_name_is_refused(layer):
    with pytest.raises(TypeError, match="only ASCII"):
        await apublish("a room", "news")
    with pytest.raises(TypeError, match="only ASCII"):
        await run_sync(publish, "a room", "news")


# A layer that does not take it.


@pytest.mark.parametrize("name", ["tell", "tell_plainly"])
@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_what_the_layer_does_not_take_is_one_503_and_the_connection_lives(
    layer, settings, name, how
):
    settings.AAAH = {"LAYER_TIMEOUT": 0.02}
    async with connect(Room.as_asgi()) as client:
        setattr(layer, how, True)
        reply = await client.call(name)
        assert (reply["status"], reply["errors"][0]["code"]) == (503, "unpublished")
        assert (await client.call("hello"))["data"] == "hello"
        setattr(layer, how, False)
        assert (await client.call(name))["data"] == "told"
        # What was not sent has a number: that it is missing is told.
        events = [(await client.receive())["event"] for _ in range(2)]
        assert set(events) == {"aaah.resync", "told"}
        assert not client._events


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_sync_code_without_an_event_loop_is_told_too(layer, settings, how):
    settings.AAAH = {"LAYER_TIMEOUT": 0.02}
    setattr(layer, how, True)
    with pytest.raises(Unpublished) as raised:
        publish("room", "news")
    assert isinstance(raised.value.__cause__, TimeoutError if how == "hangs" else OSError)


# Numbers.


def heard(*messages):
    """Return what was missing before each message of a group that was listened to before."""
    listening = Heard()
    listening._since = 0
    return [listening.missing(message) for message in messages]


@given(st.lists(st.sampled_from("ab"), max_size=20), st.data())
def test_what_is_missing_before_each_message_adds_up_to_what_was_lost(senders, data):
    lines = {name: Line() for name in "ab"}
    messages = [(name, lines[name].next()) for name in senders]
    arrived = data.draw(st.lists(st.sampled_from(messages), unique_by=id)) if messages else []
    arrived.sort(key=messages.index)
    missing = heard(*(message for _, message in arrived))
    for name in "ab":
        numbers = [message["number"] for sender, message in arrived if sender == name]
        lost = sum(
            lost for (sender, _), lost in zip(arrived, missing, strict=True) if sender == name
        )
        assert lost == (max(numbers) - len(numbers) if numbers else 0)


def test_what_comes_twice_is_heard_once():
    one, two, three = (each for line in [Line()] for each in (line.next() for _ in range(3)))
    assert heard(one, one, three, two, three) == [0, None, 1, None, None]


def test_of_a_line_that_began_before_the_first_that_is_heard_counts():
    line = Line()
    line.next()
    assert Heard().missing(line.next()) == 0


@pytest.mark.parametrize("message", [{}, {"line": "a"}, {"line": 1, "number": 1}, {"number": "1"}])
def test_what_has_no_number_misses_nothing(message):
    assert Heard().missing(message) == 0


def test_what_is_remembered_of_lines_is_bounded(monkeypatch):
    monkeypatch.setattr(numbering, "LINES", 2)
    monkeypatch.setattr(numbering, "HEARD", 2)
    lines, listening = Lines(), Heard()
    first = lines["a"]
    for group in "abac":
        listening.missing(lines[group].next())
    assert lines["a"] is first
    assert len(lines._lines) == len(listening._last) == 2


def test_a_line_that_was_forgotten_misses_nothing_when_it_comes_again(monkeypatch):
    monkeypatch.setattr(numbering, "HEARD", 2)
    listening = Heard()
    listening._since = 0
    lines = [Line() for _ in range(3)]
    assert [listening.missing(line.next()) for _ in range(3) for line in lines] == [0] * 9


async def test_events_that_are_published_at_once_are_numbered_as_they_come():
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        await asyncio.gather(*(apublish("room", "news", number) for number in range(50)))
        events = [await client.receive() for _ in range(50)]
    assert [event["seq"] for event in events] == list(range(1, 51))
    assert [event["data"] for event in events] == list(range(50))


async def test_who_misses_an_event_is_told_and_the_numbers_show_it(layer, caplog):
    async with connect(Room.as_asgi()) as one, connect(Room.as_asgi()) as other:
        for client in (one, other):
            await client.call("hello")
        await apublish("room", "news")
        groups, layer.groups = layer.groups, {}
        for _ in range(3):
            await apublish("room", "lost")
        layer.groups = groups
        await apublish("room", "news")
        for client in (one, other):
            events = [await client.receive() for _ in range(3)]
            assert [event["event"] for event in events] == ["news", "aaah.resync", "news"]
            assert [event.get("seq") for event in events] == [1, None, 5]
    assert "3 events of the group 'room' were lost" in caplog.text


async def test_events_of_a_later_form_are_logged_once_and_their_members_told(layer, caplog):
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        for _ in range(2):
            await layer.group_send("room", {"type": "aaah.event", "v": 2, "name": "news"})
        await apublish("room", "news")
        assert [(await client.receive())["event"] for _ in range(2)] == ["aaah.resync", "news"]
    assert caplog.text.count("Events come in form 2") == 1


async def test_events_of_an_earlier_release_have_no_numbers_of_their_own(layer):
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        await layer.group_send("room", {"type": "aaah.event", "name": "news", "later": 1})
        event = {"event": "news", "data": None, "status": 200, "seq": 1}
        assert await client.receive() == event


async def test_a_type_that_nobody_knows_is_logged_once(layer, caplog):
    async with connect(Room.as_asgi()) as client:
        await client.call("hello")
        for _ in range(2):
            await layer.group_send("room", {"type": "never.heard.of"})
        await apublish("room", "news")
        assert (await client.receive())["event"] == "news"
    assert caplog.text.count("has no method for events of type 'never.heard.of'") == 1
