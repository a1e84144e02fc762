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


WITHOUT_USERS = """
import asyncio
from django.conf import settings
options = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}
options["UNAUTHENTICATED_USER"] = None
settings.configure(INSTALLED_APPS=["aaah_core"], REST_FRAMEWORK=options, DATABASES={})
import django
django.setup()
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, IsAuthenticated
from aaah_core.testing import connect


class Native(AsyncAPIConsumer):
    permission_classes = (IsAuthenticated,)

    @async_action
    async def run(self): ...


class OfDRF(Native):
    permission_classes = (IsAuthenticatedOrReadOnly,)


class Unset(AsyncAPIConsumer):
    @async_action
    async def run(self): ...


async def main():
    for consumer in (Native, OfDRF, Unset):
        async with connect(consumer.as_asgi()) as client:
            assert (await client.call("run"))["status"] == 403


asyncio.run(main())
"""


def test_a_project_needs_none_of_djangos_users_for_permissions() -> None:
    environment = {"PATH": "", "PYTHONPATH": ":".join(path for path in sys.path if path)}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_USERS]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


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
