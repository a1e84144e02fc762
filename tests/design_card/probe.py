"""Says of each feature whether it works here: prints a JSON object, "works" or the error by name.

It runs in processes where some of the distributions are not installed, so it imports each only in
the function that tries it. The action `ping` is a stranger's, so that the core can be tried alone.
"""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

from django.urls import path

ADA = SimpleNamespace(is_authenticated=True)


async def core():
    from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, IsAuthenticated

    class Child(AsyncAPIActionHandler):
        permission_classes = (IsAuthenticated,)

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/", Child.as_aaah())]

    await _expect(Consumer, 200, "ping", user=None)
    await _expect(Consumer, 403, "ping", user=None, route="child/")
    await _expect(Consumer, 200, "ping", user=ADA, route="child/")
    await _expect(Consumer, 404, "ping", user=ADA, route="nowhere/")
    await _expect(Consumer, 405, "pong", user=ADA)


async def async_action():
    from aaah_async_action.decorators import async_action
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        @async_action
        def decorated(self):
            return None

    await _expect(Consumer, 204, "decorated", user=None)


async def drf():
    from rest_framework.permissions import IsAuthenticated

    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        permission_classes = (IsAuthenticated,)

    await _expect(Consumer, 403, "ping", user=None)
    await _expect(Consumer, 200, "ping", user=ADA)


async def crud():
    from django.contrib.auth.models import Group
    from rest_framework.serializers import ModelSerializer

    from aaah_crud.consumers import ListAPIConsumer

    class Serializer(ModelSerializer):
        class Meta:
            model = Group
            fields = ("name",)

    class Consumer(ListAPIConsumer):
        queryset = Group.objects.none()
        serializer_class = Serializer

    await _expect(Consumer, 200, "list", user=None)


async def msgpack():
    from aaah_core import AsyncAPIConsumer

    class Consumer(AsyncAPIConsumer):
        codecs = ("json", "msgpack")

    await _expect(Consumer, 200, "ping", user=None, codec="json")
    await _expect(Consumer, 200, "ping", user=None, codec="msgpack")


async def rest_framework_channels():
    from rest_framework_channels.consumers import AsyncAPIConsumer
    from rest_framework_channels.decorators import async_action
    from rest_framework_channels.handlers import AsyncAPIActionHandler

    class Child(AsyncAPIActionHandler):
        @async_action()
        def decorated(self):
            return None, 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/", Child.as_aaah())]

    await _expect(Consumer, 200, "decorated", user=None, route="child/")


FEATURES = (core, async_action, drf, crud, msgpack, rest_framework_channels)


async def _expect(consumer_class, status, action, *, user, codec=None, **request):
    from aaah_core.testing import connect

    async with connect(consumer_class.as_asgi(), user=user, codec=codec) as client:
        reply = await client.call(action, **request)
    if reply["status"] != status:
        raise AssertionError(f"{status} was expected: {reply}")


async def report():
    """Return "works", or the error, by feature."""
    found = {}
    for feature in FEATURES:
        try:
            await feature()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            found[feature.__name__] = f"{type(error).__name__}: {error}"
        else:
            found[feature.__name__] = "works"
    return found


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(asyncio.run(report())))
