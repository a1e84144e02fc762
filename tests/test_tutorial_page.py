"""docs/tutorial.md, as its reader goes through it: an empty folder, its commands and its files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pages import DOCS, ROOT, blocks, titled
from tests.servers import serving

PAGE = DOCS / "tutorial.md"
ADDRESS = "127.0.0.1:8000"

#: What a reader sees in the developer tools of a browser after the login.
SESSION = """\
import django
django.setup()
from django.test import Client
client = Client()
assert client.login(username="ada", password="lovelace")
print(client.cookies["sessionid"].value)
"""


class Reader:
    """Somebody who types what stands there, in a folder that is empty at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        hidden = ("DJANGO_", "AAAH_", "PYTEST_")
        known = {name: each for name, each in os.environ.items() if not name.startswith(hidden)}
        self.environment = {**known, "PATH": path, "PYTHONPATH": str(folder)}

    def types(self, command: str) -> str:
        ran = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return ran.stdout

    def logs_in(self) -> None:
        settings = "DJANGO_SETTINGS_MODULE=todo.settings"
        self.environment["SESSION"] = self.types(f"{settings} python -c '{SESSION}'").strip()

    @contextmanager
    def served(self, needed: bool):
        """Serve what the folder holds by now, and give the address."""
        if not needed:
            yield ADDRESS
            return
        settings = {"PYTHONPATH": str(self.folder), "DJANGO_SETTINGS_MODULE": "todo.settings"}
        with serving("uvicorn", "todo.asgi:application", self.folder, **settings) as server:
            yield f"127.0.0.1:{server.port}"


def commands(text):
    """Return the commands of a console block, each with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def as_shown(output):
    """Return an output in the way of the page, whatever it took."""
    return re.sub(r"passed in [\d.]+s", "passed in 0.46s", output)


@pytest.mark.programme
def test_who_types_what_the_page_says_sees_what_it_shows(tmp_path):
    reader = Reader(tmp_path)
    for kind, text in blocks(PAGE):
        if (title := titled(text)) is not None:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(text, "utf-8")
        elif kind == "console":
            with reader.served("aaah call" in text) as address:
                for command, shown in commands(text):
                    if command.startswith("export SESSION"):
                        reader.logs_in()
                        continue
                    found = reader.types(command.replace(ADDRESS, address))
                    assert as_shown(found).replace(address, ADDRESS) == shown, command


def test_what_the_page_installs_is_there():
    lines = "".join(text for kind, text in blocks(PAGE) if kind == "sh")
    own = set(re.findall(r"aaah-[a-z]+", lines))
    assert own == {"aaah-core", "aaah-crud"}
    assert all(
        (ROOT / "plugins" / each.removeprefix("aaah-")).is_dir() for each in own - {"aaah-core"}
    )
