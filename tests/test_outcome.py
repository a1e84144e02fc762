"""What an action returns or raises, and the reply that it becomes."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest
from django.core import exceptions as django_exceptions
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.test import override_settings

from aaah_core import (
    Busy,
    EncodeError,
    NotFound,
    PermissionDenied,
    Reply,
    RequestError,
    TooLarge,
    ValidationError,
    outcome,
    to_reply,
)
from tests.calls import asked, hello, raising, returning, status_of
from tests.conftest import action, consumer, shown

pytestmark = pytest.mark.usefixtures("core")

# What an action returns.


class Response:
    def __init__(self, data, status_code):
        self.data = data
        self.status_code = status_code


class Liar(Response):
    @property
    def data(self):
        raise LookupError

    @data.setter
    def data(self, value): ...


@pytest.mark.parametrize(
    ("returned", "data", "status"),
    [
        ({"a": 1}, {"a": 1}, 200),
        (({"a": 1}, 201), {"a": 1}, 201),
        (("x", HTTPStatus.CREATED), "x", 201),
        ((None, 404), None, 404),
        (({"why": "no"}, 400), {"why": "no"}, 400),
        ((1, 100), 1, 100),
        ((1, 599), 1, 599),
        ((1, 99), [1, 99], 200),
        ((1, 600), [1, 600], 200),
        ((1, True), [1, True], 200),
        ((1, 200.0), [1, 200.0], 200),
        ((1, 2, 200), [1, 2, 200], 200),
        ((1,), [1], 200),
        ((), [], 200),
        ([1, 200], [1, 200], 200),
        (True, True, 200),
        (False, False, 200),
        (0, 0, 200),
        ("", "", 200),
        (None, None, 204),
        ({1}, [1], 200),
        (Reply("x", 202), "x", 202),
        (Response({"a": 1}, 201), {"a": 1}, 201),
        (Response({"a": 1}, 403), {"a": 1}, 403),
    ],
    ids=shown,
)
async def test_what_an_action_returns_becomes_data_and_status(returned, data, status):
    reply = await asked(consumer(hello, returning(returned)))
    assert (reply["data"], reply["status"], reply["errors"]) == (data, status, [])


async def test_a_reply_with_errors_has_no_data():
    reply = await asked(consumer(hello, returning(Reply("x", 409, errors=[{"code": "taken"}]))))
    assert reply["errors"] == [{"code": "taken"}]
    assert (reply["data"], reply["status"]) == (None, 409)


async def test_a_reply_that_is_a_part_of_a_stream_says_so():
    assert (await asked(consumer(hello, returning(Reply(1, more=True)))))["more"] is True


@pytest.mark.parametrize("value", [object(), {"a": [object()]}, 2**70, Liar(1, 200)], ids=shown)
async def test_what_nobody_can_carry_is_a_500(value, caplog):
    reply = await asked(consumer(hello, returning(value)), request_id=7)
    assert reply["status"] == 500
    assert reply["data"] is None
    assert reply["request_id"] == 7
    [error] = reply["errors"]
    assert error["id"] in caplog.text
    assert "object" not in error["detail"]


async def test_the_log_names_type_and_place_of_what_nobody_can_carry(caplog):
    await asked(consumer(hello, returning({"rows": [1, object()]})))
    assert "data.rows[1]: a value of type object cannot be sent" in caplog.text


def test_a_result_is_taken_once_and_not_copied():
    reply = Reply(1)
    assert to_reply(reply) is reply


# What it raises.


@pytest.mark.parametrize(
    ("error", "status", "problem"),
    [
        (ValidationError("Too old.", field=["age"]), 400,
         {"code": "invalid", "detail": "Too old.", "field": ["age"]}),
        (PermissionDenied(), 403,
         {"code": "permission_denied",
          "detail": "You do not have permission to perform this action."}),
        (NotFound("No book."), 404, {"code": "not_found", "detail": "No book."}),
        (TooLarge(), 413, {"code": "too_large", "detail": "A value is too large."}),
        (Busy(retry_after=2.5), 503,
         {"code": "busy", "detail": "Too many calls are waiting on this connection.",
          "retry_after": 2.5}),
        (RequestError("Slow down.", code="throttled", status=429, retry_after=3), 429,
         {"code": "throttled", "detail": "Slow down.", "retry_after": 3}),
        (RequestError(), 500, {"code": "error", "detail": "The request failed."}),
        (Http404("secret"), 404, {"code": "not_found", "detail": "Not found."}),
        (django_exceptions.PermissionDenied("secret"), 403,
         {"code": "permission_denied",
          "detail": "You do not have permission to perform this action."}),
        (django_exceptions.ValidationError("Bad.", code="bad"), 400,
         {"code": "bad", "detail": "Bad."}),
        (django_exceptions.ValidationError({"age": ["Old."]}), 400,
         {"code": "invalid", "detail": "Old.", "field": ["age"]}),
        (django_exceptions.ValidationError({"__all__": ["Old."]}), 400,
         {"code": "invalid", "detail": "Old."}),
    ],
)  # fmt: skip
async def test_what_an_action_raises_on_purpose_is_told(error, status, problem):
    reply = await asked(consumer(hello, raising(error)))
    assert (reply["status"], reply["errors"], reply["data"]) == (status, [problem], None)


async def test_several_validation_errors_are_several_objects():
    error = django_exceptions.ValidationError({"a": ["One.", "Two."], "b": ["Three."]})
    reply = await asked(consumer(hello, raising(error)))
    assert [each["field"] for each in reply["errors"]] == [["a"], ["a"], ["b"]]


BUGS = [
    ValueError("secret"),
    KeyError("secret"),
    RecursionError("secret"),
    EncodeError("secret"),
    StopIteration("secret"),
    StopAsyncIteration("secret"),
    asyncio.CancelledError("secret"),
    TimeoutError("secret"),
]


@pytest.mark.parametrize("error", BUGS, ids=repr)
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_bug_is_a_500_with_an_id_and_no_word_of_it(error, kind, caplog):
    @action
    def act(self):
        raise error

    reply = await asked(consumer(hello, act if kind == "sync" else raising(error)), request_id=5)
    [problem] = reply["errors"]
    assert reply["status"] == 500
    assert reply["request_id"] == 5
    assert (problem["code"], problem["detail"]) == ("server_error", "A server error occurred.")
    assert "secret" not in str(reply)
    assert f"Error {problem['id']} in action 'act' of Chat" in caplog.text
    assert "secret" in caplog.text  # the traceback


async def test_with_debug_the_client_is_told_what_it_was():
    with override_settings(DEBUG=True):
        reply = await asked(consumer(hello, raising(ValueError("the moon"))))
    assert reply["errors"][0]["detail"] == "ValueError: the moon"


async def test_a_database_error_lets_the_connections_of_the_async_orm_heal(monkeypatch):
    healed = []

    async def close():
        healed.append(True)

    monkeypatch.setattr(outcome, "close_old_async_connections", close)
    assert await status_of(consumer(hello, raising(OperationalError()))) == 500
    assert healed == [True]


class DriverError(Exception):
    """What a driver of PostgreSQL raises."""

    def __init__(self, name, state):
        super().__init__("host=10.1.2.3 user=me")
        setattr(self, name, state)


@pytest.mark.parametrize("driver", ["sqlstate", "pgcode"])
@pytest.mark.parametrize("error_class", [OperationalError, InterfaceError])
@pytest.mark.parametrize(
    ("state", "status"),
    [(None, 503), ("08006", 503), ("53300", 503), ("57P01", 503), ("57014", 500), ("40P01", 500)],
)
async def test_a_database_that_does_not_answer_is_a_503_and_a_query_that_fails_a_bug(
    driver, error_class, state, status, caplog
):
    error = error_class("host=10.1.2.3 user=me")
    error.__cause__ = DriverError(driver, state)
    reply = await asked(consumer(hello, raising(error)))
    assert reply["status"] == status
    assert "10.1.2.3" not in str(reply)
    assert "10.1.2.3" in caplog.text
    code = {503: "database_unavailable", 500: "server_error"}[status]
    assert [each["code"] for each in reply["errors"]] == [code]


@pytest.mark.parametrize(
    "error",
    [django_exceptions.BadRequest("secret"), django_exceptions.SuspiciousOperation("secret")],
)
async def test_what_django_calls_a_bad_request_is_a_400_that_shows_nothing(error):
    reply = await asked(consumer(hello, raising(error)))
    assert (reply["status"], reply["errors"][0]["code"]) == (400, "bad_request")
    assert "secret" not in str(reply)
