"""What rest_framework_channels 0.0.7 does and this does too.

Everything here runs against that library as well: it imports nothing but its modules.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import ImproperlyConfigured
from django.urls import include, path, re_path
from rest_framework import serializers
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.pagination import CursorPagination, LimitOffsetPagination, PageNumberPagination
from rest_framework.permissions import BasePermission as DRFBasePermission

from rest_framework_channels import generics, mixins
from rest_framework_channels.consumers import AsyncAPIConsumer
from rest_framework_channels.decorators import async_action
from rest_framework_channels.exceptions import (
    ActionMissingException,
    ActionNotAllowed,
    RouteMissingException,
    debug_exception_handlers,
    production_exception_handlers,
)
from rest_framework_channels.handlers import AsyncActionHandler, AsyncAPIActionHandler
from rest_framework_channels.permissions import (
    AllowAny,
    BasePermission,
    IsAuthenticated,
    IsAuthenticatedStrictly,
    IsOwner,
    WrappedDRFPermission,
)
from rest_framework_channels.routings import RoutingManager
from rest_framework_channels.settings import APISettings, api_settings
from rest_framework_channels.testing.websocket import (
    AuthCommunicator,
    ExtendedWebsocketCommunicator,
)
from rest_framework_channels.utils import ensure_async, request_from_scope

ADA = User(pk=1, username="ada")


@asynccontextmanager
async def talking(application, user=ADA, path="/ws/", **url):
    """Send frames without having connected, as the library's own tests may."""
    communicator = AuthCommunicator(user, application, path, **url)
    try:
        yield communicator
    finally:
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait()


async def say(communicator, **message):
    await communicator.send_json_to(message)
    return await communicator.receive_json_from()


def replied(action, route="", data=None, status=200, errors=()):
    return {
        "errors": list(errors),
        "data": data,
        "action": action,
        "route": route,
        "status": status,
    }


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


class Greeting(AsyncAPIActionHandler):
    @async_action()
    async def greet(self, *args, **kwargs):
        return {"from": type(self).__name__, "kwargs": dict(self.kwargs)}, 200

    @async_action()
    def sync_greet(self, name, *args, **kwargs):
        return {"hello": name}, 201


class Parent(AsyncAPIConsumer):
    routepatterns = [
        re_path(r"child/(?P<pk>[-\w]+)/$", Greeting.as_aaah()),
        path("other/<int:number>/", Greeting.as_aaah()),
    ]

    @async_action()
    async def greet(self, *args, **kwargs):
        return {"from": type(self).__name__, "kwargs": dict(self.kwargs)}, 200

    @async_action(name="called")
    async def method(self, **kwargs):
        return kwargs["action"], 200


# Applications and frames.


@pytest.mark.parametrize("make", ["instance", "as_asgi"])
async def test_an_instance_is_an_application_as_is_as_asgi(make):
    application = Parent() if make == "instance" else Parent.as_asgi()
    communicator = AuthCommunicator(ADA, application, "/ws/")
    assert await communicator.connect() == (True, None)
    reply = await say(communicator, action="greet", route="child/a-1/")
    data = {"from": "Greeting", "kwargs": {"pk": "a-1"}}
    assert reply == replied("greet", "child/a-1/", data)
    await communicator.disconnect()


async def test_frames_are_answered_before_a_connect_and_after():
    async with talking(Parent()) as client:
        data = {"from": "Parent", "kwargs": {}}
        assert await say(client, action="greet") == replied("greet", "", data)
        assert await client.connect() == (True, None)
        assert await say(client, action="greet") == replied("greet", "", data)


async def test_the_communicators_have_what_a_url_captured_and_a_user():
    seen = {}

    class Consumer(AsyncAPIConsumer):
        @async_action()
        async def look(self, **kwargs):
            seen.update(self.scope, kwargs_here=dict(self.kwargs), args_here=tuple(self.args))
            return None, 200

    client = AuthCommunicator(
        ADA, Consumer(), "/ws/a%20b/?c=d", [(b"a", b"b")], args=("x",), kwargs={"room": "r"}
    )
    await say(client, action="look")
    await client.disconnect()
    assert seen["user"] is ADA
    assert (seen["path"], seen["query_string"]) == ("/ws/a b/", b"c=d")
    assert seen["url_route"] == {"args": ("x",), "kwargs": {"room": "r"}}
    assert (seen["args_here"], seen["kwargs_here"]) == (("x",), {"room": "r"})
    assert ("user" in ExtendedWebsocketCommunicator(Parent(), "/").scope) is False
    with pytest.raises(TypeError, match="Expected str, got <class 'bytes'>"):
        ExtendedWebsocketCommunicator(Parent(), b"/")


# Routes.


@pytest.mark.parametrize(
    ("route", "who", "captured"),
    [
        ("", "Parent", {}),
        ("unknown/", "Parent", {}),
        ("child/", "Parent", {}),
        ("child/5/", "Greeting", {"pk": "5"}),
        ("other/5/", "Greeting", {"number": 5}),
        ("other/5/and/more/", "Greeting", {"number": 5}),
        ("other/x/", "Parent", {}),
    ],
)
async def test_a_route_may_match_a_prefix_and_what_matches_none_is_the_consumers_own(
    route, who, captured
):
    async with talking(Parent()) as client:
        data = {"from": who, "kwargs": captured}
        assert await say(client, action="greet", route=route) == replied("greet", route, data)


async def test_routes_compose():
    class Inner(AsyncAPIActionHandler):
        routepatterns = [path("leaf/<str:name>/", Greeting.as_aaah())]

        @async_action()
        async def greet(self, *args, **kwargs):
            return "inner", 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("inner/<int:pk>/", Inner.as_aaah())]

    async with talking(Consumer(), kwargs={"room": "r"}) as client:
        reply = await say(client, action="greet", route="inner/3/leaf/x/")
        assert reply["data"]["kwargs"] == {"room": "r", "pk": 3, "name": "x"}
        assert reply["route"] == "inner/3/leaf/x/"
        reply = await say(client, action="greet", route="inner/3/elsewhere/")
        assert (reply["data"], reply["route"]) == ("inner", "inner/3/elsewhere/")


async def test_a_handler_sees_the_captures_in_its_scope():
    seen = []

    class Looking(AsyncAPIActionHandler):
        @async_action()
        async def look(self, *args, **kwargs):
            seen.append(self.scope)
            return None, 200

    class Consumer(AsyncAPIConsumer):
        group_send_lookup_kwargs = "room"
        routepatterns = [path("look/<int:pk>/", Looking.as_aaah())]

    async with talking(Consumer(), kwargs={"room": "r"}) as client:
        await say(client, action="look", route="look/3/?page=2")
    (scope,) = seen
    assert scope["url_route"]["kwargs"] == {"room": "r", "pk": 3}
    assert scope["route"] == "look/3/?page=2"
    assert scope["parent_group_send_lookup_kwargs"] == "room"
    assert scope["user"] is ADA
    assert request_from_scope(scope).query_params["page"] == "2"


def test_a_class_knows_its_actions_and_its_routes():
    assert Parent.available_actions == {"greet": "greet", "called": "method"}
    assert Parent.actions_kwargs == {"greet": {}, "called": {"name": "called"}}
    assert [str(route.pattern) for route in Parent.routing.routes] == [
        r"child/(?P<pk>[-\w]+)/$",
        "other/<int:number>/",
    ]
    assert Parent.routing.entries[0].parent_group_send_lookup_kwargs is None
    assert Greeting.as_aaah().handler_class is Greeting


def test_the_patterns_of_a_class_are_copies():
    route = path("shared/", Greeting.as_aaah())

    class Consumer(AsyncAPIConsumer):
        routepatterns = [route]

    assert Consumer.routing.routes[0] is not route
    assert route.pattern._is_endpoint


def test_an_include_is_refused_where_the_class_is_written():
    with pytest.raises(ImproperlyConfigured, match=r"include\(\) is not supported"):

        class Consumer(AsyncAPIConsumer):
            routepatterns = [path("a/", include([path("b/", Greeting.as_aaah())]))]


async def test_a_routing_manager_resolves():
    manager = RoutingManager()
    for entry in Parent.routing.entries:
        manager.append(entry.pattern, "room")
    scope = {"type": "websocket", "url_route": {"args": (), "kwargs": {"room": "r"}}}
    handler = await manager.resolve("other/4/rest", scope, None, None)
    assert isinstance(handler, Greeting)
    assert handler.scope["path_remaining"] == "rest"
    assert handler.scope["url_route"]["kwargs"] == handler.kwargs == {"room": "r", "number": 4}
    assert handler.scope["parent_group_send_lookup_kwargs"] == "room"
    assert "path_remaining" not in scope
    assert (handler.group_id, handler.channel_name) == ("r", None)
    with pytest.raises(RouteMissingException, match="No route found: nowhere"):
        await manager.resolve("nowhere", scope, None, None)


async def test_a_consumer_has_the_query_of_a_message_in_its_scope_and_not_the_next_ones():
    class Consumer(AsyncAPIConsumer):
        @async_action()
        async def look(self, **kwargs):
            return dict(request_from_scope(self.scope).query_params.lists()), 200

    async with talking(Consumer()) as client:
        reply = await say(client, action="look", route="?page=2&a=b")
        assert reply == replied("look", "?page=2&a=b", {"page": ["2"], "a": ["b"]})
        assert (await say(client, action="look"))["data"] == {}


# Actions.


async def test_actions_get_what_they_name_and_the_actions_name():
    class Consumer(AsyncAPIConsumer):
        @async_action()
        def both(self, data, pk, *args, **kwargs):
            return {"data": data, "pk": pk, "action": kwargs["action"]}, 202

        @async_action()
        async def named(self, action, other="default", **kwargs):
            return [action, other, kwargs["data"]], 200

    async with talking(Consumer()) as client:
        reply = await say(client, action="both", data={"a": [1]}, pk=7)
        assert reply == replied("both", "", {"data": {"a": [1]}, "pk": 7, "action": "both"}, 202)
        reply = await say(client, action="named", data=None, other=3)
        assert reply["data"] == ["named", 3, None]


async def test_an_action_may_have_another_name():
    async with talking(Parent()) as client:
        assert await say(client, action="called") == replied("called", "", "called")
        reply = await say(client, action="method")
        assert reply == replied(
            "method", "", status=405, errors=['Action "method" not allowed in message body.']
        )


async def test_a_sync_action_is_async_and_sync_code_can_call_it():
    class Consumer(AsyncAPIConsumer):
        @async_action()
        def one(self, number, **kwargs):
            return number + 1, 200

        @async_action()
        def two(self, number, **kwargs):
            data, status = async_to_sync(self.one)(number=number)
            return data + 1, status

        @async_action()
        async def three(self, number, **kwargs):
            data, status = await self.two(number=number)
            return data + 1, status

    async with talking(Consumer()) as client:
        assert (await say(client, action="three", number=1))["data"] == 4


def test_a_mode_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"The shout is invalid. Set mode in \['response', "):
        async_action(mode="shout")


async def test_a_handler_can_reply_itself():
    class Handler(AsyncAPIActionHandler):
        @async_action(mode="none")
        async def twice(self, *args, **kwargs):
            await self.reply(action="twice", route="own", data=1, status=202)
            await self.send_json({"any": "shape"})
            await self.send(text_data="text")
            return "nobody sees it", 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("h/", Handler.as_aaah())]

    async with talking(Consumer()) as client:
        reply = await say(client, action="twice", route="h/")
        assert reply == replied("twice", "own", 1, 202)
        assert await client.receive_json_from() == {"any": "shape"}
        assert await client.receive_from() == "text"
        assert await client.receive_nothing()


class Odd:
    pass


class OddEncoder(json.JSONEncoder):
    def default(self, value):
        return "odd" if isinstance(value, Odd) else super().default(value)


async def test_an_encoder_class_encodes_what_json_does_not_know(settings):
    class Handler(AsyncAPIActionHandler):
        @async_action()
        async def odd(self, **kwargs):
            return Odd(), 200

    class Own(Handler):
        json_encoder_class = OddEncoder

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("own/", Own.as_aaah()), path("settings/", Handler.as_aaah())]

    async with talking(Consumer()) as client:
        assert (await say(client, action="odd", route="own/"))["data"] == "odd"
    settings.REST_FRAMEWORK_CHANNELS = {"JSON_ENCODER_CLASS": OddEncoder}
    async with talking(Consumer()) as client:
        assert (await say(client, action="odd", route="settings/"))["data"] == "odd"


# Errors.


class Failing(AsyncAPIConsumer):
    exception_handler = production_exception_handlers

    @async_action()
    async def fail(self, how, **kwargs):
        raise {
            "bug": ValueError("secret"),
            "denied": PermissionDenied("not you"),
            "fields": ValidationError({"name": ["short"], "nested": {"a": ["b"]}}),
            "list": ValidationError(["one", "two"]),
            "api": APIException("down"),
        }[how]


@pytest.mark.parametrize(
    ("how", "status", "errors"),
    [
        ("bug", 500, [{"detail": "A server error occurred."}]),
        ("denied", 403, ["not you"]),
        ("fields", 400, [{"name": ["short"], "nested": {"a": ["b"]}}]),
        ("list", 400, ["one", "two"]),
        ("api", 500, [{"detail": "down"}]),
    ],
)
async def test_errors_are_as_drf_gives_them(how, status, errors):
    async with talking(Failing()) as client:
        reply = await say(client, action="fail", how=how)
    assert reply == replied("fail", "", status=status, errors=errors)


async def test_a_message_without_an_action_is_a_404():
    async with talking(Failing()) as client:
        reply = await say(client, route="anywhere/")
    errors = [{"detail": "Unable to find action in message body."}]
    assert reply == replied(None, "", status=404, errors=errors)


async def test_debug_handlers_let_an_exception_leave_the_application():
    class Consumer(Failing):
        exception_handler = debug_exception_handlers

    client = AuthCommunicator(ADA, Consumer(), "/ws/")
    reply = await say(client, action="fail", how="denied")
    assert reply["status"] == 403
    assert (await say(client, action="none such"))["status"] == 405
    await client.send_json_to({"action": "fail", "how": "bug"})
    with pytest.raises(ValueError, match="secret"):
        await client.wait()


async def test_the_handler_is_read_when_an_exception_happens(monkeypatch, settings):
    class Consumer(AsyncAPIConsumer):
        @async_action()
        async def fail(self, **kwargs):
            raise ValueError

    def sync_handler(exc, context):
        return {**context, "status": 418, "errors": [type(exc).__name__]}

    async def async_handler(exc, context):
        return {**context, "status": 419, "errors": []}

    async with talking(Consumer()) as client:
        monkeypatch.setattr(AsyncActionHandler, "exception_handler", sync_handler)
        reply = await say(client, action="fail")
        assert reply == replied("fail", "", status=418, errors=["ValueError"])
        monkeypatch.setattr(AsyncActionHandler, "exception_handler", None)
        settings.REST_FRAMEWORK_CHANNELS = {"EXCEPTION_HANDLER": async_handler}
        assert (await say(client, action="fail"))["status"] == 419
        monkeypatch.setattr(Consumer, "exception_handler", production_exception_handlers)
        assert (await say(client, action="fail"))["status"] == 500


async def test_the_two_handlers_answer_by_themselves():
    context = {"action": "a", "route": "r"}
    assert await debug_exception_handlers(ValueError(), dict(context)) is None
    reply = await production_exception_handlers(ActionMissingException(), dict(context))
    errors = [{"detail": "Unable to find action in message body."}]
    assert reply == {**context, "status": 404, "errors": errors}
    assert ActionNotAllowed(action="x").status_code == 405
    assert str(ActionNotAllowed(action="x").detail).startswith('Action "x" not allowed')
    assert str(RouteMissingException().detail) == "Unable to find route in message body."


# Permissions.


class Nobody(BasePermission):
    async def has_permission(self, scope, handler, action, **kwargs):
        return False


class OnlyOdd(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return kwargs["data"] % 2 == 1


DENIED = ["You do not have permission to perform this action."]
ANYBODY = [ADA, AnonymousUser(), None]


@pytest.mark.parametrize("user", ANYBODY)
async def test_everyone_is_allowed_unless_told_otherwise(user, settings):
    async with talking(Parent(), user) as client:
        assert (await say(client, action="greet", route="child/1/"))["status"] == 200
    settings.REST_FRAMEWORK_CHANNELS = {
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework_channels.permissions.IsAuthenticated"]
    }

    class Consumer(Parent):
        pass

    async with talking(Consumer(), user) as client:
        expected = 200 if user is ADA else 403
        assert (await say(client, action="greet"))["status"] == expected


@pytest.mark.parametrize("user", ANYBODY)
@pytest.mark.parametrize("where", ["parent", "child"])
async def test_who_is_not_logged_in_gets_a_403(user, where):
    class Child(Greeting):
        permission_classes = [IsAuthenticated] if where == "child" else [AllowAny]

    class Consumer(AsyncAPIConsumer):
        permission_classes = (IsAuthenticated,) if where == "parent" else ()
        routepatterns = [path("child/", Child.as_aaah())]

    client = AuthCommunicator(user, Consumer(), "/ws/")
    assert (await client.connect())[0]
    reply = await say(client, action="greet", route="child/")
    if user is ADA:
        assert reply["status"] == 200
    else:
        assert reply == replied("greet", "child/", status=403, errors=DENIED)
    await client.disconnect()


async def test_some_permissions_refuse_to_connect():
    class Consumer(AsyncAPIConsumer):
        permission_classes = [IsAuthenticatedStrictly]

    for user in ANYBODY:
        client = AuthCommunicator(user, Consumer(), "/ws/")
        connected, _ = await client.connect()
        assert connected is (user is ADA)
        await client.disconnect()


async def test_a_permission_may_look_at_the_data_and_be_plain():
    class Consumer(AsyncAPIConsumer):
        permission_classes = (OnlyOdd,)

        @async_action()
        async def run(self, data, **kwargs):
            return data, 200

    async with talking(Consumer()) as client:
        assert (await say(client, action="run", data=1))["status"] == 200
        assert (await say(client, action="run", data=2))["status"] == 403


async def test_a_handler_may_choose_its_permissions_itself():
    class Choosing(Greeting):
        async def get_permissions(self, **kwargs):
            return [Nobody()] if kwargs.get("data") == "strict" else [AllowAny()]

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/", Choosing.as_aaah())]

    async with talking(Consumer()) as client:
        reply = await say(client, action="greet", route="child/", data="strict")
        assert reply["errors"] == DENIED
        assert (await say(client, action="greet", route="child/", data=""))["status"] == 200


async def test_a_handler_may_check_permissions_itself():
    class Checking(Greeting):
        permission_classes = ()

        async def check_permissions(self, action, **kwargs):
            raise PermissionDenied(f"not {action}")

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/", Checking.as_aaah())]

    async with talking(Consumer()) as client:
        assert (await say(client, action="greet", route="child/"))["errors"] == ["not greet"]


# Generics.


class Groups:
    serializer_class = GroupSerializer

    def get_queryset(self):
        return Group.objects.order_by("id")


class GroupHandler(
    Groups,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    generics.GenericAsyncAPIActionHandler,
):
    pass


class Library(AsyncAPIConsumer):
    routepatterns = [
        path("groups/<int:pk>/", GroupHandler.as_aaah()),
        path("groups/", GroupHandler.as_aaah()),
    ]


@pytest.fixture
def two_groups(transactional_db):
    Group.objects.all().delete()
    return [Group.objects.create(name=name) for name in ("a", "b")]


async def test_the_generic_actions(two_groups):
    one, two = (f"groups/{group.pk}/" for group in two_groups)
    data = [{"id": group.pk, "name": group.name} for group in two_groups]
    async with talking(Library()) as client:
        assert await say(client, action="list", route="groups/") == replied("list", "groups/", data)
        assert await say(client, action="retrieve", route=one) == replied("retrieve", one, data[0])
        for action in ("update", "partial_update"):
            new = {**data[0], "name": action}
            reply = await say(client, action=action, route=one, data={"name": action})
            assert reply == replied(action, one, new)
        assert await say(client, action="destroy", route=two) == replied("destroy", two, None, 204)
        reply = await say(client, action="create", route="groups/", data={"name": "c"})
        assert (reply["status"], reply["data"]["name"]) == (201, "c")
        reply = await say(client, action="create", route="groups/", data={"name": ""})
        assert reply["errors"] == [{"name": ["This field may not be blank."]}]
        assert reply["status"] == 400
    assert [group.name async for group in Group.objects.order_by("id")] == ["partial_update", "c"]


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("Create", {"create"}),
        ("List", {"list"}),
        ("Retrieve", {"retrieve"}),
        ("Update", {"update", "partial_update"}),
        ("Destroy", {"destroy"}),
        ("ListCreate", {"list", "create"}),
        ("RetrieveUpdate", {"retrieve", "update", "partial_update"}),
        ("RetrieveDestroy", {"retrieve", "destroy"}),
        ("RetrieveUpdateDestroy", {"retrieve", "update", "partial_update", "destroy"}),
    ],
)
def test_every_generic_class_has_its_actions(name, actions):
    for kind, base in (("ActionHandler", AsyncAPIActionHandler), ("Consumer", AsyncAPIConsumer)):
        generic = getattr(generics, f"{name}API{kind}")
        assert issubclass(generic, base)
        assert set(generic.available_actions) - {"remove"} == actions


async def test_a_generic_consumer_is_about_what_its_url_captured(two_groups):
    class Consumer(generics.RetrieveAPIConsumer):
        queryset = Group.objects.all()
        serializer_class = GroupSerializer

    group = two_groups[1]
    async with talking(Consumer(), kwargs={"pk": group.pk}) as client:
        reply = await say(client, action="retrieve")
        assert reply == replied("retrieve", "", {"id": group.pk, "name": "b"})


async def test_an_overridden_method_is_used(two_groups):
    class Handler(GroupHandler):
        def perform_create(self, serializer):
            serializer.save(name=serializer.validated_data["name"].upper())

        def get_object(self, action):
            assert action == "retrieve"
            return Group.objects.first()

        def get_serializer_context(self):
            return {**super().get_serializer_context(), "more": True}

        def get_serializer(self, *args, **kwargs):
            serializer = super().get_serializer(*args, **kwargs)
            assert serializer.context["handler"] is self
            assert serializer.context["scope"] is self.scope
            assert serializer.context["more"]
            return serializer

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("it/", Handler.as_aaah())]

    async with talking(Consumer()) as client:
        reply = await say(client, action="create", route="it/", data={"name": "x"})
        assert reply["data"]["name"] == "X"
        assert (await say(client, action="retrieve", route="it/"))["data"]["name"] == "a"


class Pages(PageNumberPagination):
    page_size = 1


class Offsets(LimitOffsetPagination):
    default_limit = 1


class Cursors(CursorPagination):
    page_size = 1
    ordering = "id"


@pytest.mark.parametrize("pagination", [Pages, Offsets, Cursors])
@pytest.mark.parametrize("from_settings", [False, True])
async def test_pages_link_to_one_another_by_routes(pagination, from_settings, two_groups, settings):
    if from_settings:
        settings.REST_FRAMEWORK_CHANNELS = {"DEFAULT_PAGINATION_CLASS": pagination}
        handler = GroupHandler
    else:
        handler = type("Paged", (GroupHandler,), {"pagination_class": pagination})

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("groups/", handler.as_aaah())]

    async with talking(Consumer()) as client:
        first = await say(client, action="list", route="groups/")
        assert [each["name"] for each in first["data"]["results"]] == ["a"]
        assert first["data"]["previous"] is None
        following = first["data"]["next"]
        assert following.startswith("groups/?")
        second = await say(client, action="list", route=following)
        assert [each["name"] for each in second["data"]["results"]] == ["b"]
        assert second["data"]["next"] is None
        assert second["route"] == following
        again = await say(client, action="list", route=second["data"]["previous"])
        assert again["data"]["results"] == first["data"]["results"]


async def test_object_permissions_are_asked(two_groups):
    class OnlyA(BasePermission):
        async def has_object_permission(self, scope, handler, action, obj, **kwargs):
            return obj.name == "a"

    class Handler(GroupHandler):
        permission_classes = (OnlyA,)

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("groups/<int:pk>/", Handler.as_aaah())]

    async with talking(Consumer()) as client:
        for group, status in zip(two_groups, (200, 403), strict=True):
            reply = await say(client, action="retrieve", route=f"groups/{group.pk}/")
            assert reply["status"] == status


async def test_an_owner_is_compared_with_the_user():
    class Thing:
        user = ADA

    permission = IsOwner()
    for user, expected in ((ADA, True), (User(pk=2), False), (None, False)):
        owner = await permission.has_object_permission({"user": user}, None, "update", Thing())
        assert owner is expected
    permission.check_actions = ["destroy"]
    assert await permission.has_object_permission({"user": None}, None, "update", Thing())
    permission.check_actions = "all"
    with pytest.raises(ValueError, match="check_actions accepts '__all__' only"):
        await permission.has_object_permission({"user": ADA}, None, "update", Thing())
    permission.check_actions = "__all__"
    with pytest.raises(AssertionError, match='The object must have "user" attribute'):
        await permission.has_object_permission({"user": ADA}, None, "update", object())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("queryset", "'Bare' should either include a `queryset` attribute"),
        ("serializer_class", "'Bare' should either include a `serializer_class` attribute"),
    ],
)
def test_what_a_generic_class_lacks_is_said(name, message):
    class Bare(generics.GenericAsyncAPIActionHandler):
        pass

    with pytest.raises(AssertionError, match=message):
        getattr(Bare(), f"get_{name}")()


# Groups.


class Room(AsyncAPIConsumer):
    group_send_lookup_kwargs = "room"

    @async_action(mode="broadcast")
    async def shout(self, data, **kwargs):
        return data, 200

    @async_action(mode="broadcast", broadcast_type="room.shouted")
    def shout_by_method(self, data, **kwargs):
        return data, 201

    @async_action(mode="broadcast", send_response_in_broadcast=False)
    async def shout_only(self, data, **kwargs):
        return data, 200

    async def room_shouted(self, event):
        await self.send_json({"event": event})


class RoomHandler(AsyncAPIActionHandler):
    @async_action(mode="broadcast")
    async def shout(self, data, **kwargs):
        return data, 200


class RoomWithChild(AsyncAPIConsumer):
    group_send_lookup_kwargs = "room"
    routepatterns = [path("child/", RoomHandler.as_aaah())]


@asynccontextmanager
async def connected(application, *rooms):
    clients = [AuthCommunicator(ADA, application(), "/ws/", kwargs={"room": r}) for r in rooms]
    for client in clients:
        assert await client.connect() == (True, None)
    yield clients
    for client in clients:
        await client.disconnect()


async def test_a_broadcast_reaches_every_member_of_the_group():
    async with connected(Room, "a", "a", "b") as (one, two, other):
        assert await say(one, action="shout", data="hi") == replied("shout", "", "hi")
        for client in (one, two):
            assert await client.receive_json_from() == {"data": "hi", "status": 200}
        assert await other.receive_nothing()


async def test_a_broadcast_type_calls_the_method_of_its_name():
    async with connected(Room, "a", "a") as (one, two):
        reply = await say(one, action="shout_by_method", data=[1])
        assert reply == replied("shout_by_method", "", [1], 201)
        event = {"type": "room.shouted", "data": [1], "status": 201}
        for client in (one, two):
            assert await client.receive_json_from() == {"event": event}


async def test_the_sender_may_get_the_broadcast_only():
    async with connected(Room, "a") as (client,):
        assert await say(client, action="shout_only", data=1) == {"data": 1, "status": 200}
        assert await client.receive_nothing()


async def test_a_handler_broadcasts_to_the_group_of_its_parent():
    async with connected(RoomWithChild, "a", "a") as (one, two):
        assert (await say(one, action="shout", route="child/", data=1))["status"] == 200
        assert await two.receive_json_from() == {"data": 1, "status": 200}


async def test_a_group_has_the_name_that_its_author_gave_it():
    async with connected(Room, "a", "b") as (one, two):
        message = {"type": "general.broadcast", "data": "from a view", "status": 200}
        await get_channel_layer().group_send("a", message)
        assert await one.receive_json_from() == {"data": "from a view", "status": 200}
        assert await two.receive_nothing()


async def test_the_groups_of_a_class_are_not_changed_by_its_connections():
    class Consumer(Room):
        groups = ["lobby"]

    async with connected(Consumer, "a", "b"):
        assert Consumer.groups == ["lobby"]
        assert set(get_channel_layer().groups) == {"lobby", "a", "b"}
    assert not get_channel_layer().groups


async def test_a_url_must_capture_what_names_the_group():
    client = AuthCommunicator(ADA, Room(), "/ws/")
    await client.send_input({"type": "websocket.connect"})
    with pytest.raises(AssertionError, match="Expected Room to be called with a URL keyword"):
        await client.wait()


# Settings and utilities.


def test_settings_are_attributes(settings):
    assert api_settings.PAGE_SIZE is None
    assert [AllowAny] == api_settings.DEFAULT_PERMISSION_CLASSES
    settings.REST_FRAMEWORK_CHANNELS = {
        "PAGE_SIZE": 3,
        "EXCEPTION_HANDLER": "rest_framework_channels.exceptions.debug_exception_handlers",
    }
    assert api_settings.PAGE_SIZE == 3
    assert api_settings.EXCEPTION_HANDLER is debug_exception_handlers
    with pytest.raises(AttributeError, match="Invalid API setting: 'NONE_SUCH'"):
        _ = api_settings.NONE_SUCH
    assert APISettings({"PAGE_SIZE": 9}, {"PAGE_SIZE": 1}, ()).PAGE_SIZE == 9


async def test_a_plain_function_can_be_awaited():
    async def already(x):
        return x

    assert ensure_async(already) is already
    assert await ensure_async(lambda x: x + 1)(1) == 2


def test_a_request_has_what_the_scope_has(settings):
    settings.ALLOWED_HOSTS = ["example.org"]
    scope = {"type": "websocket", "path": "/ws/", "path_remaining": "?a=1&a=2"}
    request = request_from_scope(scope)
    assert request.path == "/ws/"
    assert request.query_params.getlist("a") == ["1", "2"]
    assert request.user == AnonymousUser()
    assert request.build_absolute_uri("/a/") == "http://example.org/a/"
    cookies = {"type": "websocket", "path": "/ws/", "cookies": {"a": "b"}}
    assert request_from_scope(cookies).COOKIES == {"a": "b"}
    assert request.META["HTTP_ACCEPT"] == "application/json"


# What projects call themselves.


class Connecting(BasePermission):
    async def can_connect(self, scope, handler, message=None):
        return await self.can_connect_by_object_permission(scope, handler, scope.get("user"))


@pytest.mark.parametrize("allowed", [True, False, None])
async def test_a_connection_may_be_judged_by_an_object(allowed):
    class Permission(Connecting):
        if allowed is not None:

            async def can_connect_by_object_permission(self, scope, handler, obj, **kwargs):
                return allowed

    class Consumer(AsyncAPIConsumer):
        permission_classes = [Permission]

    client = AuthCommunicator(None, Consumer(), "/")
    assert (await client.connect())[0] is (allowed is not False)
    await client.disconnect()


async def test_drfs_permissions_may_judge_a_connection_by_an_object():
    class Looking(DRFBasePermission):
        def has_object_permission(self, request, view, obj):
            return (request.method, obj) == ("HEAD", 7)

    permission = WrappedDRFPermission(Looking())
    scope = {"type": "websocket", "path": "/", "headers": []}
    assert await permission.can_connect_by_object_permission(scope, None, 7)
    assert not await permission.can_connect_by_object_permission(scope, None, 8)
