from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer
from aaah_core.testing import Refused, connect


def example_of(number: int, **given: Any) -> dict[str, Any]:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[number]
    namespace: dict[str, Any] = {"__name__": "readme", **given}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)
    return namespace


async def test_the_example_of_the_readme_lets_in_whoever_is_logged_in() -> None:
    example = example_of(0)["Library"]

    class Library(example):  # type: ignore[misc]  # the example's
        @async_action
        async def hello(self) -> str:
            return "hello"

    for user, status in ((None, 403), (User(username="emma"), 200)):
        async with connect(Library.as_asgi(), user=user) as client:
            assert (await client.call("hello"))["status"] == status


async def test_a_consumer_that_names_none_asks_the_default_permissions(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]
    }

    class Silent(AsyncAPIConsumer):
        @async_action
        async def hello(self) -> str:
            return "hello"

    example = example_of(3)["Library"]

    class Library(example, Silent):  # type: ignore[misc]  # the example's
        pass

    for consumer, status in ((Silent, 403), (Library, 200)):
        async with connect(consumer.as_asgi()) as client:
            assert (await client.call("hello"))["status"] == status


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class BookViewSet(ReadOnlyModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer


async def test_the_viewset_of_the_readme_is_served(db: None) -> None:
    router = SimpleRouter()
    router.register("books", BookViewSet)
    example = example_of(1, BookViewSet=BookViewSet, router=router)["Library"]
    async with connect(example.as_asgi()) as client:
        for route in ("books/", "api/books/"):
            assert (await client.call("list", route=route))["data"] == []


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Any) -> tuple[User, None] | None:
        return (User(username="emma"), None) if "HTTP_X_KEY" in request.META else None


async def test_the_middleware_of_the_readme_lets_a_class_say_who_it_is() -> None:
    class Library(AsyncAPIConsumer):
        @async_action
        async def who(self) -> str:
            return str(self.user.username)

    sockets = example_of(2, Library=Library, KeyAuthentication=KeyAuthentication)["sockets"]
    for headers, user in (({"X-Key": "k"}, "emma"), ({}, "")):
        async with connect(sockets, "/ws/", headers=headers) as client:
            assert (await client.call("who"))["data"] == user
    with pytest.raises(Refused):
        async with connect(sockets, "/ws/", headers={"Origin": "https://evil.example"}):
            pass
