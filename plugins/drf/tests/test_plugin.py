from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from rest_framework.permissions import IsAuthenticated

from aaah_core import AsyncAPIConsumer, ConfigurationError
from aaah_core.conf import read_plugin
from aaah_core.testing import registry
from aaah_drf.consumers import GenericAsyncAPIConsumer


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


@pytest.mark.parametrize("name", ["PERMISSION_CLASSES", "THROTTLE_CLASSES"])
@pytest.mark.parametrize("value", [IsAuthenticated, "nowhere.IsAuthenticated", "no_module", 5])
def test_a_default_that_cannot_be_imported_is_refused_and_never_left_out(
    name: str, value: Any, settings: Any
) -> None:
    class Consumer(GenericAsyncAPIConsumer):
        pass

    settings.REST_FRAMEWORK = {f"DEFAULT_{name}": [value]}
    with pytest.raises(ConfigurationError, match=f"DEFAULT_{name} of DRF is set wrongly"):
        Consumer.as_asgi()


def test_a_setting_nobody_knows_is_refused_at_start(settings: Any) -> None:
    settings.AAAH = {"PLUGIN_SETTINGS": {"drf": {"DEFAULT_PERMISSIONS_CLASSES": []}}}
    with pytest.raises(ConfigurationError, match="did you mean 'DEFAULT_PERMISSION_CLASSES'"):
        read_plugin("drf")
