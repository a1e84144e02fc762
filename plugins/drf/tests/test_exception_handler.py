"""DRF's setting `EXCEPTION_HANDLER`: what it answers is the reply."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError
from django.http import Http404, JsonResponse
from django.urls import path
from rest_framework import exceptions, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import exception_handler

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer
from aaah_core import PermissionDenied as Refused
from aaah_core.testing import connect
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class OutOfStock(Exception):
    pass


RAISED: dict[str, Exception] = {
    "invalid": exceptions.ValidationError({"name": ["Too short.", "Too dull."]}),
    "listed": exceptions.ValidationError(["Too late."]),
    "denied": exceptions.PermissionDenied(),
    "anonymous": exceptions.NotAuthenticated(),
    "throttled": exceptions.Throttled(7),
    "missing": Http404("No such book."),
    "conflict": IntegrityError("UNIQUE constraint failed"),
    "sold": OutOfStock("None left."),
    "bug": LookupError("secret"),
    "refused": Refused(),
}


def fail(how: str) -> None:
    raise RAISED[how]


async def answers(*, but: tuple[str, ...] = ()) -> list[dict[str, dict[str, Any]]]:
    """Return the replies to each exception, of a generic handler and of a viewset."""

    class Handler(GenericAsyncAPIActionHandler):
        @async_action
        def fail(self, how: str) -> None:
            fail(how)

    class ViewSet(viewsets.ViewSet):
        @action(detail=False, methods=["post"])
        def fail(self, request: Any) -> Response:
            fail(request.data)
            raise AssertionError

    class Consumer(AsyncAPIConsumer):
        routepatterns = (path("handler/", Handler.as_aaah()), path("viewset/", serve(ViewSet)))

    found: list[dict[str, dict[str, Any]]] = []
    async with connect(Consumer.as_asgi()) as client:
        for route in ("handler/", "viewset/"):
            replies = {}
            for how in RAISED:
                if how in but:
                    continue
                reply = await client.call("fail", route=route, how=how, data=how)
                replies[how] = {key: reply[key] for key in ("status", "errors", "data")}
            found.append(replies)
    return found


def without_ids(replies: Any) -> Any:
    # A bug has another id each time.
    return [
        {how: reply for how, reply in each.items() if how not in ("bug", "sold")}
        for each in replies
    ]


def delegates(error: Exception, context: Any) -> Any:
    assert set(context) == {"view", "args", "kwargs", "request"}
    assert context["view"].request is not None
    assert context["request"].user is not None
    Group.objects.count()
    return exception_handler(error, context)


async def test_one_that_only_looks_changes_no_reply(settings: Any) -> None:
    plain = await answers()
    assert plain[0]["invalid"]["errors"][1] == {
        "code": "invalid",
        "detail": "Too dull.",
        "field": ["name"],
    }
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": delegates}
    looked = await answers()
    assert without_ids(looked) == without_ids(plain)
    for each in looked:
        assert each["sold"]["status"] == each["bug"]["status"] == 500
        assert each["denied"]["status"] == each["anonymous"]["status"] == 403
        assert each["throttled"]["errors"][0]["retry_after"] == 7


def adds(error: Exception, context: Any) -> Any:
    response = exception_handler(error, context)
    if response is not None:
        if isinstance(response.data, list):
            response.data = {"errors": response.data}
        response.data["status_code"] = response.status_code  # in place, as DRF's documents have it
    return response


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the handler changes in place must be new each time, as it is when code raises it."""

    def fail_anew(how: str) -> None:
        error: Any = RAISED[how]
        raise exceptions.ValidationError(error.detail) if how == "invalid" else error

    monkeypatch.setattr(__name__ + ".fail", fail_anew)


@pytest.mark.usefixtures("fresh")
async def test_its_body_is_the_detail_of_the_one_error(settings: Any) -> None:
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": adds}
    for each in await answers(but=("bug", "sold")):
        assert each["invalid"] == {
            "status": 400,
            "errors": [
                {
                    "code": "invalid",
                    "detail": {"name": ["Too short.", "Too dull."], "status_code": 400},
                }
            ],
            "data": None,
        }
        assert each["listed"]["errors"][0]["detail"] == {
            "errors": ["Too late."],
            "status_code": 400,
        }
        assert each["anonymous"]["errors"] == [
            {
                "code": "not_authenticated",
                "detail": {
                    "detail": "Authentication credentials were not provided.",
                    "status_code": 403,
                },
            }
        ]
        assert each["throttled"]["errors"][0]["retry_after"] == 7
        assert each["missing"]["status"] == 404
        assert each["conflict"]["status"] == 409
        assert each["refused"]["errors"][0]["code"] == "permission_denied"


def answers_all(error: Exception, context: Any) -> Any:
    if isinstance(error, OutOfStock):
        return Response({"detail": str(error)}, 409)
    if isinstance(error, Http404):
        return Response({"success": False}, 200)
    if isinstance(error, exceptions.ValidationError):
        return JsonResponse({"bad": True}, status=400)
    return Response(status=500)


async def test_it_may_answer_for_any_exception_but_for_what_aaah_refuses(settings: Any) -> None:
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": answers_all}
    for each in await answers():
        assert each["sold"] == {
            "status": 409,
            "errors": [{"code": "error", "detail": "None left."}],
            "data": None,
        }
        assert each["missing"] == {"status": 200, "errors": [], "data": {"success": False}}
        assert each["invalid"]["status"] == 400
        assert each["bug"]["errors"] == [{"code": "error", "detail": "Internal Server Error"}]
        assert each["refused"]["status"] == 403


async def test_a_viewset_may_have_one_of_its_own() -> None:
    class Own(viewsets.ViewSet):
        def list(self, request: Any) -> Response:
            raise OutOfStock

        def get_exception_handler(self) -> Any:
            return lambda error, context: Response({"own": type(error).__name__}, 409)

    class Consumer(AsyncAPIConsumer):
        routepatterns = (path("own/", serve(Own)),)

    async with connect(Consumer.as_asgi()) as client:
        answer = await client.call("list", route="own/")
    assert answer["status"] == 409
    assert answer["errors"] == [{"code": "error", "detail": {"own": "OutOfStock"}}]


async def test_one_that_cannot_be_imported_stops_the_start(settings: Any) -> None:
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "nowhere.at_all"}

    class Consumer(GenericAsyncAPIActionHandler, AsyncAPIConsumer):
        permission_classes = ()

    with pytest.raises(Exception, match="EXCEPTION_HANDLER"):
        Consumer.as_asgi()
