"""Redis that dies, freezes or forgets: who is a member stays one."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from django.utils.module_loading import import_string

from aaah_core.canary import Canary
from aaah_core.hub import Hub
from tests.layers.client import clients
from tests.layers.house import REDIS_LAYERS, houses, until_said


async def outage(house, redis, seconds):
    """Ask, join and say while Redis is away, and return the milliseconds that echoes took."""
    member, spent = house.members[0], []
    ending = time.perf_counter() + seconds
    assert (await member.call("join", group="late"))["status"] == 204
    assert (await member.call("say", data="lost"))["status"] == 503
    while (begun := time.perf_counter()) < ending:
        assert (await member.call("echo", value=1))["data"] == 1
        spent.append((time.perf_counter() - begun) * 1_000)
        await asyncio.sleep(0.02)
    return sorted(spent)


async def back(house, begun):
    """Wait until all are told to resync, see that nothing is lost, and return the seconds."""
    for each in house.all:
        await each.resynced()
    spent = time.perf_counter() - begun
    await house.all_hear("back", 100)
    # What was joined while Redis was away.
    assert (await house.other.call("say", group="late", data="late"))["status"] == 204
    assert await house.members[0].said("late") == (["late"], False)
    house.nothing_ended()
    return spent


@pytest.mark.parametrize("layer", REDIS_LAYERS, indirect=True)
async def test_a_canary_that_rested_comes_back_again(layer):
    made = import_string(layer["BACKEND"])(**layer["CONFIG"])
    canary = Canary(Hub(made))
    for _ in range(3):
        assert await canary.fly() is False  # and no TimeoutError
        await canary.rest()
    await made.flush()


async def test_redis_may_die_and_every_member_is_told_when_it_is_back(own_redis, tmp_path):
    async with houses(own_redis, tmp_path, 3, processes=1) as opened:
        own_redis.kill()
        await asyncio.gather(*(outage(each, own_redis, 1.2) for each in opened))
        own_redis.start()
        await asyncio.gather(*(back(each, time.perf_counter()) for each in opened))


@pytest.mark.programme(seconds=30)
async def test_100_idle_members_outlive_a_redis_that_is_killed_for_5_seconds(
    own_redis, tmp_path, record_property
):
    async with (
        houses(own_redis, tmp_path, 100) as on_uvicorn,
        houses(own_redis, tmp_path, 100, server="daphne") as on_daphne,
    ):
        opened = [*on_uvicorn, *on_daphne]
        own_redis.kill()
        await asyncio.gather(*(outage(each, own_redis, 5) for each in opened))
        own_redis.start()
        spent = await asyncio.gather(*(back(each, time.perf_counter()) for each in opened))
    record_property("all told to resync", f"{max(spent):.1f} s after Redis came back")
    assert max(spent) <= 5


@pytest.mark.programme(seconds=25, alone=True)
async def test_a_redis_that_is_frozen_for_10_seconds_delays_no_reply_that_needs_none(
    own_redis, tmp_path, record_property
):
    async with houses(own_redis, tmp_path, 20) as opened:
        own_redis.freeze()
        begun = time.perf_counter()
        spent = await asyncio.gather(*(outage(each, own_redis, 10) for each in opened))
        async with clients(opened[0].here, 1) as (late,):  # who may come all the same
            own_redis.thaw()
            thawed = time.perf_counter()
            healed = await asyncio.gather(*(back(each, thawed) for each in opened))
            assert (await late.said(["back", 99]))[0][-1] == ["back", 99]
    worst = [each[int(len(each) * 0.99)] for each in spent]
    record_property("frozen", f"{thawed - begun:.1f} s")
    record_property("p99 of an echo meanwhile", f"{max(worst):.1f} ms")
    record_property("all told to resync", f"{max(healed):.1f} s after it went on")
    assert max(worst) < 50
    assert max(healed) <= 5


@pytest.mark.programme(seconds=45)
async def test_who_is_idle_for_30_seconds_stays_connected_and_a_member(own_redis, tmp_path):
    """Also where redis-py gives up as soon as Redis does, and where memberships expire."""
    (tmp_path / "expiring").mkdir()
    (tmp_path / "trapped").mkdir()
    trapped = [{"host": "127.0.0.1", "port": own_redis.port}]
    async with (
        houses(own_redis, tmp_path, 20) as usual,
        houses(own_redis, tmp_path / "expiring", 20, ["core"], group_expiry=5) as expiring,
        houses(own_redis, tmp_path / "trapped", 20, ["core"], hosts=trapped) as trapped,
    ):
        opened = [*usual, *expiring, *trapped]
        await asyncio.sleep(30)  # to be idle that long is what is tested
        for house in opened:
            await house.all_hear("awake", 20)
            house.nothing_ended()


@pytest.mark.programme(seconds=20)
async def test_a_redis_killed_amid_broadcasts_costs_no_reply_and_no_event_in_silence(
    own_redis, tmp_path, record_property
):
    async def broadcast(house):
        replies = []
        while len(replies) < 400:
            replies.append(await house.other.call("say", data=len(replies)))
            await asyncio.sleep(0.005)  # they are to last longer than what interrupts them
        await until_said(house.other, "end")
        return [reply["status"] for reply in replies]

    async def interrupted():
        for _ in range(2):
            await asyncio.sleep(0.5)  # amid the broadcasts
            own_redis.kill()
            await asyncio.sleep(0.3)  # an outage
            own_redis.start()

    async with houses(own_redis, tmp_path, 250) as opened:
        *statuses, _ = await asyncio.gather(*map(broadcast, opened), interrupted())
        missed = 0
        for house, replies in zip(opened, statuses, strict=True):
            assert set(replies) == {204, 503}
            for each in house.all:
                (*said, _), resynced = await each.said("end")
                assert said == sorted(set(said))
                assert resynced or len(said) == 400
                missed += len(said) < 400
    record_property("members who missed some, and were told", missed)


@pytest.mark.programme(seconds=20)
async def test_whoever_is_in_a_group_is_what_was_asked_for_whenever_redis_dies(own_redis, tmp_path):
    """A walk at random: join, leave, say, and now and then an end of Redis."""
    async with houses(own_redis, tmp_path, 4) as opened:
        walks = [Walk(house, random.Random(1)) for house in opened]
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(end_now_and_then(own_redis, random.Random(1)))
            walking = [tasks.create_task(walk.go(6)) for walk in walks]
            await asyncio.wait(walking)
            ending.cancel()
        for walk in walks:
            await walk.arrive()


async def end_now_and_then(redis, chance):
    while True:
        await asyncio.sleep(chance.uniform(0.2, 2))  # at any moment
        redis.kill()
        await asyncio.sleep(chance.uniform(0, 1))  # for as long as it may be
        redis.start()


class Walk:
    """Who is in which group, as the replies say: nobody else may have what is said there."""

    def __init__(self, house, chance):
        self._house = house
        self._chance = chance
        self._groups = {"room": set(range(5)), "red": set(), "green": set(), "blue": set()}
        #: Of each thing that was said: the group, who is owed it, and who may have it.
        self._said = []

    async def go(self, seconds):
        ending = time.monotonic() + seconds
        while time.monotonic() < ending:
            who, group = self._chance.randrange(5), self._chance.choice(["red", "green", "blue"])
            step = self._chance.choice([self._join, self._leave, self._say, self._say])
            await step(who, group)
            await asyncio.sleep(0.005)  # a walk for as long as Redis dies again and again

    async def _join(self, who, group):
        # From the moment that it is asked for.
        self._groups[group].add(who)
        for where, _, may_have in self._said:
            if where == group:  # it may be under way still
                may_have.add(who)
        assert (await self._house.all[who].call("join", group=group))["status"] == 204

    async def _leave(self, who, group):
        if who not in self._groups[group]:
            return
        assert (await self._house.all[who].call("leave", group=group))["status"] == 204
        self._groups[group].discard(who)

    async def _say(self, who, group):
        """Say the next number; a reply that it failed leaves open whether others were told."""
        data = len(self._said)
        self._said.append((group, set(self._groups[group]), set(self._groups[group])))
        return await self._house.all[who].call("say", group=group, data=data)

    async def arrive(self):
        """Once Redis is back, each group has its members, who know whatever they missed."""
        for member in self._house.all:
            await until_said(member, "nothing", group="none")
        await asyncio.sleep(3)  # until every process has found it back
        last = {}
        for group in self._groups:
            last[group] = len(self._said)
            assert (await self._say(4, group))["status"] == 204
        for who, each in enumerate(self._house.all):
            # Those of one group come in order, and groups overtake one another.
            said, resynced = await each.said(
                *(last[group] for group, those in self._groups.items() if who in those)
            )
            assert len(said) == len(set(said))
            assert [number for number in said if who not in self._said[number][2]] == []
            owed = {number for number, (_, those, _) in enumerate(self._said) if who in those}
            assert resynced or owed <= set(said)
