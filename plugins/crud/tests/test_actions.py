from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, models, transaction
from django.urls import path
from rest_framework.permissions import BasePermission
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory
from rest_framework.viewsets import ModelViewSet

from aaah_async_action.decorators import async_action
from aaah_core import MISSING, AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_crud import handlers

pytestmark = pytest.mark.django_db
codecs = pytest.mark.parametrize("codec", ["json", "msgpack"])


class Book(models.Model):
    title = models.CharField(max_length=20)
    pages = models.PositiveIntegerField(default=1)
    price = models.DecimalField(max_digits=5, decimal_places=2, default=1)
    published = models.DateField(null=True)

    class Meta:
        app_label = "aaah_crud_tests"
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title


class BookSerializer(ModelSerializer[Book]):
    class Meta:
        model = Book
        fields = ("id", "title", "pages", "price", "published")


class OverHTTP(ModelViewSet[Book]):
    queryset = Book.objects.all()
    serializer_class = BookSerializer


class NotTheSecretOne(BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj.title != "Secret")


class BookHandler(handlers.ModelAPIActionHandler):
    queryset = Book.objects.all()
    serializer_class = BookSerializer
    permission_classes = (NotTheSecretOne,)

    @async_action(atomic=True)
    def create_two(self, fail: bool = False) -> Any:
        for title in ("One", "Two"):
            data, status = async_to_sync(self.create)(data={"title": title})
        if fail:
            raise LookupError
        return data, status


class FailingHandler(BookHandler):
    def perform_create(self, serializer: Any) -> None:
        super().perform_create(serializer)
        raise LookupError

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)
        raise LookupError

    def perform_destroy(self, instance: Any) -> None:
        super().perform_destroy(instance)
        raise LookupError


class Library(AsyncAPIConsumer):
    codecs = ("json", "msgpack")
    routepatterns = (
        path("books/", BookHandler.as_aaah()),
        path("books/<int:pk>/", BookHandler.as_aaah()),
        path("failing/", FailingHandler.as_aaah()),
    )


@pytest.fixture(scope="module", autouse=True)
def tables(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Book)


@pytest.fixture(autouse=True)
def books(db: None, tables: None) -> None:
    Book.objects.create(pk=1, title="Emma", pages=474, price="9.50", published="1815-12-23")
    Book.objects.create(pk=2, title="Secret")


async def rows() -> list[dict[str, Any]]:
    return await run_sync(lambda: list(Book.objects.values()))


def over_http(action: str, method: str, pk: int | None, data: Any) -> tuple[int, Any]:
    """Return what DRF's viewset answers; what it changed is undone."""
    view = OverHTTP.as_view({method: action})
    body = {} if data is MISSING else {"data": data, "format": "json"}
    request = getattr(APIRequestFactory(), method)("/", **body)
    with transaction.atomic():
        response = view(request, **({} if pk is None else {"pk": pk}))
        transaction.set_rollback(True)
    # The factory renders nothing: this is what the default renderer would send.
    rendered = response.render().content
    return response.status_code, json.loads(rendered) if rendered else None


FULL = {"title": "Emma, again", "pages": 500, "price": "10.00", "published": "1816-01-01"}


@codecs
@pytest.mark.parametrize(
    ("action", "viewset_action", "method", "pk", "data"),
    [
        ("retrieve", "retrieve", "get", 1, MISSING),
        ("list", "list", "get", None, MISSING),
        ("create", "create", "post", None, FULL),
        ("create", "create", "post", None, {"title": "Only a title"}),
        ("update", "update", "put", 1, FULL),
        ("update", "update", "put", 1, {"title": "Emma, again"}),
        ("partial_update", "partial_update", "patch", 1, {"pages": 500}),
        ("partial_update", "partial_update", "patch", 1, MISSING),
        ("remove", "destroy", "delete", 1, MISSING),
    ],
)
async def test_an_action_does_and_answers_what_its_http_request_does(
    codec: str, action: str, viewset_action: str, method: str, pk: int | None, data: Any
) -> None:
    status, expected = await run_sync(over_http, viewset_action, method, pk, data)
    route = "books/" if pk is None else f"books/{pk}/"
    async with connect(Library.as_asgi(), codec=codec) as client:
        reply = await client.call(action, route=route, data=data)
    assert reply == {
        "errors": [],
        "data": expected,
        "action": action,
        "route": route,
        "status": status,
    }


@codecs
async def test_a_life_of_a_book(codec: str) -> None:
    async with connect(Library.as_asgi(), codec=codec) as client:
        created = await client.call("create", route="books/", data={"title": "New"})
        route = f"books/{created['data']['id']}/"
        assert created["status"] == 201
        await client.call("update", route=route, data={"title": "Newer", "price": "2.00"})
        await client.call("partial_update", route=route, data={"pages": 3})
        found = await client.call("retrieve", route=route)
        assert found["data"] == {
            "id": created["data"]["id"],
            "title": "Newer",
            "pages": 3,
            "price": "2.00",
            "published": None,
        }
        listed = await client.call("list", route="books/")
        assert [each["title"] for each in listed["data"]] == ["Emma", "Secret", "Newer"]
        removed = await client.call("remove", route=route)
        assert (removed["status"], removed["data"]) == (204, None)
        assert (await client.call("retrieve", route=route))["status"] == 404


@pytest.mark.parametrize(
    ("action", "method", "pk", "data"),
    [
        ("create", "post", None, MISSING),
        ("create", "post", None, {}),
        ("create", "post", None, {"title": "x" * 21, "pages": -1, "price": "dear"}),
        ("create", "post", None, ["no", "dict"]),
        ("create", "post", None, "no dict"),
        ("update", "put", 1, {"pages": 3}),
        ("partial_update", "patch", 1, {"title": ""}),
        ("partial_update", "patch", 1, {"published": "yesterday"}),
    ],
)
async def test_data_that_is_not_valid_is_a_400_with_the_fields_that_http_names(
    action: str, method: str, pk: int | None, data: Any
) -> None:
    status, expected = await run_sync(over_http, action, method, pk, data)
    before = await rows()
    route = "books/" if pk is None else f"books/{pk}/"
    async with connect(Library.as_asgi()) as client:
        reply = await client.call(action, route=route, data=data)
    assert status == reply["status"] == 400
    assert reply["data"] is None
    found: dict[str, list[str]] = {}
    for error in reply["errors"]:
        (field,) = error.get("field", ["non_field_errors"])
        found.setdefault(field, []).append(error["detail"])
    assert found == expected
    assert await rows() == before


async def test_null_as_data_is_a_400() -> None:
    async with connect(Library.as_asgi()) as client:
        for action, route in (("create", "books/"), ("update", "books/1/")):
            reply = await client.call(action, route=route, data=None)
            assert (reply["status"], reply["errors"]) == (
                400,
                [{"code": "null", "detail": "No data provided"}],
            )


@pytest.mark.parametrize("action", ["retrieve", "update", "partial_update", "remove"])
async def test_a_book_that_is_not_there_is_a_404_and_a_forbidden_one_a_403(action: str) -> None:
    before = await rows()
    async with connect(Library.as_asgi()) as client:
        for route, status in (("books/3/", 404), ("books/2/", 403)):
            reply = await client.call(action, route=route, data=FULL)
            assert (reply["status"], reply["data"]) == (status, None)
    assert await rows() == before


@codecs
@pytest.mark.parametrize(
    "sent",
    [
        {"partial": True, "data": {"pages": 3}},
        {"data": {"pages": 3, "partial": True}},
        {"partial": True, "kwargs": {"partial": True}, "data": {"pages": 3, "partial": True}},
    ],
)
async def test_no_client_makes_an_update_partial(codec: str, sent: dict[str, Any]) -> None:
    before = await rows()
    async with connect(Library.as_asgi(), codec=codec) as client:
        reply = await client.call("update", route="books/1/", **sent)
    assert reply["status"] == 400
    assert reply["errors"] == [
        {"code": "required", "detail": "This field is required.", "field": ["title"]}
    ]
    assert await rows() == before


@pytest.mark.parametrize("action", ["create", "update", "partial_update", "remove"])
async def test_what_a_write_did_before_it_failed_is_undone(action: str) -> None:
    before = await rows()
    async with connect(Library.as_asgi()) as client:
        reply = await client.call(action, route="failing/", pk=1, data={"title": "New"})
    assert reply["status"] == 500
    assert await rows() == before


async def test_an_action_called_from_another_is_part_of_its_transaction() -> None:
    before = await rows()
    async with connect(Library.as_asgi()) as client:
        assert (await client.call("create_two", route="books/", fail=True))["status"] == 500
        assert await rows() == before
        reply = await client.call("create_two", route="books/")
    assert (reply["status"], reply["data"]["title"]) == (201, "Two")
    assert len(await rows()) == len(before) + 2


def test_the_example_of_the_readme_is_a_handler() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = readme.partition("```python\n")[2].split("```")[:1]
    namespace: dict[str, Any] = {"Book": Book, "BookSerializer": BookSerializer, "__name__": "x"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), namespace)
    patterns = (path("books/<int:pk>/", namespace["BookHandler"].as_aaah()),)
    consumer_class = type("Parent", (AsyncAPIConsumer,), {"routepatterns": patterns})
    consumer_class.as_asgi()
