"""The command `aaah-demo`: a database, a server, a client, and what passes between them."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from tempfile import TemporaryDirectory
from threading import Event

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from websockets.exceptions import WebSocketException

from aaah_demo.scenes import BOOKS, SCENES
from aaah_demo.server import serve
from aaah_demo.show import show

__all__ = ["main"]


def main() -> None:
    """Run ``aaah-demo``: status 0 if every reply was as it must be."""
    parser = ArgumentParser(prog="aaah-demo", description="Show AAAH over a real socket.")
    parser.add_argument("--port", type=int, default=0, help="the port; a free one if left out")
    parser.add_argument("--once", action="store_true", help="end after the walk")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # arrows, on any terminal
    signal(SIGTERM, default_int_handler)  # as Ctrl-C, so that nothing is left behind
    try:
        with TemporaryDirectory(prefix="aaah-demo-") as folder:
            _make_database(Path(folder) / "db.sqlite3")
            sys.exit(_run(options))
    except KeyboardInterrupt:
        print()
    except (ImproperlyConfigured, OSError, WebSocketException) as error:
        sys.exit(f"aaah-demo: {error}")


def _make_database(path: Path) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "aaah_demo.settings"
    os.environ["AAAH_DEMO_DATABASE"] = str(path)
    django.setup()
    from aaah_demo.models import Book

    call_command("migrate", verbosity=0)
    Book.objects.bulk_create(Book(**book) for book in BOOKS)


def _run(options: Namespace) -> int:
    print("The plugins that are installed, and the hooks each of them answers:\n")
    call_command("aaah", "plugins")
    from aaah_demo.asgi import application  # this compiles the consumer: a bad set-up stops here

    with serve(application, options.port) as url:
        different = show(url)
        if different:
            print(f"\nNot as it must be: {'; '.join(different)}.")
        else:
            print(f"\nAll {len(SCENES)} replies are as they must be.")
        if not options.once:
            _stay(url)
    return 1 if different else 0


def _stay(url: str) -> None:
    uv = "uv run " if "UV" in os.environ else ""  # which uv sets for what it runs
    call = f"{uv}aaah call {url} your_custom_action --route test_child_route/5/"
    print(
        f"""
The server stays up until Ctrl-C. Talk to it from another terminal:

  {call}
  {call} --codec msgpack
  {uv}aaah routes aaah_demo.consumers:Library --settings aaah_demo.settings

or from Python:

  from websockets.sync.client import connect
  with connect("{url}") as ws: ws.send('{{"action": "list", "route": "books/"}}'); print(ws.recv())
""",
        flush=True,
    )
    Event().wait()
