"""Ready settings for tests that need no project of their own.

Use them with ``DJANGO_SETTINGS_MODULE = "aaah_core.testing.settings"``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

SECRET_KEY = "only-for-tests"  # noqa: S105 - signs nothing that leaves a test
DEBUG = False
USE_TZ = True
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "aaah_core",
]

# A file, and one for each test process: sync code runs on worker threads, and a thread does not
# see another thread's in-memory database.
_DATABASE = Path(tempfile.gettempdir()) / f"aaah-test-{os.getpid()}.sqlite3"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": _DATABASE,
        "TEST": {"NAME": _DATABASE},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
