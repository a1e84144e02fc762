"""Whatever up to four clients do, in any order: each call gets its reply, and nothing stays behind.

`Story` is a machine that hypothesis drives: it runs a server in memory, does one thing after
another as clients do them, and holds what they were sent against what they were to be sent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter, defaultdict

import msgspec
import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aaah_core import AsyncAPIConsumer, apublish, publish, watchdog
from aaah_core.testing import registry
from tests.conftest import Socket, action, collector

BROKEN = (None, 400, None)


class Layer(InMemoryChannelLayer):
    """A layer that tells the story what is published, at the moment it is."""

    def __init__(self, story):
        super().__init__()
        self.story = story

    async def group_send(self, group, message):
        self.story.publishes(group, msgspec.msgpack.decode(message["data"]))
        await super().group_send(group, message)


class Gates:
    """What the actions that wait are waiting for, and the threads that are at it."""

    def __init__(self):
        self.tasks = defaultdict(asyncio.Event)
        self.threads = defaultdict(threading.Event)
        self.inside = 0
        self.lock = threading.Lock()

    def open(self, n):
        self.tasks[n].set()
        self.threads[n].set()

    def wait(self, n):
        with self.lock:
            self.inside += 1
        assert self.threads[n].wait(30)
        with self.lock:
            self.inside -= 1


class Room(AsyncAPIConsumer):
    story = None

    @action
    async def echo(self, n):
        return n

    @action
    def plain(self, n):
        return n

    @action
    async def fail(self, n):
        raise LookupError

    @action
    def fail_plainly(self, n):
        raise LookupError

    @action
    async def hold(self, n):
        await self.story.gates.tasks[n].wait()
        return n

    @action
    def hold_plainly(self, n):
        self.story.gates.wait(n)
        return n

    @action
    async def join(self, n, group):
        await self.channel_layer.group_add(group, self.channel_name)
        self.story.members[group].add(self.scope["path"])
        return n

    @action
    async def leave(self, n, group):
        self.story.leaves(group, self.scope["path"])
        await self.channel_layer.group_discard(group, self.channel_name)
        return n

    @action
    async def shout(self, n, group):
        await apublish(group, "news", n)
        return n

    @action
    def shout_plainly(self, n, group):
        publish(group, "news", n)
        return n

    @action
    async def tell(self, n, group):
        await apublish(group, "told", n)
        return n

    async def told(self, event):
        await self.send_json({"event": "told", "data": event.data})


class CrowdedRoom(Room):
    concurrency = 3


class Client(Socket):
    """A client as its server has it: it may read slowly, and its line may break.

    Attributes:
        name: Its path.
        ordered: Whether its calls run one after another.
        expected: What it is to be answered, call by call: id, status, data.
        held: The calls that wait, and were not let go on.
        asked: The groups that it asked to join.
        reads: Set while it reads.
    """

    def __init__(self, name, application, ordered):
        super().__init__(application, path=name)
        self.name, self.ordered = name, ordered
        self.expected, self.held, self.asked = [], [], set()
        self.reads = asyncio.Event()
        self.reads.set()

    async def _send(self, message):
        await self.reads.wait()
        await super()._send(message)

    def received(self):
        """Return the replies and the events that it was sent."""
        messages = [json.loads(each["text"]) for each in self.sent if "text" in each]
        replies = [
            (each.get("request_id"), each["status"], each["data"])
            for each in messages
            if "event" not in each
        ]
        return replies, [each["data"] for each in messages if "event" in each]

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():
                self._news.clear()
                await self._news.wait()


class Story(RuleBasedStateMachine):
    clients = Bundle("clients")
    groups = st.sampled_from(["red", "blue"])

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.here, self.gone, self.number = [], [], 0
        self.gates, self.by_name = Gates(), {}
        #: By group: who is in it for certain, and what was published to it, in order.
        self.members, self.published = defaultdict(set), defaultdict(list)
        #: By client: what it is to hear for certain, unless it leaves first.
        self.owed = defaultdict(set)
        self.before = (watchdog.INTERVAL, channel_layers["default"], logging.root.manager.disable)
        self.layer = Layer(self)
        channel_layers.set("default", self.layer)
        watchdog.INTERVAL = 0.005
        logging.disable(logging.CRITICAL)  # what fails on purpose is logged
        Room.story = self
        with registry(collector()):
            self.applications = {True: Room.as_asgi(), False: CrowdedRoom.as_asgi()}

    def run(self, work):
        return self.loop.run_until_complete(work)

    async def settle(self):
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)  # for the watchdog and the threads

    def call(self, client, name, status=200, **more):
        self.number += 1
        request = {"action": name, "n": self.number, "request_id": self.number, **more}
        data = self.number if status == 200 else None
        client.expected.append((self.number, status, data))
        client.put(json.dumps(request))
        self.run(self.settle())
        return self.number

    def publishes(self, group, number):
        self.published[group].append(number)
        for name in self.members[group]:
            self.owed[name].add(number)

    def leaves(self, group, name):
        self.members[group].discard(name)
        # What it has not got yet may have been on its way.
        unheard = set(self.published[group]) - set(self.by_name[name].received()[1])
        self.owed[name] -= unheard

    # What clients do.

    @precondition(lambda self: len(self.here) < 4)
    @rule(target=clients, ordered=st.booleans())
    def connect(self, ordered):
        name = f"/{len(self.here) + len(self.gone)}"
        client = self.by_name[name] = Client(name, self.applications[ordered], ordered)
        self.run(client.__aenter__())
        self.run(client.get(0))
        self.here.append(client)
        return client

    @rule(
        client=clients,
        kind=st.sampled_from(
            [
                *(("echo", 200), ("plain", 200), ("fail", 500), ("fail_plainly", 500)),
                *(("nothing", 405), ("told", 405)),
            ]
        ),
        times=st.integers(1, 4),
    )
    def act(self, client, kind, times):
        for _ in range(times):
            self.call(client, *kind)

    @rule(client=clients)
    def send_rubbish(self, client):
        client.expected.append(BROKEN)
        client.put("{")
        self.run(self.settle())

    @rule(
        client=clients,
        name=st.sampled_from(["hold", "hold_plainly"]),
        times=st.integers(1, 4),
        more=st.booleans(),
    )
    def begin_what_takes_long(self, client, name, times, more):
        client.held.extend([self.call(client, name) for _ in range(times)])
        if more:
            self.call(client, "echo")

    @rule(client=clients)
    def end_what_takes_long(self, client):
        if client.held:
            self.gates.open(client.held.pop(0))
            self.run(self.settle())

    @rule(client=clients, group=groups, name=st.sampled_from(["join", "join", "leave"]))
    def join_or_leave(self, client, group, name):
        if name == "join":
            client.asked.add(group)
        self.call(client, name, group=group)

    @rule(group=groups)
    def everyone_joins(self, group):
        for client in self.here:
            client.asked.add(group)
            self.call(client, "join", group=group)

    @rule(client=clients, group=groups, name=st.sampled_from(["shout", "shout_plainly", "tell"]))
    def broadcast(self, client, group, name):
        self.call(client, name, group=group)

    @rule(client=clients)
    def slow_down(self, client):
        client.reads.clear()

    @rule(client=clients)
    def speed_up(self, client):
        client.reads.set()
        self.run(self.settle())

    @rule(client=consumes(clients), how=st.sampled_from(["leaves", "line breaks", "is cancelled"]))
    def disappear(self, client, how):
        self.here.remove(client)
        self.gone.append(client)
        if how == "leaves":
            client.put({"type": "websocket.disconnect", "code": 1001})
        elif how == "is cancelled":  # by its server
            client.task.cancel()
        else:
            client.on_send = self.broken_line
            client.reads.set()
        self.run(self.settle())

    @staticmethod
    def broken_line(message):
        raise OSError

    # What holds.

    @invariant()
    def each_was_sent_what_it_was_to_be_sent_so_far_and_nothing_else(self):
        for client in (*self.here, *self.gone):
            replies, events = client.received()
            if client.ordered:
                assert replies == client.expected[: len(replies)]
            else:
                assert not Counter(replies) - Counter(client.expected)
            assert len(events) == len(set(events))
            for group, published in self.published.items():
                heard = [number for number in events if number in published]
                assert heard == [number for number in published if number in events]
                assert not heard or group in client.asked

    @invariant()
    def who_is_here_is_connected(self):
        for client in self.here:
            assert not client.task.done()
            assert all(each["type"] != "websocket.close" for each in client.sent)

    def teardown(self):
        try:
            self.run(self.end())
        finally:
            watchdog.INTERVAL, layer, disabled = self.before
            channel_layers.set("default", layer)
            logging.disable(disabled)
            self.loop.close()

    async def end(self):
        # Who is gone is let go of, although nothing was that it waits for.
        for client in self.gone:
            if client.on_send is not None:  # a broken line is seen by who sends, or by the server
                client.put({"type": "websocket.disconnect", "code": 1006})
        if self.gone:
            await asyncio.wait([client.task for client in self.gone], timeout=5)
        assert all(client.task.done() for client in self.gone)
        for client in (*self.here, *self.gone):
            for number in client.held:
                self.gates.open(number)
        for client in self.here:
            client.reads.set()
        for client in self.here:
            await self.has_everything(client)
            client.put({"type": "websocket.disconnect", "code": 1000})
        for client in self.here:
            await client.task
        await self.nothing_stays_behind()

    async def has_everything(self, client):
        def complete():
            replies, events = client.received()
            answered = Counter(replies) == Counter(client.expected)
            return answered and self.owed[client.name] <= set(events)

        await client.until(complete)

    async def nothing_stays_behind(self):
        loop = asyncio.get_running_loop()

        def busy():
            return self.gates.inside or loop in watchdog._watched or len(asyncio.all_tasks()) > 1

        async with asyncio.timeout(5):
            # Threads of calls whose clients left, and the last look of the watchdog.
            while busy():  # noqa: ASYNC110 - of threads
                await asyncio.sleep(0.001)
        assert self.layer.groups == {}


def tell(examples, steps):
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_clients_do_each_call_is_answered_once_and_nothing_stays_behind():
    tell(30, 20)


@pytest.mark.programme(seconds=15)
def test_in_150_long_stories_each_call_is_answered_once_and_nothing_stays_behind():
    tell(150, 40)
