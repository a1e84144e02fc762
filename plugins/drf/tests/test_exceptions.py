from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from django.utils.translation import gettext_lazy
from rest_framework import exceptions as drf
from rest_framework import serializers

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, Call, Reply
from aaah_core.testing import connect
from aaah_drf.exceptions import reply_to


class Teapot(drf.APIException):
    status_code = 418
    default_code = "teapot"
    default_detail = gettext_lazy("Short and stout.")


def reply(error: drf.APIException) -> Reply:
    return reply_to(Call("run"), error)


@pytest.mark.parametrize(
    ("error", "status", "problem"),
    [
        (drf.APIException(), 500, {"code": "error", "detail": "A server error occurred."}),
        (drf.ParseError("What?"), 400, {"code": "parse_error", "detail": "What?"}),
        (
            drf.NotAuthenticated(),
            403,
            {
                "code": "not_authenticated",
                "detail": "Authentication credentials were not provided.",
            },
        ),
        (
            drf.AuthenticationFailed("Who?"),
            403,
            {"code": "authentication_failed", "detail": "Who?"},
        ),
        (
            drf.PermissionDenied("Not you.", code="blocked"),
            403,
            {"code": "blocked", "detail": "Not you."},
        ),
        (drf.NotFound(), 404, {"code": "not_found", "detail": "Not found."}),
        (Teapot(), 418, {"code": "teapot", "detail": "Short and stout."}),
        (
            drf.Throttled(wait=2.3),
            429,
            {
                "code": "throttled",
                "detail": "Request was throttled. Expected available in 3 seconds.",
                "retry_after": 3,
            },
        ),
        (drf.Throttled(), 429, {"code": "throttled", "detail": "Request was throttled."}),
    ],
)
def test_an_exception_answers_its_status_its_code_and_its_detail(
    error: drf.APIException, status: int, problem: dict[str, Any]
) -> None:
    answer = reply(error)
    assert (answer.status, answer.errors, answer.data) == (status, [problem], None)


def invalid(detail: str, *path: str | int) -> dict[str, Any]:
    return {"code": "invalid", "detail": detail, **({"field": [*path]} if path else {})}


@pytest.mark.parametrize(
    ("detail", "errors"),
    [
        ("no", [invalid("no")]),
        (["no", "never"], [invalid("no"), invalid("never")]),
        ({"title": ["no", "never"]}, [invalid("no", "title"), invalid("never", "title")]),
        ({"title": "no"}, [invalid("no", "title")]),
        ({"author": {"name": ["no"]}}, [invalid("no", "author", "name")]),
        ({"items": [{}, {"price": ["no"]}]}, [invalid("no", "items", 1, "price")]),
        ({"tags": {0: ["no"]}}, [invalid("no", "tags", 0)]),
        ({"tags": [["no"], []]}, [invalid("no", "tags", 0)]),
        ([{}, {"title": ["no"]}], [invalid("no", 1, "title")]),
        ({"non_field_errors": ["no"]}, [invalid("no")]),
        ({"author": {"non_field_errors": ["no"]}}, [invalid("no", "author")]),
        ({}, [invalid("Invalid input.")]),
        ([], [invalid("Invalid input.")]),
    ],
)
def test_each_message_of_a_validation_error_has_the_path_of_its_field(
    detail: Any, errors: list[dict[str, Any]]
) -> None:
    answer = reply(drf.ValidationError(detail))
    assert (answer.status, answer.errors) == (400, errors)


def test_of_very_many_messages_the_first_hundred_are_told() -> None:
    detail = [{"name": ["Wrong.", "And worse."]}] * 10_000
    errors = reply(drf.ValidationError(detail)).errors
    assert len(errors) == 100
    assert errors[-1] == {"code": "invalid", "detail": "And worse.", "field": [49, "name"]}


def test_a_message_keeps_its_own_code() -> None:
    error = drf.ValidationError({"title": [drf.ErrorDetail("no", code="taken")]})
    assert reply(error).errors == [{"code": "taken", "detail": "no", "field": ["title"]}]


class Secret:
    pass


@pytest.mark.parametrize(
    ("error", "status", "code", "detail"),
    [
        (Http404(), 404, "not_found", "Not found."),
        (Http404("No such book."), 404, "not_found", "No such book."),
        (Http404(gettext_lazy("No such book.")), 404, "not_found", "No such book."),
        (Http404({"path": "x", "tried": [["secret/"]]}), 404, "not_found", "Not found."),
        (Http404(Secret()), 404, "not_found", "Not found."),
        (
            PermissionDenied(),
            403,
            "permission_denied",
            "You do not have permission to perform this action.",
        ),
        (PermissionDenied("Not you."), 403, "permission_denied", "Not you."),
        (
            IntegrityError("duplicate key: (email)=(emma@example.org)"),
            409,
            "conflict",
            "The change conflicts with what is stored.",
        ),
        (
            ProtectedError("Cannot delete emma@example.org", set()),
            409,
            "protected",
            "Other objects still refer to this one.",
        ),
        (
            RestrictedError("Cannot delete emma@example.org", set()),
            409,
            "protected",
            "Other objects still refer to this one.",
        ),
    ],
)
async def test_an_exception_of_djangos_is_the_reply_that_drf_would_give(
    error: Exception, status: int, code: str, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Consumer(AsyncAPIConsumer):
        @async_action
        async def run(self) -> None:
            raise error

    caplog.set_level("INFO")
    async with connect(Consumer.as_asgi()) as client:
        answer = await client.call("run")
    assert (answer["status"], answer["data"]) == (status, None)
    assert answer["errors"] == [{"code": code, "detail": detail}]
    assert "emma@example.org" not in caplog.text


class ItemSerializer(serializers.Serializer[Any]):
    price = serializers.DecimalField(max_digits=5, decimal_places=2)


class OrderSerializer(serializers.Serializer[Any]):
    items = ItemSerializer(many=True)
    tags = serializers.ListField(child=serializers.IntegerField(), default=list)


class Shop(AsyncAPIConsumer):
    @async_action
    async def order(self, data: Any) -> None:
        OrderSerializer(data=data).is_valid(raise_exception=True)

    @async_action
    async def order_many(self, data: Any) -> None:
        ItemSerializer(data=data, many=True).is_valid(raise_exception=True)

    @async_action
    async def wait(self) -> None:
        raise drf.Throttled(wait=5)


async def test_what_a_serializer_finds_wrong_reaches_the_client_with_its_paths() -> None:
    async with connect(Shop.as_asgi()) as client:
        data = {"items": [{"price": "1"}, {"price": "dear"}, {}], "tags": [1, "two"]}
        answer = await client.call("order", data=data)
    assert (answer["status"], answer["data"]) == (400, None)
    assert [(each["code"], each["field"]) for each in answer["errors"]] == [
        ("invalid", ["items", 1, "price"]),
        ("required", ["items", 2, "price"]),
        ("invalid", ["tags", 1]),
    ]


async def test_many_objects_are_told_apart_by_their_place_in_the_list() -> None:
    async with connect(Shop.as_asgi()) as client:
        answer = await client.call("order_many", data=[{"price": "1"}, {"price": "dear"}, 5])
        none = await client.call("order_many", data={"price": "1"})
    assert [(each["code"], each.get("field")) for each in answer["errors"]] == [
        ("invalid", [1, "price"]),
        ("invalid", [2]),
    ]
    assert [(each["code"], each.get("field")) for each in none["errors"]] == [("not_a_list", None)]


async def test_a_throttled_client_is_told_when_to_come_back() -> None:
    async with connect(Shop.as_asgi()) as client:
        answer = await client.call("wait")
    assert answer["status"] == 429
    assert [each["retry_after"] for each in answer["errors"]] == [5]
