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
_WARM = 0.5  # seconds
#: Bytes of the longest head of a frame of less than 64 KiB; no frame of a server is shorter.
_HEAD = 4
# For what any connection reads: one of its own for each read would take longer than the read.
_BUFFER = bytearray(65_536)
_VIEW = memoryview(_BUFFER)


class _Client:
    """A connection, and what is to come of a frame that is not whole yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._left = 0
        self._event = False

    def read(self) -> int:
        """Return how many events came."""
        size = self._more(0, len(_BUFFER) - _HEAD)
        end, events = self._left, 0
        while end < size:
            events += self._event
            while size < end + _HEAD:
                size += self._more(size, end + _HEAD - size)
            self._event = _BUFFER[end] == 0x81  # and no ping
            end = _end(end)
        self._left = end - size
        if not self._left:
            events += self._event
            self._event = False
        return events

    def _more(self, start: int, size: int) -> int:
        if not (size := self.connection.recv_into(_VIEW[start:], size)):
            raise RuntimeError("The server closed a connection.")
        return size


def _end(start: int) -> int:
    """Return where the frame ends whose head is in the buffer."""
    size = _BUFFER[start + 1]
    if size == 126:
        size = 2 + int.from_bytes(_BUFFER[start + 2 : start + 4])
    return start + 2 + size


def spread(
    servers: Sequence[dict[str, Any]], sockets: int, in_flight: int, seconds: float
) -> tuple[float, float, float]:
    """Return the seconds of one delivery, and for each the servers' and our own seconds of CPU.

    Args:
        servers: As `load` takes each: the first is asked to tell everybody.
        sockets: How many clients each has.
        in_flight: How many events are under way at once, each told by another client.
        seconds: How long to count, once everybody is warm.
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
        # Who tells is as far apart as can be: one connection's requests wait for one another.
        tellers = clients[:: len(clients) // in_flight][:in_flight]
        tell = [client.connection.sendall for client in tellers]
        _deliver(selector, tell, request, len(clients), _WARM)
        pids = {server["pid"] for server in servers}
        cpu, own, began = _cpu(pids), cpu_of(os.getpid()), time.perf_counter()
        events = _deliver(selector, tell, request, len(clients), seconds)
        cpu, own = _cpu(pids) - cpu, cpu_of(os.getpid()) - own
        taken = time.perf_counter() - began
        return taken / events, cpu / events, own / events


def _deliver(
    selector: selectors.BaseSelector,
    tell: Sequence[Callable[[bytes], None]],
    request: bytes,
    members: int,
    seconds: float,
) -> int:
    """Tell all for so many seconds, at least once, and return how many were told in all."""
    for each in tell:
        each(request)
    told, events, ending = len(tell), 0, time.perf_counter() + seconds
    while events < told * members:
        if not (ready := selector.select(_PATIENCE)):
            raise RuntimeError(f"Of {told * members} events {events} came.")
        for key, _ in ready:
            events += key.data.read()
        while told - events // members < len(tell) and time.perf_counter() < ending:
            tell[told % len(tell)](request)
            told += 1
    return events


def _cpu(pids: set[int]) -> float:
    return sum(map(cpu_of, pids))
