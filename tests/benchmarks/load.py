"""Many clients over sockets, in one process: frames by hand, so that the server is what is slow."""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time

__all__ = ["connected", "cpu_of", "frame_of", "load"]

_MASK = b"\x11\x22\x33\x44"
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
_PATIENCE = 10  # seconds
_WARM = 0.1  # seconds


def load(
    port: int, text: str, pid: int, clients: int, in_flight: int, seconds: float
) -> tuple[float, float, float]:
    """Return replies a second, and for each reply the server's and our own seconds of CPU.

    Args:
        port: The server's, on loopback.
        text: The request.
        pid: The server's process.
        clients: How many connections there are.
        in_flight: How many requests each keeps in flight.
        seconds: How long to count, once all are connected and warm.
    """
    frame = frame_of(text)
    sockets = [connected(port) for _ in range(clients)]
    size = _size_of_reply(sockets[0], frame)
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ, [0])
            each.sendall(frame * in_flight)
        _answer(selector, frame, size, _WARM)
        cpu, own, began = cpu_of(pid), cpu_of(os.getpid()), time.perf_counter()
        replies = _answer(selector, frame, size, seconds)
        cpu, own = cpu_of(pid) - cpu, cpu_of(os.getpid()) - own
        seconds = time.perf_counter() - began
    for each in sockets:
        each.close()
    return replies / seconds, cpu / replies, own / replies


def _answer(selector: selectors.BaseSelector, frame: bytes, size: int, seconds: float) -> int:
    """Ask again for each reply, for so many seconds, and return how many replies there were."""
    replies = 0
    ending = time.perf_counter() + seconds
    while time.perf_counter() < ending:
        ready = selector.select(_PATIENCE)
        if not ready:
            raise RuntimeError("The server does not reply.")
        for key, _ in ready:
            assert isinstance(key.fileobj, socket.socket)
            if not (data := key.fileobj.recv(65536)):
                raise RuntimeError("The server closed a connection.")
            # All replies are the same: what is left of one waits in the bytes that are to come.
            count, key.data[0] = divmod(key.data[0] + len(data), size)
            if count:
                key.fileobj.sendall(frame * count)
                replies += count
    return replies


def connected(port: int) -> socket.socket:
    """Open a connection to a server on loopback, and have it accepted."""
    connection = socket.create_connection(("127.0.0.1", port), _PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(_HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            break
        head += byte
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"The server does not accept: {head!r}")
    return connection


def _size_of_reply(connection: socket.socket, frame: bytes) -> int:
    """Ask once and return the size of the frame that comes back."""
    connection.sendall(frame)
    data = connection.recv(65536)
    size = data[1] + 2 if data[1] < 126 else int.from_bytes(data[2:4], "big") + 4
    if data[0] != 0x81 or len(data) != size:
        raise RuntimeError(f"It is not one text frame: {data!r}")
    return size


def frame_of(text: str) -> bytes:
    """Return a masked text frame of up to 65,535 bytes."""
    data = text.encode()
    masked = bytes(each ^ _MASK[index % 4] for index, each in enumerate(data))
    if len(data) < 126:
        return bytes((0x81, 0x80 | len(data))) + _MASK + masked
    return bytes((0x81, 0xFE)) + len(data).to_bytes(2, "big") + _MASK + masked


def cpu_of(pid: int) -> float:
    """Return the CPU time of a process, in seconds; nan where only Linux would tell."""
    return time.clock_gettime((~pid << 3) | 2) if sys.platform == "linux" else float("nan")
