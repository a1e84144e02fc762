"""A project whose database and channel layer the environment names."""

from __future__ import annotations

import json
import os

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "aaah_core",
]
ASGI_APPLICATION = "tests.presence.asgi.application"
DATABASES = {"default": json.loads(os.environ["PRESENCE_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {"default": json.loads(os.environ["PRESENCE_LAYER"])}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AAAH = {
    "ALLOWED_ORIGINS": ["http://presence.example"],
    "IDENTITY_INTERVAL": json.loads(os.environ["PRESENCE_INTERVAL"]),
}
