"""Where peers are installed: an environment of their own, made on first use."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import importlib_metadata

__all__ = ["CACHE", "ROOT", "Missing", "peers"]

ROOT = Path(__file__).parents[2]
#: Git-ignored: what can be made again.
CACHE = ROOT / ".benchmarks"

#: What the peers' own documentation says to install.
_PEERS = (
    "rest-framework-channels==0.0.7",
    "djangochannelsrestframework==1.3.0",
    "chanx[channels]==2.13.0",
)
#: What all contenders stand on, in the version that is installed here.
_SHARED = (
    "asgiref",
    "channels",
    "django",
    "djangorestframework",
    "psycopg",
    "psycopg-binary",
    "uvicorn",
    "websockets",
)


class Missing(Exception):
    """Something that a case needs is not here; the message says what, and why."""


@cache
def peers() -> Path:
    """Return the Python of the environment with the peers.

    Raises:
        Missing: It could not be made.
    """
    folder = CACHE / f"peers-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    packages = [*_PEERS, *(f"{name}=={importlib_metadata.version(name)}" for name in _SHARED)]
    ready = folder / "ready"
    if ready.exists() and ready.read_text() == repr(packages):
        return python
    print(f"Making an environment for the peers in {folder} …", file=sys.stderr)
    _run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _run("uv", "pip", "install", "--quiet", "--python", str(python), *packages)
    ready.write_text(repr(packages))
    return python


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Missing("there is no command uv to make the peers' environment with") from error
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(command)}: {error.stderr.strip()}") from error
