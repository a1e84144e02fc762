"""Settings that need nothing: SQLite in a file, and a channel layer in memory."""

from __future__ import annotations

import os

from django.core.management.utils import get_random_secret_key

SECRET_KEY = get_random_secret_key()  # nothing that it signs outlives the process
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "aaah_core",
    "aaah_demo",
]
ROOT_URLCONF = "aaah_demo.urls"
ASGI_APPLICATION = "aaah_demo.asgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        # `aaah-demo` puts it into a directory of its own.
        "NAME": os.environ.get("AAAH_DEMO_DATABASE", "aaah-demo.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
# It warns of a layer in memory, which reaches one process: there is only one here.
SILENCED_SYSTEM_CHECKS = ["aaah.W001"]
