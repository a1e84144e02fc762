"""Clients as servers meet them: polite ones, and those that hang up or read nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

from websockets.asyncio.client import connect

from tests.hostile.protocol import HANDSHAKE, frame

#: What a server holds of a client that is there: when it has left, none of it may stay.
HOLDINGS = ("tasks", "members")


def open_socket(server, path="", **options):
    # A server takes connections before it has started.
    options = {"open_timeout": 60, **options}
    return connect(server.uri + path, proxy=None, compression=None, **options)


async def call(ws, action, **parameters):
    """Return the reply to a call; events that come first are passed over."""
    await ws.send(json.dumps({"action": action, **parameters}))
    while True:
        message = json.loads(await ws.recv())
        if isinstance(message, dict) and "event" not in message:
            return message


async def held(server):
    """Return what the server holds, the connection that asks included."""
    async with open_socket(server) as ws:
        return (await call(ws, "state"))["data"]


async def let_go(server, before, seconds, what=HOLDINGS):
    """Return what the server holds once it holds no more of `what` than `before`."""
    async with asyncio.timeout(seconds):
        while True:
            found = await held(server)
            if all(found[each] <= before[each] for each in what):
                return found
            await asyncio.sleep(0.1)  # a server tells what it holds, and not when that changes


class Rude:
    """A client that reads only what it is told to."""

    def __init__(self, server):
        self._port = server.port

    async def __aenter__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self._port))
        await loop.sock_sendall(self.socket, HANDSHAKE)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await loop.sock_recv(self.socket, 1)
        return self

    async def __aexit__(self, *error):
        self.socket.close()

    async def send(self, action, **parameters):
        """Send a request of less than 126 bytes."""
        request = json.dumps({"action": action, **parameters}).encode()
        await asyncio.get_running_loop().sock_sendall(self.socket, frame(1, request))

    def reset(self):
        """Leave without a word: the line is dead at once."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
