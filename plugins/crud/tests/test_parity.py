"""Viewsets and routers of many kinds over HTTP and over the socket: same answers, same rows.

What HTTP and the socket may differ in stands in `assert_same`, each with its reason.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, models, transaction
from django.http import Http404
from django.test import override_settings
from django.urls import Resolver404, include, path, re_path, resolve
from django_filters.rest_framework import DjangoFilterBackend
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework import exceptions, mixins, permissions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.test import APIClient

from aaah_core import MISSING, AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db
LABEL = "aaah_router_parity_tests"


class Work(models.Model):
    slug = models.SlugField(max_length=8, unique=True)
    pages = models.PositiveSmallIntegerField(default=1)
    price = models.DecimalField(max_digits=4, decimal_places=2, default=1)
    published = models.DateField(null=True, blank=True)
    owner = models.CharField(max_length=10, default="emma")
    shelf = models.PositiveSmallIntegerField(default=1)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.slug


class Novel(Work):
    class Meta:
        app_label = LABEL


def next_uuid() -> uuid.UUID:
    return uuid.UUID(int=max((each.pk.int for each in Poem.objects.all()), default=0) + 1)


class Poem(Work):
    id = models.UUIDField(primary_key=True, default=next_uuid)

    class Meta:
        app_label = LABEL


def serializer_of(model: Any) -> Any:
    class WorkSerializer(serializers.ModelSerializer[Any]):
        tags = serializers.ListField(child=serializers.IntegerField(max_value=9), required=False)

        class Meta:
            fields = ("id", "slug", "pages", "price", "published", "tags")

        def validate(self, attrs: Any) -> Any:
            attrs.pop("tags", None)
            if attrs.get("slug") == "bad":
                raise serializers.ValidationError("No such slug.", code="bad")
            return attrs

    WorkSerializer.Meta.model = model  # type: ignore[attr-defined]  # set here
    return WorkSerializer


class Owns(permissions.BasePermission):
    message = "It is not yours."

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj.owner == request.user.username)


class ByPage(PageNumberPagination):
    page_size = 2
    page_size_query_param = "size"
    max_page_size = 3


class ByOffset(LimitOffsetPagination):
    default_limit = 2
    max_limit = 3


class ByCursor(CursorPagination):
    page_size = 2
    ordering = "-pages"


class Growth(serializers.Serializer[Any]):
    by = serializers.IntegerField(max_value=9)
    notes = serializers.ListField(child=serializers.CharField(), required=False)


#: What an action raises, by its name in the query.
RAISED: dict[str, Any] = {
    "404": Http404("Not on this shelf."),
    "not found": exceptions.NotFound(),
    "denied": PermissionDenied,
    "forbidden": exceptions.PermissionDenied("No.", "no"),
    "unknown": exceptions.NotAuthenticated(),
    "wait": exceptions.Throttled(7),
    "text": exceptions.ValidationError("It is wrong."),
    "nested": exceptions.ValidationError({"a": [{}, {"b": ["c", "d"]}], "e": {"f": "g"}}),
    "conflict": IntegrityError("a secret"),
    "bug": LookupError,
}


class Shelved:
    filter_backends = (DjangoFilterBackend, SearchFilter, OrderingFilter)
    filterset_fields = {"pages": ["exact", "gte"], "slug": ["in"], "published": ["isnull"]}
    search_fields = ("slug", "owner")
    ordering_fields = ("slug", "pages")
    kwargs: Any

    def get_queryset(self) -> Any:
        queryset: Any = super().get_queryset()  # type: ignore[misc]  # of a viewset, or a handler
        shelf = self.kwargs.get("author_pk")
        return queryset if shelf is None else queryset.filter(shelf=shelf)


class Actions(Shelved, viewsets.GenericViewSet[Any]):
    @action(detail=False, filter_backends=[OrderingFilter], url_path="all-of-them")
    def everything(self, request: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        if page is None:
            return Response(sorted(each.slug for each in self.get_queryset()))
        return self.get_paginated_response([each.slug for each in page])

    @action(detail=False, permission_classes=[], pagination_class=None, url_path="no/pages")
    def open_to_all(self, request: Any, **kwargs: Any) -> Response:
        return Response([each.pk for each in self.filter_queryset(self.get_queryset())])

    @action(detail=True, methods=["post"], serializer_class=Growth)
    def grow(self, request: Any, **kwargs: Any) -> Response:
        novel = self.get_object()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        novel.pages += serializer.validated_data["by"]
        novel.save()
        return Response({"pages": novel.pages, "by": self.action}, status=202)

    @action(detail=True, methods=["get", "put"], url_path="the-owner")
    def owner(self, request: Any, **kwargs: Any) -> Response:
        return Response([request.method, self.action, self.detail, self.get_object().owner])

    @owner.mapping.delete
    def disown(self, request: Any, **kwargs: Any) -> Response:
        self.get_queryset().filter(pk=self.get_object().pk).update(owner="nobody")
        return Response(status=204)

    @action(detail=True, permission_classes=[permissions.IsAdminUser], suffix="Instance")
    def secret(self, request: Any, **kwargs: Any) -> Response:
        return Response({"user": str(request.user), "keys": sorted(kwargs)})

    @action(detail=False, methods=["get", "post"])
    def fail(self, request: Any, **kwargs: Any) -> Response:
        self.get_queryset().update(pages=9)
        if (kind := request.query_params.get("search")) in RAISED:
            raise RAISED[kind]
        return Response(request.data, status=203)


KINDS: dict[str, tuple[Any, ...]] = {
    "all": (viewsets.ModelViewSet,),
    "readonly": (viewsets.ReadOnlyModelViewSet,),
    "adds": (mixins.CreateModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet),
    "posts": (viewsets.ModelViewSet,),
    "handled": (viewsets.ModelViewSet,),
}
PERMISSIONS: dict[str, tuple[Any, ...]] = {
    "any": (permissions.AllowAny,),
    "users": (permissions.IsAuthenticatedOrReadOnly, Owns),
    "staff": (permissions.IsAdminUser | (permissions.IsAuthenticated & Owns),),
    "guests": (~permissions.IsAuthenticated,),
    "model": (permissions.DjangoModelPermissionsOrAnonReadOnly,),
}
BY_SLUG = {"lookup_field": "slug"}
#: The model, what a viewset looks up by, and what of that is for routers of paths only.
LOOKUPS: dict[str, tuple[Any, dict[str, Any]]] = {
    "id": (Novel, {}),
    "number": (Novel, {"lookup_value_regex": r"\d+", "lookup_value_converter": "int"}),
    "uuid": (Poem, {}),
    "hex": (Poem, {"lookup_value_regex": "[0-9a-f-]{36}", "lookup_value_converter": "uuid"}),
    "slug": (Poem, {**BY_SLUG, "lookup_value_regex": "[a-z]+", "lookup_value_converter": "slug"}),
    "kwarg": (Novel, {**BY_SLUG, "lookup_url_kwarg": "called"}),
    "both": (Novel, {"lookup_url_kwarg": "key", "lookup_value_converter": "int"}),
}
PAGES = {"none": None, "page": ByPage, "offset": ByOffset, "cursor": ByCursor}


class MaybeSlash(SimpleRouter):
    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


ROUTERS: dict[str, Any] = {
    "simple": SimpleRouter,
    "simple without": lambda: SimpleRouter(trailing_slash=False),
    "default": DefaultRouter,
    "default without": lambda: DefaultRouter(trailing_slash=False),
    "paths": lambda: SimpleRouter(use_regex_path=False),
    "default paths": lambda: DefaultRouter(use_regex_path=False),
    "paths without": lambda: SimpleRouter(trailing_slash=False, use_regex_path=False),
    "maybe": MaybeSlash,
}
#: What a viewset is registered by, what that is to routers of paths, and a route that matches.
PREFIXES = {
    "plain": ("works", "works", "works"),
    "dashes": ("my-works", "my-works", "my-works"),
    "slashes": ("a/b/works", "a/b/works", "a/b/works"),
    "nested": (
        r"authors/(?P<author_pk>\d+)/works",
        "authors/<int:author_pk>/works",
        "authors/1/works",
    ),
    "none": ("", "", ""),
}
#: What a router stands below: a pattern, and a route that matches.
MOUNTS: dict[str, tuple[Any, Any, str]] = {
    "root": (path, "", ""),
    "below": (path, "api/v1/", "api/v1/"),
    "captured": (re_path, r"^by/(?P<author_pk>[12])/", "by/2/"),
}


class World(NamedTuple):
    """What there is to serve, by the names above; and how."""

    router: str
    prefix: str
    mount: str
    lookup: str
    pages: str
    permissions: str
    kind: str
    codec: str
    atomic: bool


@dataclass(eq=False)
class Served:
    """A world over HTTP, as a module of URLs, and over the socket."""

    urlpatterns: Any
    application: Any
    head: str
    home: str
    slash: str
    model: Any
    key: str


@lru_cache(maxsize=500)
def served(world: World) -> Served:
    model, lookup = LOOKUPS[world.lookup]
    options = {
        "queryset": model.objects.order_by("slug"),
        "serializer_class": serializer_of(model),
        "permission_classes": PERMISSIONS[world.permissions],
        "pagination_class": PAGES[world.pages],
        **lookup,
        **({"http_method_names": ["get", "post", "head"]} if world.kind == "posts" else {}),
    }
    viewset: Any = type("WorkViewSet", (Actions, *KINDS[world.kind]), options)
    router = ROUTERS[world.router]()
    regex, converters, prefix = PREFIXES[world.prefix]
    router.register(converters if "paths" in world.router else regex, viewset)
    make, mounted, mount = MOUNTS[world.mount]
    if world.kind == "handled":
        handler = type("WorkHandler", (Shelved, ModelAPIActionHandler), options)
        patterns = (make(mounted, include([re_path(f"^{regex}/", serve(handler))])),)
    else:
        patterns = (make(mounted, serve(router)),)
    namespace = {"routepatterns": patterns, "codecs": (world.codec,)}
    consumer: Any = type("Works", (AsyncAPIConsumer,), namespace)
    slash = "" if "without" in world.router else "/"
    key = lookup.get("lookup_url_kwarg") or lookup.get("lookup_field", "pk")
    urls = (make(mounted, include(router.urls)),)
    head = f"{mount}{prefix}"
    home = f"{head}{slash}" if prefix else mount
    return Served(urls, consumer.as_asgi(), head.removesuffix("/"), home, slash, model, key)


#: By the name of an action: what follows the key in HTTP, if it has a key at all, and the method.
NAMES: dict[str, tuple[bool, str, str]] = {
    "list": (False, "", "get"),
    "create": (False, "", "post"),
    "retrieve": (True, "", "get"),
    "update": (True, "", "put"),
    "partial_update": (True, "", "patch"),
    "destroy": (True, "", "delete"),
    "everything": (False, "all-of-them", "get"),
    "open_to_all": (False, "no/pages", "get"),
    "grow": (True, "grow", "post"),
    "owner": (True, "the-owner", "get"),
    "disown": (True, "the-owner", "delete"),
    "secret": (True, "secret", "get"),
    "fail": (False, "fail", "get"),
}
#: What a call that brings data stands for, where an action has two methods.
WITH_DATA = {"owner": "put", "fail": "post"}
#: Where a call goes: its path in HTTP, its object's route, or that of the list with a key.
PLACES = ("own", "object", "list")


class Sent(NamedTuple):
    """A call, and where on the socket it goes."""

    name: str
    place: str
    key: str
    query: str
    data: Any
    user: str

    def route(self, at: Served, place: str) -> str:
        detail, tail, _ = NAMES[self.name]
        key = [self.key] if detail and place != "list" else []
        rest = [*key, *([tail] if tail and place == "own" else [])]
        return "/".join(filter(None, [at.head, *rest])) + at.slash if rest else at.home

    @property
    def search(self) -> str:
        return f"?{self.query}" if self.query else ""


class Answer(NamedTuple):
    status: int
    body: Any
    rows: Any
    links: list[Any]


ADMIN = User(pk=1, username="root", is_staff=True, is_superuser=True)
USERS = {
    "root": ADMIN,
    "emma": User(pk=2, username="emma"),
    "nobody": None,
    "anonymous": AnonymousUser(),
}


def refill(model: Any) -> None:
    model.objects.all().delete()
    for pk, slug in enumerate(["anna", "boris", "clara", "dora", "emil"], 1):
        key = uuid.UUID(int=pk) if model is Poem else pk
        owner = "emma" if pk % 2 else "fred"
        model.objects.create(pk=key, slug=slug, owner=owner, pages=pk * 10, shelf=1 + pk // 4)


def rows(model: Any) -> list[Any]:
    return list(model.objects.order_by("pk").values())


def offered(at: Served, sent: Sent) -> str | None:
    """The HTTP method that the call stands for; None where HTTP has no such action there."""
    try:
        view, _, captured = resolve(f"/{sent.route(at, 'own')}", at)
    except Resolver404:
        return None
    if "format" in captured:  # `/1.json`: only in HTTP is there a format to ask for
        return None
    allowed = getattr(getattr(view, "cls", None), "http_method_names", ())
    found = [
        method
        for method, name in getattr(view, "actions", {}).items()
        if name == sent.name and method in allowed
    ]
    method = NAMES[sent.name][2]
    if sent.data is not MISSING:
        method = WITH_DATA.get(sent.name, method)
    return method if method in found else next(iter(found), None)


def over_http(at: Served, calls: list[Sent]) -> list[Answer]:
    """Answer calls over HTTP; what they changed is then undone."""
    with transaction.atomic(), override_settings(ROOT_URLCONF=at):
        refill(at.model)
        answers = [_over_http(at, sent) for sent in calls]
        transaction.set_rollback(True)
    refill(at.model)
    return answers


def _over_http(at: Served, sent: Sent) -> Answer:
    client = APIClient(raise_request_exception=False)
    if sent.user in ("root", "emma"):
        client.force_authenticate(USERS[sent.user])
    method = offered(at, sent)
    if method is None:
        return Answer(0, None, rows(at.model), [])
    body = {}
    if sent.data is not MISSING and method != "get":
        body = {"data": json.dumps(sent.data)}
    url = f"/{quote(sent.route(at, 'own'))}{sent.search}"
    content = {} if method == "get" else {"content_type": "application/json"}
    response = client.generic(method.upper(), url, **body, **content)
    is_json = response.get("Content-Type") == "application/json"
    found = json.loads(response.content) if is_json else None
    links = []
    while (link := _next(found if not links else links[-1])) and len(links) < 3:
        links.append(json.loads(client.get(link).content))
    return Answer(response.status_code, found, rows(at.model), links)


async def over_the_socket(at: Served, client: Any, sent: Sent) -> Answer:
    key = {at.key: sent.key} if NAMES[sent.name][0] and sent.place == "list" else {}
    name = "remove" if sent.name == "destroy" and len(sent.query) % 2 else sent.name
    reads = NAMES[sent.name][2] == "get" and sent.name not in WITH_DATA
    data = MISSING if reads else sent.data
    reply = await client.call(name, f"{sent.route(at, sent.place)}{sent.search}", data, **key)
    links: list[Any] = []
    while (link := _next(links[-1] if links else reply["data"])) and len(links) < 3:
        links.append((await client.call(name, link))["data"])
    return Answer(reply["status"], reply, await run_sync(rows, at.model), links)


def _next(body: Any) -> str | None:
    link: str | None = body.get("next") if isinstance(body, dict) else None
    return link


def assert_same(world: World, at: Served, sent: Sent, http: Answer, socket: Answer) -> None:
    assert socket.rows == http.rows
    reply = socket.body
    if not http.status:
        # A name that a route does not have. Its view in HTTP may say 403 first, or be another's.
        # A handler's checks and filters come before a look at the key that a message brings.
        refused = (400, 403, 404, 405) if world.kind == "handled" else (404, 405)
        assert socket.status in refused, reply
        return
    if sent.name == "fail" and sent.query == "search=conflict" and http.status == 500:
        # What a database refuses is a 409 here; in HTTP, DRF leaves it to Django.
        assert socket.status == 409, reply
        return
    assert socket.status == http.status, (reply, http.body)
    if http.status < 400:
        pages = (http.body, reply["data"]), *zip(http.links, socket.links, strict=True)
        for theirs, ours in pages:
            assert ours == with_routes(theirs, sent.route(at, sent.place))
        assert reply["errors"] == []
    elif http.body is not None and not (world.kind == "handled" and http.status == 403):
        # Handlers refuse in words of their own.
        said = [(tuple(each.get("field", ())), each["detail"]) for each in reply["errors"]]
        assert said == in_errors(http.body)


def with_routes(body: Any, route: str) -> Any:
    """Make the links of a page those of a route."""
    if isinstance(body, dict) and "results" in body:
        for link in ("next", "previous"):
            if body[link] is not None:
                _, mark, query = body[link].partition("?")
                body[link] = f"{route}{mark}{query}"
    return body


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


def names_of(table: Any) -> Any:
    return st.sampled_from(list(table))


def sensible(world: World) -> World:
    if world.kind == "handled":  # what `serve` makes of it is what a SimpleRouter makes
        world = world._replace(router="simple")
    if world.prefix == "none" and (
        world.kind == "handled" or world.router in ("maybe", "paths without")
    ):  # DRF makes no pattern of these two
        world = world._replace(prefix="plain")
    if world.mount == "root" and world.prefix == "none":  # the empty route is the consumer's own
        return world._replace(mount="below")
    return world


worlds = st.builds(
    World,
    names_of(ROUTERS),
    names_of(PREFIXES),
    names_of(MOUNTS),
    names_of(LOOKUPS),
    names_of(PAGES),
    st.sampled_from(["any", "any", *PERMISSIONS]),
    st.sampled_from(["all", "all", *KINDS]),
    st.sampled_from(["json", "msgpack"]),
    st.booleans(),
).map(sensible)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40_000),
    st.sampled_from(["", "emma", "bad", "9.50", "1.234", "1999-12-31", "x" * 9, " b ", "\u00e9"]),
    st.floats(-10, 100, allow_nan=False).map(lambda number: round(number, 3)),
    st.lists(st.sampled_from([1, 10, "x", None]), max_size=2),
    st.just({"a": 1}),
)
good = st.fixed_dictionaries(
    {"slug": st.sampled_from(["new", "other", "anna", "bad"]), "by": st.sampled_from([3, 10])},
    optional={"pages": st.integers(0, 50), "price": st.sampled_from(["1.00", 2, 3.5])},
)
fields = ["slug", "pages", "price", "published", "tags", "owner", "id", "partial", "by", "notes"]
some = st.dictionaries(st.sampled_from(fields), values, max_size=4)
odd = st.sampled_from([MISSING, {"by": 3, "notes": [""]}, None, [], [{}], "text", 5, True])
bodies = st.one_of(good, good, some, odd)
asked = ["page", "size", "limit", "offset", "cursor", "search", "ordering", "pages", "x"]
asked += ["pages__gte", "slug__in", "published__isnull"]
said = ["1", "2", "3", "99", "-1", "x", "a", "slug", "-slug", "-pages,slug", "anna,dora", "true"]
said += ["", "cD0yMA==", "\u00e9"]
queried = st.dictionaries(st.sampled_from(asked), st.sampled_from(said), max_size=3).map(urlencode)
raw = st.sampled_from(["page=1&page=2", "&&", "ordering", "%zz=%", "search=a+b", "search=%20a"])
raised = st.sampled_from([urlencode({"search": kind}) for kind in RAISED])
numbers = ["9", "01", "-1", "9" * 20, "1 ", "1\n", "\u0661", "1.0", "1.json"]
slugs = ["nobody", "ANNA", "grow", "no", "%31", "\u00e9", " "]
uuids = [str(uuid.UUID(int=9)), f"{2:032x}", f"{10:032X}"]
right_uuids = [str(uuid.UUID(int=pk)) for pk in (1, 2, 4)]
right_slugs = ["anna", "boris", "dora"]
RIGHT = {"uuid": right_uuids, "hex": right_uuids, "slug": right_slugs, "kwarg": right_slugs}
wrong = st.sampled_from([*numbers, *slugs, *uuids])


@st.composite
def stories(draw: Any) -> tuple[World, list[Sent]]:
    """A world, and what is sent to it."""
    world = draw(worlds)
    right = st.sampled_from(RIGHT.get(world.lookup, ["1", "2", "4"]))
    known = list(NAMES)[:6] if world.kind == "handled" else list(NAMES)
    places = ["own", "list"] if world.kind == "handled" else PLACES
    user = draw(names_of(USERS))
    calls = []
    for _ in range(draw(st.integers(1, 3))):
        name, place = draw(st.sampled_from(known)), draw(st.sampled_from(places))
        key = draw(st.one_of(right, right, right, wrong))
        query = draw(raised if name == "fail" else st.one_of(st.just(""), queried, raw))
        calls.append(Sent(name, place, key, query, draw(bodies), user))
    return world, calls


async def assert_parity(world: World, calls: list[Sent]) -> None:
    database = connection.settings_dict
    database["ATOMIC_REQUESTS"] = world.atomic
    try:
        at = served(world)
        expected = await run_sync(over_http, at, calls)
        user = USERS[calls[0].user]
        async with connect(at.application, codec=world.codec, user=user) as client:
            for sent, http in zip(calls, expected, strict=True):
                assert_same(world, at, sent, http, await over_the_socket(at, client, sent))
    finally:
        database["ATOMIC_REQUESTS"] = False


@pytest.fixture(scope="module", autouse=True)
def tables(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in (Novel, Poem):
            editor.create_model(model)


def examples(number: int) -> Any:
    shared = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return hypothesis_settings(max_examples=number, deadline=None, suppress_health_check=shared)


@examples(60)
@given(story=stories())
async def test_what_is_served_answers_over_the_socket_what_it_answers_over_http(story: Any) -> None:
    await assert_parity(*story)


@pytest.mark.programme(seconds=75)
@examples(2_000)
@given(story=stories())
async def test_thousands_of_stories_end_over_the_socket_as_over_http(story: Any) -> None:
    await assert_parity(*story)
