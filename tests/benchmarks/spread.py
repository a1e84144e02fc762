"""One event to many clients over sockets: who has had it is counted frame by frame."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from tests.benchmarks.load import connected, cpu_of, frame_of

__all__ = ["spread"]

_PATIENCE = 20  # seconds


class _Client:
    """A connection, and what it has of a frame that is not whole yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._rest = b""

    def read(self) -> int:
        """Return how many events came."""
        if not (data := self.connection.recv(262_144)):
            raise RuntimeError("The server closed a connection.")
        data, start, events = self._rest + data, 0, 0
        while (end := _end(data, start)) <= len(data):
            events += data[start] == 0x81  # and no ping
            start = end
        self._rest = data[start:]
        return events


def _end(data: bytes, start: int) -> int:
    """Return where a frame ends, as far as it is known already."""
    size = data[start + 1] if start + 4 <= len(data) else 126
    return (
        start
        + 4
        + (int.from_bytes(data[start + 2 : start + 4], "big") if size == 126 else size - 2)
    )


def spread(
    servers: Sequence[dict[str, Any]], sockets: int, in_flight: int, seconds: float
) -> tuple[float, float, float]:
    """Return the seconds of one delivery, and for each the servers' and our own seconds of CPU.

    Args:
        servers: As `load` takes each: the first is asked to tell everybody.
        sockets: How many clients each has.
        in_flight: How many events are under way at once.
        seconds: How long to count, once everybody has had an event.
    """
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        clients = []
        for server in servers:
            for _ in range(sockets):
                client = _Client(stack.enter_context(connected(server["port"])))
                selector.register(client.connection, selectors.EVENT_READ, client)
                clients.append(client)
        request = frame_of(servers[0]["text"])
        tell = clients[0].connection.sendall
        _deliver(selector, tell, request, len(clients), in_flight, 0)
        pids = {server["pid"] for server in servers}
        cpu, own, began = _cpu(pids), cpu_of(os.getpid()), time.perf_counter()
        events = _deliver(selector, tell, request, len(clients), in_flight, seconds)
        cpu, own = _cpu(pids) - cpu, cpu_of(os.getpid()) - own
        taken = time.perf_counter() - began
        return taken / events, cpu / events, own / events


def _deliver(
    selector: selectors.BaseSelector,
    tell: Callable[[bytes], None],
    request: bytes,
    members: int,
    in_flight: int,
    seconds: float,
) -> int:
    """Tell all for so many seconds, at least once, and return how many were told in all."""
    tell(request * in_flight)
    told, events, ending = in_flight, 0, time.perf_counter() + seconds
    while events < told * members:
        if not (ready := selector.select(_PATIENCE)):
            raise RuntimeError(f"Of {told * members} events {events} came.")
        for key, _ in ready:
            events += key.data.read()
        while told - events // members < in_flight and time.perf_counter() < ending:
            tell(request)
            told += 1
    return events


def _cpu(pids: set[int]) -> float:
    return sum(map(cpu_of, pids))
