"""What a worker can be asked to measure. Each function takes one repetition."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from tests.benchmarks.exchange import exchange
from tests.benchmarks.scene import Scene

if TYPE_CHECKING:
    from tests.benchmarks.worker import Bench

__all__ = ["exchanges", "fill", "reply", "resolving", "stalled"]

#: Requests that are asked before the clock runs.
_WARM = 20
#: How many requests fill a repetition, by scene and seconds: worked out by the first.
_counts: dict[tuple[str, float, int], int] = {}


def fill(bench: Bench) -> None:
    """Make the table of books."""
    from tests.benchmarks import project

    project.fill()


def reply(bench: Bench, scene: str, raw: bool = False) -> Any:
    """Return what all contenders must agree on: the data of the reply, or all of it."""
    asked: Scene = bench.scene(scene)

    async def once() -> Any:
        async with exchange(asked, bench.user) as connection:
            return await connection.reply()

    whole = bench.runner.run(once())
    return whole if raw else asked.data(whole)


def exchanges(bench: Bench, scene: str, seconds: float, sockets: int = 1) -> float:
    """Return the seconds of one exchange, each socket with one in flight.

    Args:
        bench: The worker's.
        scene: What is asked.
        seconds: About how long the repetition lasts.
        sockets: How many connections ask at once.
    """
    asked: Scene = bench.scene(scene)

    async def repetition() -> float:
        async with AsyncExitStack() as stack:
            connections = [
                await stack.enter_async_context(exchange(asked, bench.user)) for _ in range(sockets)
            ]

            async def run(times: int) -> float:
                began = time.perf_counter()
                await asyncio.gather(*(each.ask(times) for each in connections))
                return (time.perf_counter() - began) / (times * sockets)

            key = (scene, seconds, sockets)
            warm = await run(1 if sockets > 1 else _WARM)
            count = _counts.setdefault(key, max(1, int(seconds / (warm * sockets))))
            return await run(count)

    return bench.runner.run(repetition())


def stalled(bench: Bench, echo: str, sleep: str, sockets: int) -> dict[str, float]:
    """Return the 99th percentile of echoes, in seconds, alone and while all workers sleep."""

    async def repetition() -> dict[str, float]:
        async with AsyncExitStack() as stack:
            asking = await stack.enter_async_context(exchange(bench.scene(echo), bench.user))
            await asking.ask(_WARM)
            alone = await _percentile(lambda: asking.ask(1))
            sleepers = [
                await stack.enter_async_context(exchange(bench.scene(sleep), bench.user))
                for _ in range(sockets)
            ]
            sleeping = [asyncio.create_task(each.ask(1)) for each in sleepers]
            await asyncio.sleep(0.1)
            beside = await _percentile(lambda: asking.ask(1))
            await asyncio.gather(*sleeping)
            return {"alone": alone, "beside": beside}

    return bench.runner.run(repetition())


async def _percentile(ask: Callable[[], Awaitable[None]], seconds: float = 0.5) -> float:
    """Return the 99th percentile of what is asked for half a second, every millisecond."""
    taken: list[float] = []
    ending = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ending:
        await ask()
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.001)
    taken.sort()
    return taken[int(len(taken) * 0.99)]


def resolving(bench: Bench, scene: str, times: int) -> float:
    """Return the seconds of one resolved route."""
    resolve: Callable[[], Any] = bench.scene(scene)

    async def repetition() -> float:
        began = time.perf_counter()
        for _ in range(times):
            resolve()
        return (time.perf_counter() - began) / times

    async def awaited() -> float:
        began = time.perf_counter()
        for _ in range(times):
            await resolve()
        return (time.perf_counter() - began) / times

    return bench.runner.run(awaited() if inspect.iscoroutinefunction(resolve) else repetition())
