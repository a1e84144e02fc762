"""The settings of `Crowd`: those for tests, on the database that the environment names."""

from __future__ import annotations

import json
import os

from aaah_core.testing.settings import *  # noqa: F403 - all of them

if "CROWD_DATABASE" in os.environ:
    DATABASES = {"default": {**json.loads(os.environ["CROWD_DATABASE"]), "CONN_MAX_AGE": 60}}
