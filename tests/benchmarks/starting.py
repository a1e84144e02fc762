"""How long `django.setup()` takes in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.benchmarks.environments import ROOT

__all__ = ["seconds_of_setup"]

_NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"
_SOURCE = """
import sys, time
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-benchmarks",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "channels",
        "rest_framework",
        *(["aaah_core"] if sys.argv[1] != "none" else []),
    ],
    AAAH={"PLUGINS": [...] if sys.argv[1] == "all" else []},
)
began, cpu = time.perf_counter(), time.process_time()
django.setup()
print(time.perf_counter() - began, time.process_time() - cpu)
"""


def seconds_of_setup(what: str) -> tuple[float, float]:
    """Return the seconds of `django.setup()` in a process of its own, and those of CPU time.

    Args:
        what: "all" for a project with every plugin, "core" for one with the core's own, "none" for
            one without AAAH.
    """
    command = [sys.executable, "-c", _SOURCE, what]
    # Modules are compiled at the first start, as they are where AAAH is installed.
    environment = {name: each for name, each in os.environ.items() if name != _NOT_COMPILED}
    finished = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    taken, cpu = finished.stdout.split()
    return float(taken), float(cpu)
