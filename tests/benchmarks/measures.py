"""What a worker can be asked to measure. Each function takes one repetition."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from tests.benchmarks.exchange import exchange
from tests.benchmarks.fanout import Hall
from tests.benchmarks.load import load
from tests.benchmarks.memory import idle
from tests.benchmarks.scene import Scene
from tests.benchmarks.server import serve
from tests.benchmarks.spread import spread

if TYPE_CHECKING:
    from tests.benchmarks.worker import Bench

__all__ = [
    "delivered",
    "exchanges",
    "fill",
    "loaded",
    "memory",
    "repeated",
    "reply",
    "served",
    "stalled",
    "told",
]

#: Requests that are asked before the clock runs.
_WARM = 20
#: Seconds after which a repetition has failed.
_PATIENCE = 60
#: How many requests fill a repetition, by scene and seconds: worked out by the first.
_counts: dict[tuple[str, float, int], int] = {}
#: The ports of the scenes that are served.
_ports: dict[str, int] = {}


def fill(bench: Bench) -> None:
    """Make the table of books."""
    from tests.benchmarks import project

    project.fill()


def reply(bench: Bench, scene: str, whole: bool = False) -> Any:
    """Return what all contenders must agree on: the data of the reply, or all of it."""
    asked: Scene = bench.scene(scene)

    async def once() -> Any:
        async with exchange(asked, bench.user) as connection:
            return await connection.reply()

    answer = bench.runner.run(once())
    return answer if whole else asked.data(answer)


def exchanges(bench: Bench, scene: str, seconds: float, sockets: int = 1) -> tuple[float, float]:
    """Return the seconds of one exchange, and those of CPU time: each socket has one in flight.

    Args:
        bench: The worker's.
        scene: What is asked.
        seconds: About how long the repetition lasts.
        sockets: How many connections ask at once.
    """
    asked: Scene = bench.scene(scene)

    async def repetition() -> tuple[float, float]:
        async with asyncio.timeout(_PATIENCE), AsyncExitStack() as stack:
            connections = [
                await stack.enter_async_context(exchange(asked, bench.user)) for _ in range(sockets)
            ]

            async def run(times: int) -> tuple[float, float]:
                began, cpu = time.perf_counter(), time.process_time()
                await asyncio.gather(*(each.ask(times) for each in connections))
                cpu, taken = time.process_time() - cpu, time.perf_counter() - began
                return taken / (times * sockets), cpu / (times * sockets)

            key = (scene, seconds, sockets)
            warm, cpu = await run(1 if sockets > 1 else _WARM)
            if warm * sockets > seconds:  # so slow that nothing has to be warm
                return warm, cpu
            count = _counts.setdefault(key, max(1, int(seconds / (warm * sockets))))
            return await run(count)

    return bench.runner.run(repetition())


def stalled(bench: Bench, echo: str, sleep: str, seconds: float) -> tuple[float, float]:
    """Return the 99th percentile of echoes, in seconds, alone and while all workers sleep."""

    async def repetition() -> tuple[float, float]:
        async with AsyncExitStack() as stack:
            asking = await stack.enter_async_context(exchange(bench.scene(echo), bench.user))
            await asking.ask(_WARM)
            alone = await _percentile(asking.ask, seconds)
            sleepers = [
                await stack.enter_async_context(exchange(bench.scene(sleep), bench.user))
                for _ in range(bench.contender.WORKERS)
            ]
            sleeping = [asyncio.create_task(each.ask(1)) for each in sleepers]
            await asyncio.sleep(0.1)  # by then they all sleep; nothing tells when each begins
            beside = await _percentile(asking.ask, seconds)
            await asyncio.gather(*sleeping)
            return alone, beside

    return bench.runner.run(repetition())


async def _percentile(ask: Callable[[int], Awaitable[None]], seconds: float) -> float:
    """Return the 99th percentile of what is asked every half millisecond."""
    taken: list[float] = []
    ending = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ending:
        await ask(1)
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.0005)  # the pace of the echoes
    taken.sort()
    return taken[int(len(taken) * 0.99)]


def repeated(bench: Bench, scene: str, seconds: float) -> float:
    """Return the seconds of one run of what a scene returns."""
    work: Callable[[], Any] = bench.scene(scene)

    async def plain(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - began) / times

    async def awaited(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            await work()
        return (time.perf_counter() - began) / times

    async def repetition() -> float:
        run = awaited if inspect.iscoroutinefunction(work) else plain
        key = (scene, seconds, 0)
        return await run(_counts.setdefault(key, max(1, int(seconds / await run(_WARM)))))

    return bench.runner.run(repetition())


def memory(bench: Bench, scene: str, connections: int) -> float:
    """Return the bytes of an idle connection."""
    return bench.runner.run(idle(bench.scene(scene), bench.user, connections))


def delivered(bench: Bench, scene: str, seconds: float, members: int) -> tuple[float, float]:
    """Return the seconds of one delivery of an event to a group, and those of CPU time."""
    return bench.runner.run(Hall(bench.scene(scene), bench.user, members).measure(seconds))


def served(bench: Bench, scene: str) -> dict[str, Any]:
    """Serve a scene, unless it is served already, and return what a client needs to know."""
    asked: Scene = bench.scene(scene)
    if scene not in _ports:
        _ports[scene] = serve(asked, bench.user)
    return {"port": _ports[scene], "text": asked.request, "pid": os.getpid()}


def loaded(bench: Bench, **arguments: Any) -> tuple[float, float, float]:
    """Return replies a second, and for each the server's and the clients' seconds of CPU."""
    return load(**arguments)


def told(bench: Bench, **arguments: Any) -> tuple[float, float, float]:
    """Return the seconds of one delivery, and for each the servers' and the clients' of CPU."""
    return spread(**arguments)
