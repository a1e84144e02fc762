"""A family of consumers may do without the app in INSTALLED_APPS."""

from __future__ import annotations

import pytest

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import connect, registry


class Consumer(AsyncAPIConsumer):
    @async_action
    async def hello(self):
        return "hello"


class Modest(Consumer):
    needs_app = False


async def test_only_a_consumer_that_says_so_does_without_the_app(settings):
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    with registry("async_action"):
        with pytest.raises(ConfigurationError, match="needs 'aaah_core' in INSTALLED_APPS"):
            Consumer.as_asgi()
        async with connect(Modest.as_asgi()) as client:
            assert (await client.call("hello"))["data"] == "hello"
