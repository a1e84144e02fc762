"""Handlers that code makes and asks by itself, as with rest_framework_channels 0.0.7.

Everything here runs against that library as well: it imports nothing but its modules.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from django.contrib.auth.models import Group
from django.http import Http404
from django.test import override_settings
from django.urls import path, re_path
from django.urls.exceptions import Resolver404
from rest_framework import permissions as drf
from rest_framework import serializers
from rest_framework.exceptions import (
    PermissionDenied,
    ValidationError,
)
from rest_framework.pagination import PageNumberPagination

from rest_framework_channels import (
    exceptions,
    generics,
    handlers,
    permissions,
    routings,
    utils,
)
from rest_framework_channels.consumers import AsyncAPIConsumer
from rest_framework_channels.decorators import async_action
from rest_framework_channels.handlers import AsyncAPIActionHandler

pytestmark = pytest.mark.django_db(transaction=True)


class Sends(list):
    async def __call__(self, message):
        self.append(message)


class Child(AsyncAPIActionHandler):
    @async_action()
    async def test_async_child_action(self, **kwargs):
        return {"kwargs": dict(self.kwargs)}, 200

    @async_action(mode="none")
    async def nothing(self, **kwargs):
        return 1, 200

    @async_action(mode="broadcast")
    async def shout(self, data, **kwargs):
        return data, 200


def parent(*routes, **attributes):
    return type(
        "ParentConsumer", (AsyncAPIConsumer,), {"routepatterns": list(routes), **attributes}
    )


async def made(cls=Child, scope=None):
    sends = Sends()
    h = cls()
    got = await h({"type": "websocket", **(scope or {})}, None, sends)
    assert got is h
    return h, sends


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


async def test_a_handler_that_is_called_keeps_what_it_was_given():
    h, sends = await made(scope={"url_route": {"args": ("a",), "kwargs": {"pk": 1}}})
    assert h.args == ("a",)
    assert h.kwargs == {"pk": 1}
    assert h.scope["type"] == "websocket"
    assert h.action is None
    assert h.channel_name is None
    assert h.base_receive is None
    assert h.base_send is sends
    h, _ = await made()
    assert h.args == ()
    assert h.kwargs == {}


async def test_a_handler_sends_frames():
    h, sends = await made()
    await h.send(text_data="x")
    await h.send(bytes_data=b"x")
    assert sends == [
        {"type": "websocket.send", "text": "x"},
        {"type": "websocket.send", "bytes": b"x"},
    ]
    with pytest.raises(ValueError, match="You must pass one of bytes_data or text_data"):
        await h.send()


async def test_a_handler_sends_and_closes():
    h, sends = await made()
    await h.send(text_data="x", close=True)
    assert sends[1] == {"type": "websocket.close"}
    h, sends = await made()
    await h.send_json({"a": 1}, close=4001)
    assert json.loads(sends[0]["text"]) == {"a": 1}
    assert sends[1] == {"type": "websocket.close", "code": 4001}


async def test_a_handler_closes_with_a_code_and_a_reason():
    h, sends = await made()
    await h.close(code=4000, reason="why")
    assert sends == [{"type": "websocket.close", "code": 4000, "reason": "why"}]


async def test_a_handler_replies_with_five_keys():
    h, sends = await made()
    await h.reply(action="a", route="r")
    await h.reply(action="a", route="r", data=1, errors=["x"], status=400)
    assert [json.loads(s["text"]) for s in sends] == [
        {"errors": [], "data": None, "action": "a", "route": "r", "status": 200},
        {"errors": ["x"], "data": 1, "action": "a", "route": "r", "status": 400},
    ]


async def test_a_handler_answers_an_exception_that_it_is_handed():
    h, sends = await made()
    await h.handle_exception(PermissionDenied(), action="a", route="r")
    await h.handle_exception(exceptions.ActionNotAllowed(action="b"), action="a", route="r")
    await h.handle_exception(ValidationError({"a": ["b"]}), action="a", route="r")
    assert [(json.loads(s["text"])["status"], json.loads(s["text"])["errors"]) for s in sends] == [
        (403, ["You do not have permission to perform this action."]),
        (405, ['Action "b" not allowed in message body.']),
        (400, [{"a": ["b"]}]),
    ]


async def test_a_handler_checks_permissions_when_it_is_asked_to():
    class Denies(permissions.BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            return action == "ok" and kwargs.get("x", 1) == 1

        def has_object_permission(self, scope, handler, action, obj, **kwargs):
            return obj == 1

    class H(Child):
        permission_classes = [Denies]

    h, _ = await made(H)
    await h.check_permissions("ok")
    await h.check_permissions("ok", x=1)
    with pytest.raises(PermissionDenied):
        await h.check_permissions("ok", x=2)
    with pytest.raises(PermissionDenied):
        await h.check_permissions("no")
    await h.check_object_permissions("ok", 1)
    with pytest.raises(PermissionDenied):
        await h.check_object_permissions("ok", 2)


async def test_a_handler_makes_its_permissions():
    class H(Child):
        permission_classes = [
            permissions.IsAuthenticated,
            drf.IsAuthenticated,
            permissions.AllowAny & permissions.IsOwner,
            drf.IsAdminUser | drf.AllowAny,
        ]

    h, _ = await made(H)
    got = await h.get_permissions()
    assert isinstance(got[0], permissions.IsAuthenticated)
    assert isinstance(got[1], permissions.WrappedDRFPermission)
    assert isinstance(got[1].permission, drf.IsAuthenticated)
    assert isinstance(got[2], permissions.AND)
    assert isinstance(got[2].op1, permissions.AllowAny)
    assert isinstance(got[2].op2, permissions.IsOwner)
    h, _ = await made()
    assert [type(p) for p in await h.get_permissions()] == [permissions.AllowAny]
    with override_settings(
        REST_FRAMEWORK_CHANNELS={
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework_channels.permissions.IsAuthenticated"]
        }
    ):
        assert [type(p) for p in await h.get_permissions()] == [permissions.IsAuthenticated]


async def test_only_matching_may_raise_that_a_route_does_not_resolve():
    class Raising:
        _regex = None
        name = None

        def match(self, path):
            raise Resolver404({})

        def describe(self):
            return "x"

        def __str__(self):
            return "x"

    manager = routings.RoutingManager()
    bad = re_path("x", Child.as_aaah())
    bad.pattern = Raising()
    manager.append(bad)
    with pytest.raises(exceptions.RouteMissingException):
        await manager.resolve("x", {}, None, None)
    manager.append(re_path("x", Child.as_aaah()))
    h = await manager.resolve("x/rest", {"type": "websocket"}, None, None)
    assert h.scope["path_remaining"] == "/rest"
    assert h.scope["route"] == "x/rest"

    async def raising(scope, receive, send):
        raise Resolver404({})

    manager = routings.RoutingManager()
    manager.append(re_path("x", raising))
    with pytest.raises(Resolver404):
        await manager.resolve("x", {}, None, None)


async def test_resolving_hands_on_the_scope_and_what_receives_and_sends():
    seen = []

    async def callback(scope, receive, send):
        seen.append((scope, receive, send))
        return "handler"

    manager = routings.RoutingManager()
    manager.append(path("a/<int:pk>/", callback))
    assert (
        await manager.resolve(
            "a/1/", {"url_route": {"args": (1,), "kwargs": {"b": 2}}, "route": "outer"}, 1, 2
        )
        == "handler"
    )
    ((scope, receive, send),) = seen
    assert (receive, send) == (1, 2)
    assert scope["url_route"] == {"args": (1,), "kwargs": {"b": 2, "pk": 1}}
    assert scope["route"] == "outer"
    assert scope["parent_group_send_lookup_kwargs"] is None


def test_children_have_routes_of_their_own_and_inherit_actions():
    class A(AsyncAPIConsumer):
        routepatterns = [path("a/", Child.as_aaah())]

        @async_action()
        async def one(self):
            return 1, 200

    class B(A):
        routepatterns = [path("b/", Child.as_aaah())]
        group_send_lookup_kwargs = "room"

        @async_action(mode="none")
        async def two(self):
            return 1, 200

    class C(B):
        one = None

    assert [str(r.pattern) for r in A.routing.routes] == ["a/"]
    assert [str(r.pattern) for r in B.routing.routes] == ["b/"]
    assert B.available_actions == {"one": "one", "two": "two"}
    assert B.actions_kwargs == {"one": {}, "two": {"mode": "none"}}
    assert C.available_actions == {"two": "two"}
    assert B.routing.entries[0].parent_group_send_lookup_kwargs == "room"
    assert A.routing.entries[0].parent_group_send_lookup_kwargs is None
    assert Child.group_send_lookup_kwargs is None
    assert isinstance(A.routing, routings.RoutingManager)
    assert isinstance(A, handlers.APIActionHandlerMetaclass)


def test_a_pattern_that_is_neither_path_nor_re_path_is_refused():
    from django.urls import URLPattern
    from django.urls.resolvers import LocalePrefixPattern

    with pytest.raises(ValueError, match="Unsupported pattern type"):
        parent(URLPattern(LocalePrefixPattern(), Child.as_aaah()))


def test_as_aaah_says_what_it_was_given():
    class H(Child):
        """Doc."""

        def __init__(self, x=None):
            self.x = x

    app = H.as_aaah(x=1)
    assert app.handler_class is H
    assert app.handler_initkwargs == {"x": 1}
    assert app.__doc__ == "Doc."
    assert app.__name__ == "H"
    h = asyncio.run(app({"type": "websocket"}, None, None))
    assert h.x == 1
    assert isinstance(h, H)


async def test_a_generic_handler_works_without_a_connection():
    class H(generics.GenericAsyncAPIActionHandler):
        queryset = Group.objects.all()
        serializer_class = GroupSerializer

    h, _ = await made(H, {"url_route": {"kwargs": {"pk": 987}}, "path": "/"})
    assert h.get_serializer_class() is GroupSerializer
    assert h.get_serializer_context()["handler"] is h
    assert h.get_serializer_context()["scope"] is h.scope
    assert h.get_serializer().context["handler"] is h
    assert h.get_queryset() is not H.queryset
    assert h.paginator is None
    assert h.paginate_queryset(h.get_queryset()) is None
    assert h.filter_queryset(1) == 1
    g = await Group.objects.acreate(name="x")
    h.kwargs = {"pk": g.pk}
    assert await utils.ensure_async(h.get_object)("retrieve") == g
    h.kwargs = {"pk": 0}
    with pytest.raises(Http404):
        await utils.ensure_async(h.get_object)("retrieve")
    h.kwargs = {}
    with pytest.raises(
        AssertionError, match='Expected aaah H to be called with a URL keyword argument named "pk"'
    ):
        await utils.ensure_async(h.get_object)("retrieve")
    assert generics.GenericAsyncAPIActionHandler[int] is generics.GenericAsyncAPIActionHandler


async def test_a_page_of_a_handler_without_a_connection_links_to_others_by_its_route():
    class P(PageNumberPagination):
        page_size = 1

    class H(generics.ListAPIActionHandler):
        queryset = Group.objects.order_by("id")
        serializer_class = GroupSerializer
        pagination_class = P

    class N(H):
        pagination_class = None

    for n in "abc":
        await Group.objects.acreate(name=n)
    h, _ = await made(
        H,
        {"path": "/", "path_remaining": "?page=2", "route": "groups/?page=2", "type": "websocket"},
    )
    (data, code) = await h.list(action="list")
    assert code == 200
    assert data["next"] == "groups/?page=3"
    assert data["previous"] == "groups/"
    assert [x["name"] for x in data["results"]] == ["b"]
    assert data["count"] == 3
    with override_settings(REST_FRAMEWORK_CHANNELS={"DEFAULT_PAGINATION_CLASS": P}):
        h, _ = await made(N, {"path": "/", "type": "websocket"})
        assert h.paginator is None
