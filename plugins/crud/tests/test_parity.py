"""One viewset over HTTP and over the socket, as it is and as a generic handler: same answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection, models, transaction
from django.urls import include, path
from django_filters.rest_framework import DjangoFilterBackend
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework.viewsets import ModelViewSet

from aaah_core import MISSING, AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class Novel(models.Model):
    title = models.CharField(max_length=8, unique=True)
    pages = models.PositiveSmallIntegerField(default=1)
    price = models.DecimalField(max_digits=4, decimal_places=2, default=1)
    published = models.DateField(null=True, blank=True)
    owner = models.CharField(max_length=10, default="emma")

    class Meta:
        app_label = "aaah_parity_tests"

    def __str__(self) -> str:
        return self.title


class NovelSerializer(serializers.ModelSerializer[Novel]):
    tags = serializers.ListField(child=serializers.IntegerField(max_value=9), required=False)

    class Meta:
        model = Novel
        fields = ("id", "title", "pages", "price", "published", "tags")

    def validate(self, attrs: Any) -> Any:
        attrs.pop("tags", None)
        if attrs.get("title") == "bad":
            raise serializers.ValidationError("No such title.", code="bad")
        return attrs


class OwnersWrite(BasePermission):
    message = "It is not yours."
    code = "not_yours"

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return request.method == "GET" or obj.owner == request.user.username


class Pages(PageNumberPagination):
    page_size = 2
    page_size_query_param = "size"
    max_page_size = 3


OPTIONS: dict[str, Any] = {
    "queryset": Novel.objects.order_by("pk"),
    "serializer_class": NovelSerializer,
    "permission_classes": (IsAuthenticatedOrReadOnly, OwnersWrite),
    "filter_backends": (DjangoFilterBackend, SearchFilter, OrderingFilter),
    "filterset_fields": {"pages": ["exact", "gte"], "published": ["isnull"]},
    "search_fields": ("title",),
    "ordering_fields": ("title", "pages"),
    "pagination_class": Pages,
}


class NovelViewSet(ModelViewSet[Novel]):
    locals().update(OPTIONS)

    @action(detail=False)
    def longest(self, request: Any) -> Response:
        novel = self.filter_queryset(self.get_queryset()).order_by("-pages", "pk").first()
        if novel is None:
            raise serializers.ValidationError("There is none.", code="none")
        return Response(self.get_serializer(novel).data)

    @action(detail=True, methods=["post"])
    def grow(self, request: Any, pk: str) -> Response:
        novel = self.get_object()
        novel.pages += serializers.IntegerField(max_value=9).run_validation(request.data)
        novel.save()
        return Response({"pages": novel.pages}, status=202)


class NovelHandler(ModelAPIActionHandler):
    locals().update(OPTIONS)


router = SimpleRouter()
router.register("novels", NovelViewSet)
urlpatterns = [path("", include(router.urls))]


class Shelves(AsyncAPIConsumer):
    routepatterns = (
        path("served/", serve(router)),
        path("handled/novels/", serve(NovelHandler)),
    )


METHODS = {
    "list": "get",
    "create": "post",
    "retrieve": "get",
    "update": "put",
    "partial_update": "patch",
    "remove": "delete",
    "longest": "get",
    "grow": "post",
}
USERS = {
    "emma": User(pk=1, username="emma"),
    "fred": User(pk=2, username="fred"),
    "nobody": None,
    "anonymous": AnonymousUser(),
}


@pytest.fixture(scope="module", autouse=True)
def table(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Novel)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40_000),
    st.sampled_from(
        ["", "emma", "bad", "9.50", "1.234", "1999-12-31", "x" * 9, " b ", "\u00e9\u4e16"]
    ),
    st.floats(-10, 100, allow_nan=False).map(lambda number: round(number, 3)),
    st.lists(st.sampled_from([1, 10, "x", None]), max_size=2),
    st.just({"a": 1}),
)
good = st.fixed_dictionaries(
    {"title": st.sampled_from(["a", "b", "c", "new", "bad"])},
    optional={"pages": st.integers(0, 50), "price": st.sampled_from(["1.00", 2, 3.5])},
)
fields = st.sampled_from(["title", "pages", "price", "published", "tags", "owner", "id", "partial"])
data = st.one_of(
    good,
    st.dictionaries(fields, values, max_size=4),
    st.sampled_from([MISSING, None, [], [{}], "text", 5]),
)
queries = st.dictionaries(
    st.sampled_from(
        ["page", "size", "search", "ordering", "pages", "pages__gte", "published__isnull", "x"]
    ),
    st.sampled_from(["", "1", "2", "3", "99", "-1", "x", "a", "title", "-title", "-pages", "true"]),
    max_size=3,
)
calls = st.fixed_dictionaries(
    {
        "action": st.sampled_from(list(METHODS)),
        "pk": st.sampled_from(["1", "2", "3", "9", "x", "01", "-1", "99999999999999999999"]),
        "query": queries,
        "data": data,
        "user": st.sampled_from(list(USERS)),
    }
)


def over_http(call: dict[str, Any], route: str) -> tuple[int, Any]:
    client = APIClient()
    if call["user"] in ("emma", "fred"):
        client.force_authenticate(USERS[call["user"]])
    body = {} if call["data"] is MISSING else {"data": json.dumps(call["data"])}
    if METHODS[call["action"]] == "get":
        body = {}
    else:
        body["content_type"] = "application/json"
    client.raise_request_exception = False
    response = getattr(client, METHODS[call["action"]])(f"/{route}", **body)
    return response.status_code, json.loads(response.content) if response.content else None


def in_errors(detail: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], str]]:
    """What HTTP says is wrong, as pairs of a path and a sentence."""
    if isinstance(detail, dict):
        whole = ("non_field_errors", "detail")
        return [
            pair
            for key, inner in detail.items()
            for pair in in_errors(inner, path if key in whole else (*path, _index(key)))
        ]
    if isinstance(detail, list):
        return [
            pair
            for index, inner in enumerate(detail)
            for pair in in_errors(inner, (*path, index) if not isinstance(inner, str) else path)
        ]
    return [(path, detail)]


def _index(key: str) -> int | str:
    return int(key) if key.isdigit() else key


def as_http_says(reply: dict[str, Any]) -> list[tuple[tuple[Any, ...], str]]:
    return [(tuple(each.get("field", ())), each["detail"]) for each in reply["errors"]]


def rows() -> list[Any]:
    return list(Novel.objects.order_by("pk").values())


def refill() -> None:
    Novel.objects.all().delete()
    for pk, (title, owner) in enumerate([("a", "emma"), ("b", "fred"), ("c", "emma")], 1):
        Novel.objects.create(pk=pk, title=title, owner=owner, pages=pk * 10)


def http_first(call: dict[str, Any], route: str) -> tuple[int, Any, list[Any]]:
    """Return what HTTP answers and what is then stored; it is undone."""
    with transaction.atomic():
        refill()
        status, body = over_http(call, route)
        stored = rows()
        transaction.set_rollback(True)
    refill()
    return status, body, stored


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize("kind", ["served", "handled"])
async def test_a_viewset_answers_over_the_socket_what_it_answers_over_http(
    kind: str, codec: str, settings: Any
) -> None:
    settings.ROOT_URLCONF = __name__
    application = type("Shelves", (Shelves,), {"codecs": (codec,)}).as_asgi()  # type: ignore[attr-defined]  # made by type()

    @hypothesis_settings(
        max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(call=calls)
    async def same(call: dict[str, Any]) -> None:
        if kind == "handled" and call["action"] in ("longest", "grow"):
            return
        detail = call["action"] not in ("list", "create", "longest")
        where = f"novels/{call['pk']}/" if detail else "novels/"
        query = f"?{urlencode(call['query'])}" if call["query"] else ""
        at = f"{call['action']}/" if call["action"] in ("longest", "grow") else ""
        status, body, stored = await run_sync(http_first, call, f"{where}{at}{query}")
        sent = MISSING if METHODS[call["action"]] == "get" else call["data"]
        async with connect(application, codec=codec, user=USERS[call["user"]]) as client:
            reply = await client.call(call["action"], route=f"{kind}/{where}{query}", data=sent)
        compare(kind, status, body, reply)
        assert await run_sync(rows) == stored

    await _run(same)


async def _run(test: Any) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    inner = test.hypothesis.inner_test
    test.hypothesis.inner_test = lambda **drawn: asyncio.run_coroutine_threadsafe(
        inner(**drawn), loop
    ).result()
    await asyncio.to_thread(test)


def compare(kind: str, status: int, body: Any, reply: dict[str, Any]) -> None:
    assert reply["status"] == status, (reply, body)
    if status < 400:
        if isinstance(body, dict) and "results" in body:
            prefix = "http://testserver/"
            for link in ("next", "previous"):
                body[link] = body[link] and body[link].replace(prefix, f"{kind}/")
        assert (reply["data"], reply["errors"]) == (body, [])
    elif status != 500 and not (kind == "handled" and status == 403):
        assert as_http_says(reply) == in_errors(body)
