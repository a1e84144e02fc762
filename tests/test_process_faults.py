"""Processes that die or stall: what the others over the same Redis notice of it."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
import redis.asyncio

from tests.layers.client import clients
from tests.layers.house import houses


@pytest.mark.programme(seconds=20)
async def test_a_process_that_is_killed_is_no_member_for_long_and_harms_no_other(
    own_redis, tmp_path
):
    expiry = 3
    async with houses(own_redis, tmp_path, 5, group_expiry=expiry) as opened:
        for house in opened:
            house.here.process.kill()
        begun = time.monotonic()
        for house in opened:
            for each in house.members:
                await each.ws.wait_closed()
            async with clients(house.there, 5) as house.members:
                await house.all_hear("others", 50)
        await asyncio.sleep(begun + expiry + 1 - time.monotonic())  # until the layer forgets
        core = opened[0]
        assert (await core.other.call("say", data="clears"))["status"] == 204
        async with redis.asyncio.Redis(port=own_redis.port) as connection:
            group = f"{core.layer['CONFIG']['prefix']}:group:room"
            assert await connection.zcard(group) == 1


async def say_again_and_again(member, data):
    """Say something to who may have no room for it yet."""
    while True:
        assert (await member.call("say", data=data))["status"] == 204
        await asyncio.sleep(0.2)


@pytest.mark.programme(seconds=20)
async def test_a_burst_to_a_process_that_stalls_is_whole_for_others_and_reported_to_its_members(
    own_redis, tmp_path, record_property
):
    async with houses(own_redis, tmp_path, 20) as opened:
        for house in opened:
            house.here.process.send_signal(signal.SIGSTOP)
            try:
                assert (await house.other.call("say", data=0, count=400))["status"] == 204
            finally:
                house.here.process.send_signal(signal.SIGCONT)
            assert (await house.other.said(399))[0] == list(range(400))
            ending = asyncio.create_task(say_again_and_again(house.other, "end"))
            for each in house.members:
                (*said, _), resynced = await each.said("end")
                assert said == sorted(set(said))
                assert resynced or len(said) == 400
            ending.cancel()
            record_property(house.layer["BACKEND"].rpartition(".")[2], f"{len(said)} of 400")
