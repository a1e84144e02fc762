"""Many connections at once, and many that come and go: no reply is lost, and nothing stays."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack

import pytest

from tests.benchmarks.environments import Missing
from tests.benchmarks.postgres import postgres as running
from tests.crowd.client import HOLDINGS, Rude, call, let_go, open_socket
from tests.crowd.load import senders
from tests.servers import serving

APPLICATION = "tests.crowd.asgi:application"
ECHO = {"action": "echo", "value": "x" * 100}
ROW = {"action": "row"}


@pytest.fixture(scope="module")
def postgres():
    try:
        with running() as database:
            yield database
    except Missing as error:
        pytest.skip(str(error))


def served(folder, database=None):
    environment = {"CROWD_DATABASE": json.dumps(database)} if database else {}
    return serving("uvicorn", APPLICATION, folder, "--backlog", "1024", **environment)


async def steady(server, path, count, rate, seconds, rows):
    """Send steadily on so many connections while others ask the database; return both ledgers."""
    async with (
        senders(server, count, ECHO, path) as echoing,
        senders(server, 20, ROW) as asking,
    ):
        await asyncio.gather(echoing.steadily(rate, seconds), asking.steadily(rows, seconds))
        await asyncio.gather(echoing.all_answered(), asking.all_answered())
    return echoing.ledger, asking.ledger


async def test_under_load_each_message_has_one_reply(tmp_path):
    with served(tmp_path) as server:
        echoed, found = await steady(server, "", 30, rate=300, seconds=1, rows=50)
    assert len(echoed.spent) > 100
    assert len(found.spent) > 10
    assert echoed.surplus == found.surplus == 0


async def capacity(server, path):
    """Return how many messages a second 500 connections get answered, each waiting for its own."""
    async with senders(server, 500, ECHO, path, reading=False) as eager:
        return await eager.flat_out(5)


@pytest.mark.programme(seconds=110, alone=True)
async def test_500_connections_at_half_capacity_lose_no_reply_and_are_as_quick_as_raw_ones(
    tmp_path, postgres, record_property
):
    with served(tmp_path, postgres) as server:
        ours, raw = await capacity(server, ""), await capacity(server, "raw/")
        # At what half of ours is, a raw consumer would not keep up: they are compared at half of
        # the smaller, and ours is held to its own.
        rate = min(ours, raw) / 2
        slow, _ = await steady(server, "raw/", 500, rate, seconds=15, rows=200)
        quick, _ = await steady(server, "", 500, rate, seconds=15, rows=200)
        echoed, rows = await steady(server, "", 500, ours / 2, seconds=60, rows=200)
        log = server.log.read_text()
    record_property("capacity", f"{ours:.0f} messages/s, raw {raw:.0f}")
    record_property("answered at half of it", f"{len(echoed.spent)} echoes, {len(rows.spent)} rows")
    record_property("p99 there", f"{echoed.worst_of_hundred():.1f} ms")
    record_property(
        f"p99 at {rate:.0f} messages/s",
        f"{quick.worst_of_hundred():.1f} ms, raw {slow.worst_of_hundred():.1f} ms",
    )
    assert echoed.surplus == rows.surplus == 0
    assert len(rows.spent) >= 200 * 60 * 0.95
    assert quick.worst_of_hundred() <= 3 * slow.worst_of_hundred()
    assert "Traceback" not in log, log


@pytest.mark.programme(seconds=10, alone=True)
async def test_an_echo_takes_less_than_50_ms_while_sync_actions_sleep(tmp_path, record_property):
    with served(tmp_path) as server:
        async with (
            senders(server, 8, {"action": "sleep", "seconds": 1}) as sleeping,
            senders(server, 20, ECHO) as echoing,
        ):
            await asyncio.gather(sleeping.steadily(7, 8), echoing.steadily(200, 8))
            await asyncio.gather(sleeping.all_answered(), echoing.all_answered())
    record_property("p99", f"{echoing.ledger.worst_of_hundred():.1f} ms")
    assert echoing.ledger.worst_of_hundred() < 50


# Those that come and go.


async def come_and_go(server, chance, stay):
    """Come, call, and leave within so many seconds: politely, or in the middle of an action."""
    if chance.random() < 1 / 3:
        async with Rude(server) as client:
            await client.send(chance.choice(["wait", "sleep"]), seconds=chance.uniform(0.1, stay))
            await asyncio.sleep(0.05)
            if chance.random() < 0.5:
                client.reset()
        return
    async with open_socket(server) as ws:
        assert (await call(ws, "row"))["status"] == 200
        assert (await call(ws, "shout"))["status"] == 204
        await asyncio.sleep(chance.uniform(0, stay))
        assert (await call(ws, "echo", value=1))["data"] == 1


async def churn(server, rate, seconds, seed, stay=1):
    """Let clients come at a rate, and stay for so many seconds; return how many came."""
    chance = random.Random(seed)
    async with asyncio.TaskGroup() as clients:
        for _ in range(int(rate * seconds)):
            clients.create_task(come_and_go(server, chance, stay))
            await asyncio.sleep(1 / rate)
    return int(rate * seconds)


async def warm(server):
    """Let the server make all of its threads, and each of them its database connection."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_socket(server)) for _ in range(16)]
        replies = await asyncio.gather(*(call(client, "meet") for client in clients))
    assert {reply["status"] for reply in replies} == {200}, replies


async def idle(server):
    """Return what the server holds when nobody but who asks is there: its task, and the layer's."""
    return await let_go(server, {"tasks": 3, "members": 1}, 10)


async def test_nothing_is_left_of_clients_that_come_and_go(tmp_path):
    with served(tmp_path) as server:
        await warm(server)
        before = await idle(server)
        await churn(server, rate=40, seconds=1, seed=1, stay=0.3)
        after = await let_go(server, before, 6)
        assert after["descriptors"] <= before["descriptors"] + 2
        assert after["threads"] <= 20
        assert "Traceback" not in server.log.read_text()


def backends(database):
    import psycopg

    with psycopg.connect(
        host=database["HOST"], port=database["PORT"], user="postgres", dbname="postgres"
    ) as own:
        found = own.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchone()
    return found[0] - 1


async def fewest_backends(database, most):
    """Return how many the database has once those have ended that nobody is connected to."""
    async with asyncio.timeout(20):
        while (found := backends(database)) > most:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)
    return found


@pytest.mark.programme(seconds=300)
async def test_after_4800_clients_in_four_minutes_the_server_holds_what_it_held_before(
    tmp_path, postgres, record_property
):
    with served(tmp_path, postgres) as server:
        async with open_socket(server):
            pass  # whose clean-up makes the one thread that stays
        fresh = await idle(server)
        await warm(server)
        await churn(server, rate=20, seconds=20, seed=1)
        # A pool has as many threads as were busy not long ago: both times, all are to have ended.
        before = await let_go(server, fresh, 60, (*HOLDINGS, "threads"))
        backends_before = await fewest_backends(postgres, 0)
        count = await churn(server, rate=20, seconds=240, seed=2)
        # The layer drops what it holds for those who left when that is a minute old.
        rested = {**before, "channels": 1}
        after = await let_go(server, rested, 90, (*HOLDINGS, "channels", "threads"))
        backends_after = await fewest_backends(postgres, backends_before)
        log = server.log.read_text()
    grown = (after["memory"] - before["memory"]) / 2**20
    record_property("clients", count)
    for each in ("tasks", "threads", "descriptors", "members", "channels"):
        record_property(each, f"{before[each]} before, {after[each]} after")
    record_property("database backends", f"{backends_before} before, {backends_after} after")
    record_property("memory", f"{grown:+.1f} MB")
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["threads"] <= before["threads"]
    assert backends_after <= backends_before
    assert grown < 5
    assert "Traceback" not in log, log
