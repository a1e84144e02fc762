from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import path
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.throttling import (
    AnonRateThrottle,
    BaseThrottle,
    ScopedRateThrottle,
    UserRateThrottle,
)

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import connect, registry
from aaah_drf.consumers import GenericAsyncAPIConsumer
from aaah_drf.handlers import GenericAsyncAPIActionHandler


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    cache.clear()


class Twice(UserRateThrottle):
    rate = "2/hour"


class Once(AnonRateThrottle):
    rate = "1/day"


class Scoped(ScopedRateThrottle):
    THROTTLE_RATES = {"uploads": "1/min", "reads": "3/min"}


class Base(GenericAsyncAPIActionHandler):
    @async_action
    async def hello(self) -> str:
        return "hello"

    @async_action
    def hello_sync(self) -> str:
        return threading.current_thread().name


def consumer(**namespace: Any) -> Any:
    return type("Consumer", (Base, GenericAsyncAPIConsumer), namespace)


def user(pk: int) -> User:
    return User(pk=pk, username=str(pk))


@pytest.mark.parametrize("action", ["hello", "hello_sync"])
async def test_a_client_beyond_its_rate_is_a_429_that_says_when_to_come_back(action: str) -> None:
    application = consumer(throttle_classes=(Twice,)).as_asgi()
    async with connect(application, user=user(1)) as client:
        statuses = [(await client.call(action))["status"] for _ in range(2)]
        answer = await client.call(action)
    assert statuses == [200, 200]
    assert (answer["status"], answer["data"]) == (429, None)
    (error,) = answer["errors"]
    assert error["code"] == "throttled"
    assert 3590 <= error["retry_after"] <= 3600


async def test_a_rate_is_a_users_however_many_connections_there_are() -> None:
    application = consumer(throttle_classes=(Twice,)).as_asgi()
    found = []
    for pk in (1, 1, 1, 2):
        async with connect(application, user=user(pk)) as client:
            found.append((await client.call("hello"))["status"])
    assert found == [200, 200, 429, 200]


async def test_every_throttle_counts_and_the_longest_wait_is_told() -> None:
    class Minute(Once):
        rate = "1/min"
        scope = "minute"

    application = consumer(throttle_classes=(Minute, Once)).as_asgi()
    async with connect(application) as client:
        await client.call("hello")
        (error,) = (await client.call("hello"))["errors"]
    assert error["retry_after"] > 80_000


async def test_rates_go_by_the_scope_of_the_handler() -> None:
    uploads = type("Uploads", (Base,), {"throttle_classes": (Scoped,), "throttle_scope": "uploads"})
    reads = type("Reads", (Base,), {"throttle_classes": (Scoped,), "throttle_scope": "reads"})
    patterns = (path("up/", uploads.as_aaah()), path("reads/", reads.as_aaah()))  # type: ignore[attr-defined]  # made by type()
    parent = consumer(routepatterns=patterns, throttle_classes=(Scoped,))
    async with connect(parent.as_asgi(), user=user(1)) as client:
        found = [
            (await client.call("hello", route=route))["status"]
            for route in ("up/", "up/", "reads/", "reads/", "reads/", "reads/")
        ]
    assert found == [200, 429, 200, 200, 200, 429]


async def test_one_call_counts_once_though_parent_and_child_have_the_same_throttle() -> None:
    child = type("Child", (Base,), {"throttle_classes": (Twice,)})
    patterns = (path("child/", child.as_aaah()),)  # type: ignore[attr-defined]  # made by type()
    parent = consumer(routepatterns=patterns, throttle_classes=(Twice,))
    async with connect(parent.as_asgi(), user=user(1)) as client:
        found = [(await client.call("hello", route="child/"))["status"] for _ in range(3)]
    assert found == [200, 200, 429]


async def test_a_call_that_a_permission_refuses_is_not_counted() -> None:
    class Deny(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            raise PermissionDenied

    asked = []

    class Ask(BaseThrottle):
        def allow_request(self, request: Any, view: Any) -> bool:
            asked.append(view.action)
            return True

    application = consumer(throttle_classes=(Ask,), permission_classes=(Deny,)).as_asgi()
    async with connect(application) as client:
        assert (await client.call("hello"))["status"] == 403
    assert asked == []


async def test_checks_throttles_and_action_share_one_thread() -> None:
    threads = []

    class Ask(BaseThrottle):
        def allow_request(self, request: Any, view: Any) -> bool:
            threads.append(threading.current_thread().name)
            return True

    class Allow(BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            threads.append(threading.current_thread().name)
            return True

    application = consumer(throttle_classes=(Ask,), permission_classes=(Allow,)).as_asgi()
    async with connect(application) as client:
        action = (await client.call("hello_sync"))["data"]
    assert threads == [action, action]


async def test_the_default_throttles_are_those_of_the_settings(settings: Any) -> None:
    class Scope(ScopedRateThrottle):
        pass

    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": [f"{__name__}.Twice"]}
    async with connect(consumer().as_asgi(), user=user(1)) as client:
        assert [(await client.call("hello"))["status"] for _ in range(3)] == [200, 200, 429]
    own = {"DEFAULT_THROTTLE_CLASSES": [Scope], "DEFAULT_THROTTLE_RATES": {"few": "1/day"}}
    settings.AAAH = {"PLUGIN_SETTINGS": {"drf": own}}
    application = consumer(throttle_scope="few").as_asgi()
    async with connect(application, user=user(1)) as client:
        assert [(await client.call("hello"))["status"] for _ in range(2)] == [200, 429]


async def test_a_consumer_that_is_not_generic_is_throttled_too() -> None:
    class Plain(AsyncAPIConsumer):
        throttle_classes = (Twice,)

        @async_action
        async def hello(self) -> str:
            return "hello"

    async with connect(Plain.as_asgi(), user=user(1)) as client:
        assert [(await client.call("hello"))["status"] for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("throttle", ["Twice", object, Twice()])
def test_what_is_no_throttle_is_refused_at_start(throttle: Any) -> None:
    with pytest.raises(ConfigurationError, match="throttle_classes of Consumer has"):
        consumer(throttle_classes=(throttle,)).as_asgi()


def test_without_the_plugin_a_throttle_is_refused_at_start() -> None:
    with (
        registry("async_action"),
        pytest.raises(ConfigurationError, match=r"throttle_classes of Consumer has .*Twice"),
    ):
        consumer(throttle_classes=(Twice,), permission_classes=()).as_asgi()


@pytest.mark.parametrize("name", ["get_permissions", "check_permissions", "get_throttles"])
def test_a_method_of_views_that_nobody_would_ask_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Child has {name}\(\), and nobody calls it"):
        type("Child", (Base,), {name: lambda self: []})


def test_an_action_of_such_a_name_is_what_clients_call() -> None:
    @async_action
    def get_permissions(self: Base) -> list[str]:
        return []

    assert type("Child", (Base,), {"get_permissions": get_permissions})
