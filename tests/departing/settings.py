"""The settings of a server that is told to end, with how long it may take from the environment."""

from __future__ import annotations

import os
import sys

from aaah_core.testing.settings import *  # noqa: F403 - a project's settings stand alone
from tests.redis_server import layer_of

ASGI_APPLICATION = "reloaded.application"
ROOT_URLCONF = "tests.departing.settings"
urlpatterns = []
if "runserver" in sys.argv:
    INSTALLED_APPS = ["daphne", *INSTALLED_APPS]  # noqa: F405 - as above
CHANNEL_LAYERS = {"default": {"BACKEND": "tests.departing.asgi.Layer"}}
if "REDIS" in os.environ:
    CHANNEL_LAYERS = {"default": layer_of("core", int(os.environ["REDIS"]))}
AAAH = {
    "LEAVE_TIMEOUT": float(os.environ.get("LEAVE_TIMEOUT", "10")),
    "LEAVE_SPREAD": float(os.environ.get("LEAVE_SPREAD", "5")),
}
