"""The settings of `Room`: those for tests, with the channel layer that the environment names."""

from __future__ import annotations

import json
import os

from aaah_core.testing.settings import *  # noqa: F403 - all of them

CHANNEL_LAYERS = {"default": json.loads(os.environ["LAYER"])}
