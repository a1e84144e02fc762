"""What Channels people write works over each channel layer, from whichever process it comes."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import redis.asyncio

from tests.conftest import python
from tests.layers.client import clients, served

WHISPER = {"type": "chat.whisper", "text": "psst"}


@pytest.fixture(scope="module")
def servers(layer, tmp_path_factory):
    """Two processes of one layer; one where a layer is a process's own."""
    count = 1 if "InMemory" in layer["BACKEND"] else 2
    with served(layer, tmp_path_factory.mktemp("layer"), count) as started:
        yield started


@pytest.fixture
def here(servers):
    return servers[0]


@pytest.fixture
def there(servers):
    return servers[-1]


@asynccontextmanager
async def members(here, there):
    """Give some in one process, and one in the other."""
    async with clients(here, 3) as those, clients(there, 1) as (other,):
        yield those, other


async def test_members_get_what_another_process_publishes_in_order(here, there):
    async with members(here, there) as (those, other):
        await other.call("say", data=0, count=20)
        for each in (*those, other):
            assert [await each.event("said") for _ in range(20)] == list(range(20))


async def test_who_was_added_in_connect_gets_what_another_process_sends_the_group(here, there):
    async with members(here, there) as (those, other):
        await other.call("group_send", group="whispers", message=WHISPER)
        for each in (*those, other):
            assert await each.event("whisper") == "psst"


async def test_a_consumer_of_channels_and_one_of_ours_share_a_group(here, there):
    async with clients(here, 1) as (ours,), clients(there, 1, "raw/") as (raw,):
        await ours.call("group_send", group="whispers", message=WHISPER)
        for each in (ours, raw):
            assert await each.event("whisper") == "psst"


async def test_what_is_sent_to_a_channel_name_reaches_that_connection_alone(here, there):
    async with members(here, there) as (those, other):
        name = (await those[1].call("name"))["data"]
        await other.call("tell", channel=name, message=WHISPER)
        assert await those[1].event("whisper") == "psst"
        await other.call("say", data="all")
        for each in (*those, other):
            assert await each.event("said") == "all"


async def test_who_leaves_a_group_gets_nothing_more_of_it(here, there):
    async with members(here, there) as (those, other):
        for each in those:
            await each.call("join", group="shelf")
        await those[0].call("leave", group="shelf")
        await other.call("group_send", group="shelf", message=WHISPER)
        for each in those[1:]:
            assert await each.event("whisper") == "psst"
        await other.call("say", data="all")
        assert await those[0].event("said") == "all"


async def test_a_burst_reaches_every_member_whole(here, there):
    async with members(here, there) as (those, other):
        await other.call("say", data=0, count=400)
        for each in (*those, other):
            assert [await each.event("said") for _ in range(400)] == list(range(400))


SCRIPT = """
import django

django.setup()
from aaah_core import publish

publish("room", "said", "from a script")
"""


@pytest.mark.parametrize("layer", ["core", "pubsub"], indirect=True, scope="module")
async def test_members_get_what_a_script_without_a_loop_publishes(here, layer):
    async with clients(here, 2) as those:
        settings = {"DJANGO_SETTINGS_MODULE": "tests.layers.settings", "LAYER": json.dumps(layer)}
        await asyncio.to_thread(python, SCRIPT, **settings)
        for each in those:
            assert await each.event("said") == "from a script"


@pytest.mark.parametrize("layer", ["core"], indirect=True, scope="module")  # which keeps a list
async def test_a_process_is_in_a_group_of_redis_once_whoever_is_in_it(here, there, layer):
    async with members(here, there):
        config = layer["CONFIG"]
        async with redis.asyncio.Redis(port=config["hosts"][0]["port"]) as connection:
            assert await connection.zcard(f"{config['prefix']}:group:room") == 2


async def test_nothing_is_said_of_what_is_rolled_back(here, there):
    async with members(here, there) as (those, other):
        for fails in ("whole", "part", "nothing"):
            assert (await other.call("save", fails=fails))["status"] == 204
        for each in (*those, other):
            said = [await each.event("said") for _ in range(5)]
            assert said == ["first", "third", "first", "second", "third"]


async def test_an_event_of_a_type_that_nobody_knows_is_logged_and_ends_nothing(here, there):
    async with members(here, there) as (those, other):
        await other.call("group_send", group="room", message={"type": "no.such"})
        await other.call("say", data="next")
        for each in (*those, other):
            assert await each.event("said") == "next"
        assert here.log.read_text().count("Room has no method for events of type 'no.such'") == 1


async def test_an_event_in_the_form_of_a_later_release_is_a_word_to_resync(here, there):
    async with members(here, there) as (those, other):
        later = {"type": "aaah.event", "v": 99, "group": "room", "said": "otherwise"}
        await other.call("group_send", group="room", message=later)
        await other.call("say", data="next")
        for each in (*those, other):
            assert await each.said("next") == (["next"], True)
