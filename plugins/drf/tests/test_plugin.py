from __future__ import annotations

import subprocess
import sys

import pytest
from rest_framework.permissions import IsAuthenticated

from aaah_core import AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import registry


def test_the_hook_module_imports_without_settings_and_without_drf() -> None:
    code = "import sys, aaah_drf.plugin; sys.exit('rest_framework' in sys.modules)"
    environment = {"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert ran.returncode == 0


def test_without_the_plugin_a_drf_class_is_refused_at_start() -> None:
    class Consumer(AsyncAPIConsumer):
        permission_classes = (IsAuthenticated,)

    with registry("async_action"), pytest.raises(ConfigurationError, match="IsAuthenticated"):
        Consumer.as_asgi()
