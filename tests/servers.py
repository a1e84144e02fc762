"""Real servers, each in a process of its own, on a free loopback port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.redis_server import end_with_parent

ROOT = Path(__file__).parents[1]

#: By name: the command, but for the listening socket and the application.
COMMANDS = {
    "uvicorn": [
        *("uvicorn", "--ws", "websockets-sansio", "--lifespan", "off", "--no-access-log"),
        *("--log-level", "warning"),
    ],
    # On a busy machine a handshake takes longer than the 5 seconds after which it says 403.
    "daphne": ["daphne", "-v", "0", "--websocket_connect_timeout", "60"],
}

#: Likewise, of those that only the programme asks.
OTHERS = {
    "wsproto": [*COMMANDS["uvicorn"], "--ws", "wsproto"],
    "hypercorn": ["hypercorn", "--log-level", "WARNING"],
}


@dataclass
class Server:
    """A server that runs.

    Attributes:
        port: Its port on loopback.
        process: Its process.
        log: What it wrote so far is in this file.
    """

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def uri(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def memory(self) -> int:
        """The bytes that it holds now."""
        return psutil.Process(self.process.pid).memory_info().rss

    @property
    def descriptors(self) -> int:
        return psutil.Process(self.process.pid).num_fds()


@contextmanager
def serving(
    name: str, application: str, folder: Path, *options: str, **environment: str
) -> Iterator[Server]:
    """Serve an application with a server of `COMMANDS` or `OTHERS`, and end it when the block ends.

    Args:
        name: The server.
        application: Module and attribute, as in ``tests.hostile.asgi:application``.
        folder: Where its log and its temporary files go.
        options: More of its command line.
        environment: More of its environment.
    """
    log = folder / f"{name}.log"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener, log.open("wb") as out:
        # What is accepted inherits it: uvicorn does not set it where it is given a socket.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        given = str(listener.fileno())
        given = ["--bind", f"fd://{given}"] if name == "hypercorn" else ["--fd", given]
        command = [*(COMMANDS | OTHERS)[name], *given, *options, application]
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=_environment(folder) | environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
            preexec_fn=_hear,  # noqa: PLW1509 - it calls the system only
        )
        try:
            yield Server(listener.getsockname()[1], process, log)
        except BaseException as error:
            error.add_note(f"{name} wrote: {log.read_text()[-5_000:]}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)


def _hear() -> None:
    """Be told of the end of who started this process, and of SIGINT."""
    end_with_parent(signal.SIGTERM)
    # Who runs in the background of a shell is born deaf to it, and so are its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _environment(folder: Path) -> dict[str, str]:
    # pytest-django has set the settings of the tests for all children.
    known = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**known, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
