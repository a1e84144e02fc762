from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer
from aaah_core.testing import connect


def consumer_of_example(number: int, **given: Any) -> Any:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[number]
    namespace: dict[str, Any] = {"__name__": "readme", **given}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)
    return namespace["Library"]


async def test_the_example_of_the_readme_lets_in_whoever_is_logged_in() -> None:
    example = consumer_of_example(0)

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

    example = consumer_of_example(2)

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
    example = consumer_of_example(1, BookViewSet=BookViewSet, router=router)
    async with connect(example.as_asgi()) as client:
        for route in ("books/", "api/books/"):
            assert (await client.call("list", route=route))["data"] == []
