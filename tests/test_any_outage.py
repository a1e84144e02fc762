"""Whoever joins and leaves while the layer is lost and found: members miss nothing in silence.

`Outages` is a machine that hypothesis drives: clients come, go, join and leave groups, events are
published, and the layer dies, freezes and comes back at any moment. It holds what each client got
against who was in which group: nobody gets what is not for them, and a member that did not get an
event was told to resync after it was sent.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from channels.layers import channel_layers
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aaah_core import AsyncAPIConsumer, Unpublished, apublish, canary, care, hub, hubs
from aaah_core.testing import connect, registry
from tests.conftest import action, collector
from tests.redis_server import layer_of
from tests.remote_layer import Remote

GROUPS = st.sampled_from("ab")
CLIENTS = st.integers(0, 3)


class Room(AsyncAPIConsumer):
    @action
    async def hello(self):
        return "hello"

    @action
    async def join(self, group):
        await self.channel_layer.group_add(group, self.channel_name)

    @action
    async def leave(self, group):
        await self.channel_layer.group_discard(group, self.channel_name)


class Away:
    """A layer of the test's own, which is lost and found at once."""

    quick = True

    def __init__(self):
        self.layer = Remote()

    def begin(self):
        pass

    def end(self):
        pass

    def lose(self, frozen):
        self.layer.become("frozen" if frozen else "dead")

    def find(self):
        self.layer.become("up")


class Member:
    """A client, and what it is owed."""

    def __init__(self, client):
        self.client = client
        self.groups = set()
        #: What it may be sent: all that was published to a group while it was in it.
        self.may = set()
        #: What it must be sent, or be told to resync.
        self.owed = set()


class Outages(RuleBasedStateMachine):
    where = Away

    @initialize()
    def begin(self):
        self.world = self.where()
        self.world.begin()
        self.loop = asyncio.new_event_loop()
        self.before = channel_layers["default"]
        channel_layers.set("default", self.world.layer)
        self.members = {}
        self.stack = AsyncExitStack()
        self.number = 0
        self.up = True
        self.frozen = False

    def run(self, work):
        async def in_time():
            async with asyncio.timeout(3 if self.world.quick else 60):
                return await work

        return self.loop.run_until_complete(in_time())

    def member(self, n):
        return self.members.get(n)

    @rule(n=CLIENTS)
    def come(self, n):
        async def come():
            client = await self.stack.enter_async_context(connect(Room.as_asgi(), timeout=20))
            assert (await client.call("hello"))["data"] == "hello"
            return client

        if n not in self.members:
            self.members[n] = Member(self.run(come()))

    @rule(n=CLIENTS)
    def go(self, n):
        if n in self.members:
            member = self.members.pop(n)
            self.take(member)
            self.run(member.client.close())

    @rule(n=CLIENTS, group=GROUPS)
    def join(self, n, group):
        if n in self.members:
            assert self.run(self.members[n].client.call("join", group=group))["status"] == 204
            self.members[n].groups.add(group)

    @rule(n=CLIENTS, group=GROUPS)
    def leave(self, n, group):
        if n in self.members:
            member = self.members[n]
            assert self.run(member.client.call("leave", group=group))["status"] == 204
            self.take(member)
            member.groups.discard(group)
            # What is still on its way to a group that was left need not come.
            member.owed = {each for each in member.owed if each[0] in member.groups}

    @rule(group=GROUPS)
    def publish(self, group):
        self.number += 1
        event = (group, self.number)
        taken = self.run(self.sent(event))
        for member in self.members.values():
            if group in member.groups:
                member.may.add(event)
                if taken:
                    member.owed.add(event)

    async def sent(self, event):
        try:
            await apublish(event[0], "news", list(event))
        except Unpublished:
            return False
        return True

    @precondition(lambda self: self.up)
    @rule(frozen=st.booleans())
    def lose(self, frozen):
        self.world.lose(frozen)
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def find(self):
        self.world.find()
        self.up = True

    @rule()
    def wait(self):
        self.run(asyncio.sleep(0.03 if self.world.quick else 1))  # a step of its own: time goes by

    @invariant()
    def nobody_got_what_is_not_for_them(self):
        for member in getattr(self, "members", {}).values():
            self.take(member)

    def take(self, member):
        """Hold what a client got so far against what it may get."""
        self.run(asyncio.sleep(0))
        communicator, client = member.client._communicator, member.client
        while client._events or not communicator.output_queue.empty():
            event = self.run(client.receive())
            if event["event"] == "aaah.resync":
                member.owed.clear()
                continue
            assert tuple(event["data"]) in member.may
            member.owed.discard(tuple(event["data"]))

    def teardown(self):
        if not hasattr(self, "world"):
            return
        try:
            self.run(self.settle())
            for member in self.members.values():
                assert not member.owed
            for member in self.members.values():
                self.run(member.client.close())
            self.run(self.quiet())
        finally:
            self.loop.close()
            self.world.end()
            channel_layers.set("default", self.before)

    async def settle(self):
        """Let the layer be back, until every member gets what is published to its groups."""
        if not self.up:
            self.world.find()
        waiting = {(n, group) for n, each in self.members.items() for group in each.groups}
        while waiting:
            for group in {group for _, group in waiting}:
                self.number += 1
                for member in self.members.values():
                    if group in member.groups:
                        member.may.add((group, self.number))
                await self.sent((group, self.number))
            # Events come, or are lost, and nobody tells of the last.
            await asyncio.sleep(0.02 if self.world.quick else 0.3)
            for n, member in self.members.items():
                while not member.client._communicator.output_queue.empty() or member.client._events:
                    event = await member.client.receive()
                    if event["event"] == "aaah.resync":
                        member.owed.clear()
                        continue
                    assert tuple(event["data"]) in member.may
                    member.owed.discard(tuple(event["data"]))
                    if event["data"][1] > self.number - 2:
                        waiting.discard((n, event["data"][0]))

    async def quiet(self):
        """Wait until nobody is left anywhere: neither tasks here, nor channels in the layer."""
        hub = hubs.hub(self.world.layer)
        while hub._groups or hub._tasks or hub.lost:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        if self.world.quick:
            while self.world.layer.groups or hub._care._canary._task:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(care, "SHORTEST", 0.005)
    monkeypatch.setattr(canary, "LATE", 0.05)
    monkeypatch.setattr(hub, "RESYNC", 0.005)
    with override_settings(AAAH={"LAYER_TIMEOUT": 0.03, "LAYER_CANARY": 0.01}):
        yield


def outages(machine, examples, steps):
    with registry(collector()):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                # Nobody's time is spent on a shorter story of what went wrong.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.usefixtures("quick")
def test_members_miss_nothing_in_silence_whenever_the_layer_is_lost():
    outages(Outages, 15, 15)


@pytest.mark.programme(seconds=45)
@pytest.mark.usefixtures("quick")
def test_members_miss_nothing_in_silence_in_many_outages():
    outages(Outages, 150, 40)


@pytest.mark.programme(seconds=40)
@pytest.mark.parametrize("kind", ["core", "pubsub"])
def test_members_miss_nothing_in_silence_when_a_real_redis_is_killed_and_frozen(own_redis, kind):
    class Served:
        """A real Redis; one that is killed comes back with nothing in it."""

        quick = False

        def begin(self):
            self.frozen = None
            described = layer_of(kind, own_redis.port)
            with override_settings(CHANNEL_LAYERS={"own": described}):
                self.layer = channel_layers.make_backend("own")

        def end(self):
            if self.frozen is not None:
                self.find()

        def lose(self, frozen):
            self.frozen = frozen
            (own_redis.freeze if frozen else own_redis.kill)()

        def find(self):
            (own_redis.thaw if self.frozen else own_redis.start)()
            self.frozen = None

    outages(type("Real", (Outages,), {"where": Served}), 8, 25)
