"""Events at a steady rate over Redis: none is lost in silence, and each comes soon."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress

import pytest

from tests.crowd.client import open_socket
from tests.layers.client import served
from tests.redis_server import layer_of


class Listener:
    """A member that notes how long events were under way, and sees to their numbers.

    Attributes:
        spent: Seconds of each.
        unreported: How many numbers were left out without a word to resync.
    """

    def __init__(self, ws):
        self.ws = ws
        self.spent = []
        self.unreported = 0
        self._last = None
        self._resynced = False

    async def read(self):
        async for text in self.ws:
            event = json.loads(text)
            if event.get("event") == "aaah.resync":
                self._resynced = True
            elif "event" in event:
                self._note(*event["data"])

    def _note(self, number, begun):
        self.spent.append(time.time() - begun)
        if self._last is not None and number != self._last + 1:
            self.unreported += not self._resynced
            self._resynced = False
        self._last = number


async def told(server, path, rate, seconds):
    """Let one member tell all at a rate: a number, and when it was to go out."""
    action = {"action": "tick", "rate": rate, "seconds": seconds}
    async with asyncio.timeout(seconds + 120), open_socket(server, path) as ws:
        await ws.send(json.dumps(action))
        while "status" not in (reply := json.loads(await ws.recv())) or "event" in reply:
            pass
        return reply["data"]


async def listen(redis, folder, path, count, rate, seconds):
    """Return the members of two processes, and how many events they were told."""
    layer = layer_of("core", redis.port, prefix=path.strip("/") or "ours")
    with served(layer, folder, 2) as servers:
        async with AsyncExitStack() as stack:
            members = []
            for server in servers:
                for _ in range(count):
                    ws = open_socket(server, path, max_queue=None)
                    members.append(Listener(await stack.enter_async_context(ws)))
            reading = [asyncio.create_task(each.read()) for each in members]
            events = await told(servers[1], path, rate, seconds)
            await until_all_came(members, events * len(members))
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)
    return members, events


async def until_all_came(members, count):
    """Wait until so many events came, or for long enough to know that some will not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while sum(len(each.spent) for each in members) < count:  # noqa: ASYNC110 - of a process
                await asyncio.sleep(0.05)


def worst_of_hundred(members):
    """Return the 99th percentile in milliseconds."""
    spent = sorted(seconds for each in members for seconds in each.spent)
    return spent[int(len(spent) * 0.99)] * 1_000


def check(members, events):
    assert sum(each.unreported for each in members) == 0
    assert sum(len(each.spent) for each in members) == events * len(members)


async def test_events_at_a_steady_rate_all_arrive(redis, tmp_path):
    members, events = await listen(redis, tmp_path, "", count=10, rate=100, seconds=0.3)
    assert events > 10
    check(members, events)


@pytest.mark.programme(seconds=80, alone=True)
async def test_10000_deliveries_a_second_leave_no_gap_and_are_as_quick_as_raw_ones(
    own_redis, tmp_path, record_property
):
    """Two processes of 250 members each are told 20 events a second."""
    for each in ("ours", "raw"):
        (tmp_path / each).mkdir()
    raw, _ = await listen(own_redis, tmp_path / "raw", "raw/", 250, rate=20, seconds=5)
    ours, events = await listen(own_redis, tmp_path / "ours", "", 250, rate=20, seconds=60)
    record_property("deliveries", sum(len(each.spent) for each in ours))
    record_property("p99", f"{worst_of_hundred(ours):.1f} ms, raw {worst_of_hundred(raw):.1f} ms")
    check(ours, events)
    assert events == 20 * 60
    assert worst_of_hundred(ours) <= 3 * worst_of_hundred(raw)
