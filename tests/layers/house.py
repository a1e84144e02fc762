"""Members of a group in two processes of a layer, who are to hear whatever is said there.

Both layers of `channels_redis` are served at once, so that they wait at the same time.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

from tests.layers.client import clients, served
from tests.redis_server import layer_of

REDIS_LAYERS = ("core", "pubsub")


class House:
    """Members in one process of a layer, and one in another."""

    def __init__(self, layer, servers, members, other):
        self.layer = layer
        self.here, self.there = servers[0], servers[-1]
        self.members, self.other = members, other

    @property
    def all(self):
        return [*self.members, self.other]

    async def all_hear(self, last, count):
        """Let the other say so many things, of which everybody must hear all."""
        for number in range(count):
            assert (await self.other.call("say", data=[last, number]))["status"] == 204
        for each in self.all:
            said, _ = await each.said([last, count - 1])
            assert said == [[last, number] for number in range(count)]

    def nothing_ended(self):
        """See that no connection and no task of a server ended by an exception."""
        # The pubsub layer logs a traceback of its own each time that it finds no Redis.
        logs = self.here.log.read_text() + self.there.log.read_text()
        assert "Exception in ASGI" not in logs, logs
        assert "never retrieved" not in logs, logs


@asynccontextmanager
async def houses(
    redis, folder, count, layers=REDIS_LAYERS, processes=2, server="uvicorn", **config
):
    """Open a house for each layer, with so many members."""
    with ExitStack() as servers:
        started = {}
        for name in layers:
            (own := folder / f"{name}-{server}").mkdir()
            layer = layer_of(name, redis.port, prefix=f"{own.parent.name}-{own.name}", **config)
            started[name] = layer, servers.enter_context(served(layer, own, processes, server))
        async with AsyncExitStack() as stack:
            opened = []
            for layer, running in started.values():
                members = await stack.enter_async_context(clients(running[0], count))
                [other] = await stack.enter_async_context(clients(running[-1], 1))
                opened.append(House(layer, running, members, other))
            for house in opened:
                await house.all_hear("opened", 1)
            yield opened


async def until_said(member, data, **parameters):
    """Say something until Redis takes it."""
    async with asyncio.timeout(20):
        while (await member.call("say", data=data, **parameters))["status"] != 204:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)
