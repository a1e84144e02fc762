"""The Django project of every contender that has Django."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["DATABASE", "LAYER", "configure", "fill", "user"]

#: The environment variable with the settings of another database than SQLite in a file.
DATABASE = "BENCHMARK_DATABASE"
#: That with the settings of another channel layer than the one in memory.
LAYER = "BENCHMARK_LAYER"
_IN_MEMORY = '{"BACKEND": "channels.layers.InMemoryChannelLayer"}'
#: Rows in the table of books: what `list` returns.
ROWS = 100


def configure(*apps: str, **settings: Any) -> None:
    """Set Django up as a project has it: users, sessions, a database with a table of books."""
    import django
    from django.conf import settings as django_settings

    django_settings.configure(
        SECRET_KEY="only-for-benchmarks",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "tests.benchmarks.shelf",
            *apps,
        ],
        DATABASES={"default": _database()},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        CHANNEL_LAYERS={"default": json.loads(os.environ.get(LAYER, _IN_MEMORY))},
        # Those with a middleware around every call are no part of what is measured.
        AAAH={"DISABLED_PLUGINS": ["jsonrpc", "opentelemetry", "prometheus"]},
        **settings,
    )
    django.setup()


def _database() -> dict[str, Any]:
    if other := os.environ.get(DATABASE):
        database: dict[str, Any] = json.loads(other)
        return database
    # The process that started this one removes the folder.
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(tempfile.gettempdir()) / "sqlite3"}


def _connect() -> None:
    from django.db import connection

    connection.ensure_connection()


def user() -> Any:
    """Return who is logged in, with a database that was asked as authentication asks it."""
    from channels.db import database_sync_to_async
    from django.contrib.auth import get_user_model

    # In the thread where Channels looks after connections before every message.
    asyncio.run(database_sync_to_async(_connect)())
    return get_user_model()(pk=1, username="reader")


def fill() -> None:
    """Make the table of books, with its rows, unless it is there."""
    from django.db import connection

    from tests.benchmarks.shelf.models import Book

    if Book._meta.db_table in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        editor.create_model(Book)
    Book.objects.bulk_create(Book.number(each) for each in range(1, ROWS + 1))
    connection.close()
