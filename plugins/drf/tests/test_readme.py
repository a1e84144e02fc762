from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core.testing import connect


async def test_the_example_of_the_readme_lets_in_whoever_is_logged_in() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    code, _ = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)

    class Library(namespace["Library"]):  # type: ignore[misc]  # the example's
        @async_action
        async def hello(self) -> str:
            return "hello"

    for user, status in ((None, 403), (User(username="emma"), 200)):
        async with connect(Library.as_asgi(), user=user) as client:
            assert (await client.call("hello"))["status"] == status


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class BookViewSet(ReadOnlyModelViewSet[Group]):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer


async def test_the_viewset_of_the_readme_is_served(db: None) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    _, code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    router = SimpleRouter()
    router.register("books", BookViewSet)
    namespace = {"__name__": "readme", "BookViewSet": BookViewSet, "router": router}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)
    consumer_class: Any = namespace["Library"]
    async with connect(consumer_class.as_asgi()) as client:
        for route in ("books/", "api/books/"):
            assert (await client.call("list", route=route))["data"] == []
