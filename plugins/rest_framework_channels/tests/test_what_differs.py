"""What rest_framework_channels does that this does not: its bugs, and the doors it left open."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import uuid
from contextlib import asynccontextmanager
from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import IntegrityError
from django.urls import path, re_path
from rest_framework import filters, serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission as DRFBasePermission
from rest_framework.permissions import IsAuthenticated as DRFIsAuthenticated

import aaah_core
from aaah_core import ConfigurationError
from aaah_core.testing import Refused, connect
from rest_framework_channels import generics
from rest_framework_channels.consumers import AsyncAPIConsumer
from rest_framework_channels.decorators import async_action
from rest_framework_channels.exceptions import debug_exception_handlers
from rest_framework_channels.handlers import AsyncAPIActionHandler, ModelAPIActionHandler
from rest_framework_channels.permissions import (
    BasePermission,
    IsAuthenticated,
    IsAuthenticatedStrictly,
    WrappedDRFPermission,
)
from rest_framework_channels.settings import api_settings
from rest_framework_channels.testing.websocket import AuthCommunicator

ADA = User(pk=1, username="ada")
NOBODY = [None, AnonymousUser(), AnonymousUser, object(), User(username="unsaved")]


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


class Groups(ModelAPIActionHandler):
    queryset = Group.objects.order_by("id")
    serializer_class = GroupSerializer


def consumer(handler_class, **attributes):
    attributes["routepatterns"] = [
        path("it/<int:pk>/", handler_class.as_aaah()),
        path("it/", handler_class.as_aaah()),
    ]
    return type("Consumer", (AsyncAPIConsumer,), attributes)


class Echo(AsyncAPIConsumer):
    @async_action()
    async def echo(self, data, **kwargs):
        return data, 200

    @async_action()
    async def given(self, *args, **kwargs):
        return kwargs, 200


@asynccontextmanager
async def echo():
    async with connect(Echo.as_asgi(), user=ADA) as client:
        yield client


# Messages that ended the connection, or got no reply.


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        ("{", 400),
        ("", 400),
        (b"{}", 415),
        ("[" * 100_000, 413),
        ("[]", 400),
        ("null", 400),
        ('{"action": ["echo"]}', 400),
        ('{"action": {}, "route": ""}', 400),
        ('{"action": "echo", "route": 5}', 400),
        ('{"action": "echo", "data": ' + "9" * 5000 + "}", 413),
        ('{"action": "echo"}', 400),
        ("{}", 404),
    ],
)
async def test_a_message_that_cannot_be_run_gets_its_five_keys_and_the_connection_lives(
    frame, status
):
    async with echo() as client:
        await client.send_frame(frame)
        reply = await client.receive()
        assert reply["status"] == status
        assert set(reply) == {"errors", "data", "action", "route", "status"}
        assert reply["errors"]
        assert (await client.call("echo", data=1))["data"] == 1


async def test_a_missing_argument_is_a_400_that_names_it():
    async with echo() as client:
        reply = await client.call("echo")
    assert (reply["status"], reply["errors"]) == (400, [{"data": ["This parameter is required."]}])


async def test_a_reply_has_five_keys_also_where_a_request_id_was_sent():
    async with echo() as client:
        reply = await client.call("echo", data=1, request_id=7)
    assert set(reply) == {"errors", "data", "action", "route", "status"}


async def test_the_wire_of_aaah_repeats_the_request_id():
    class Consumer(Echo):
        wire = "aaah"

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("echo", data=1, request_id=7))["request_id"] == 7
        reply = await client.call("echo", request_id=8)
    assert (reply["request_id"], reply["status"]) == (8, 400)
    assert reply["errors"] == [{"data": ["This parameter is required."]}]


async def test_a_value_that_json_does_not_know_and_a_lone_value_are_replies():
    class Consumer(AsyncAPIConsumer):
        @async_action()
        async def values(self, **kwargs):
            return [date(2026, 1, 2), uuid.UUID(int=5)]

    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("values")
    assert reply["data"] == ["2026-01-02", str(uuid.UUID(int=5))]
    assert reply["status"] == 200


async def test_a_bug_is_logged_and_the_client_is_told_nothing_of_it(caplog):
    class Consumer(AsyncAPIConsumer):
        @async_action()
        def fail(self, **kwargs):
            raise RuntimeError("secret")

    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("fail")
    assert reply["errors"] == [{"detail": "A server error occurred."}]
    assert "RuntimeError: secret" in caplog.text


def test_nobody_is_made_to_log():
    logger = logging.getLogger("rest_framework_channels")
    assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True)


async def test_debug_handlers_reply_to_what_the_client_did_wrong():
    class Consumer(Echo):
        exception_handler = debug_exception_handlers

    async with connect(Consumer.as_asgi()) as client:
        await client.send_frame("{")
        assert (await client.receive())["status"] == 400
        assert (await client.call("echo"))["status"] == 400
        assert (await client.call("none such"))["status"] == 405


async def test_with_several_calls_at_once_an_exception_is_a_500_also_for_debug_handlers():
    class Consumer(AsyncAPIConsumer):
        concurrency = 2
        exception_handler = debug_exception_handlers

        @async_action()
        async def fail(self, **kwargs):
            raise RuntimeError

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("fail"))["status"] == 500


# A client's keys.


async def test_what_a_client_names_is_no_keyword_argument():
    hostile = dict.fromkeys(("self", "scope", "handler", "consumer", "partial", "args"), 1)
    async with connect(Echo.as_asgi()) as client:
        await client.send({"action": "given", "data": 2, **hostile})
        reply = await client.receive()
    assert reply["data"] == {"action": "given", "data": 2}


class Forbidding(BasePermission):
    """Forbids what a key of the message says."""

    async def has_permission(self, scope, handler, action, **kwargs):
        return "secret" not in kwargs.values()


class Plainly(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return "secret" not in kwargs.values()


class Reading(AsyncAPIActionHandler):
    @async_action()
    async def read(self, room="none", **kwargs):
        return room, 200


@pytest.mark.parametrize(
    "permission", [Forbidding, Plainly, Forbidding & Plainly, ~~Forbidding, Forbidding | Plainly]
)
@pytest.mark.parametrize("key", ["room", "obj", "view", "request", "consumer", "request_id", "é ?"])
async def test_a_permission_judges_by_the_keys_of_the_message(permission, key):
    child = type("Child", (Reading,), {"permission_classes": [permission]})
    parent = consumer(Reading, permission_classes=[permission])
    for class_ in (consumer(child), parent):
        async with connect(class_.as_asgi()) as client:
            for value, status in (("secret", 403), ("open", 200)):
                await client.send({"action": "read", "route": "it/", key: value})
                assert (await client.receive())["status"] == status


@pytest.mark.parametrize("permission", [Forbidding, Plainly, Forbidding & Plainly])
@pytest.mark.parametrize("of_the_parent", [True, False])
async def test_the_route_wins_over_the_message_for_the_permissions_of_parents_too(
    permission, of_the_parent
):
    judged = {"permission_classes": [permission]}
    child = type("Child", (Reading,), {} if of_the_parent else judged)
    routes = [path("rooms/<str:room>/", child.as_aaah())]
    outer = type("Outer", (AsyncAPIActionHandler,), {"routepatterns": routes})
    routes = [path("in/", outer.as_aaah())]
    attributes = {"routepatterns": routes, **(judged if of_the_parent else {})}
    class_ = type("Consumer", (AsyncAPIConsumer,), attributes)
    async with connect(class_.as_asgi()) as client:
        reply = await client.call("read", "in/rooms/secret/", room="open")
        assert (reply["status"], reply["data"]) == (403, None)
        reply = await client.call("read", "in/rooms/open/", room="secret")
        assert (reply["status"], reply["data"]) == (200, "open")


@pytest.mark.parametrize("of_the_parent", [True, False])
async def test_what_a_route_captures_without_a_name_wins_over_the_message_too(of_the_parent):
    judged = {"permission_classes": [Forbidding]}
    child = type("Child", (Reading,), {} if of_the_parent else judged)
    routes = [re_path(r"^rooms/(\w+)/", child.as_aaah())]
    attributes = {"routepatterns": routes, **(judged if of_the_parent else {})}
    class_ = type("Consumer", (AsyncAPIConsumer,), attributes)
    async with connect(class_.as_asgi()) as client:
        reply = await client.call("read", "rooms/secret/", room="open")
        assert (reply["status"], reply["data"]) == (403, None)
        reply = await client.call("read", "rooms/open/", room="secret")
        assert (reply["status"], reply["data"]) == (200, "open")


@pytest.mark.parametrize("permission", [Forbidding, Plainly, ~~Plainly, Forbidding & Plainly])
async def test_no_key_of_a_message_takes_the_place_of_an_argument(permission):
    asked = []

    class Knowing(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            asked.append((scope["type"], type(handler), action, sorted(kwargs)))
            return True

    class Handler(Echo):
        permission_classes = [permission, Knowing]

    names = "self scope handler function func method name args kwargs operand loop exc_info obj"
    async with connect(Handler.as_asgi()) as client:
        await client.send({**dict.fromkeys(names.split(), 1), "action": "echo", "data": 2})
        assert (await client.receive())["status"] == 200
    shown = sorted(["data", *names.split()[3:]])
    assert asked == [("websocket", Handler, "echo", shown)]


@pytest.mark.django_db(transaction=True)
async def test_an_update_cannot_be_made_partial_by_the_client():
    class Two(serializers.ModelSerializer):
        extra = serializers.CharField(write_only=True)

        class Meta:
            model = Group
            fields = ("name", "extra")

        def update(self, instance, validated_data):
            raise AssertionError

    class Handler(Groups):
        serializer_class = Two

    group = await Group.objects.acreate(name="a")
    async with connect(consumer(Handler).as_asgi()) as client:
        reply = await client.call("update", f"it/{group.pk}/", {"name": "b"}, partial=True)
    assert (reply["status"], reply["errors"]) == (400, [{"extra": ["This field is required."]}])


async def test_the_query_of_a_route_is_no_part_of_what_is_matched():
    class Child(AsyncAPIActionHandler):
        @async_action()
        async def who(self, **kwargs):
            return "child", 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [re_path(r"child/$", Child.as_aaah())]

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("who", "child/"))["data"] == "child"
        assert (await client.call("who", "child/?page=2"))["data"] == "child"


# Permissions.


def native(call, connects=None, about=None):
    """Return a permission that answers so at each moment; None is no say."""
    methods = {"has_permission": call, "can_connect": connects, "has_object_permission": about}

    def answering(answer):
        async def method(self, *args, **kwargs):
            return answer

        return method

    said = {name: answering(answer) for name, answer in methods.items() if answer is not None}
    return type("Native", (BasePermission,), said)


def of_drf(call):
    method = {"has_permission": lambda self, request, view: call}
    return type("OfDRF", (DRFBasePermission,), method)


def of_core(call):
    async def has_permission(self, scope, handler, action, **kwargs):
        return call

    return type("OfCore", (aaah_core.BasePermission,), {"has_permission": has_permission})


COMPOSED = {
    "a": (lambda a, b: a, lambda a, b: a),
    "~a": (lambda a, b: ~a, lambda a, b: not a),
    "a & b": (lambda a, b: a & b, lambda a, b: a and b),
    "a | b": (lambda a, b: a | b, lambda a, b: a or b),
    "a & ~b": (lambda a, b: a & ~b, lambda a, b: a and not b),
    "~(a | b)": (lambda a, b: ~(a | b), lambda a, b: not (a or b)),
    "~(a & b) | (a & b & a)": (
        lambda a, b: ~(a & b) | (a & b & a),
        lambda a, b: not (a and b) or (a and b),
    ),
}
KINDS = {"native": native, "DRF's": of_drf, "AAAH's": of_core}


@pytest.mark.parametrize("shape", COMPOSED)
@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, KINDS)), ids=" and ".join)
async def test_every_truth_table_is_right(shape, kinds):
    """`A & B` enforced only B, as the coroutine of A was never awaited."""
    compose, truth = COMPOSED[shape]
    left, right = (KINDS[kind] for kind in kinds)
    for a, b in itertools.product((True, False), repeat=2):
        class_ = type("Class", (Echo,), {"permission_classes": [compose(left(a), right(b))]})
        if shape == "a" and not a and kinds[0] == "DRF's":
            continue  # it refuses the connection: a test of its own
        application = AuthCommunicator(ADA, class_(), "/")
        connected, _ = await application.connect()
        if connected:
            await application.send_json_to({"action": "echo", "data": 1})
            status = (await application.receive_json_from())["status"]
            assert status == (200 if truth(a, b) else 403), (a, b)
        else:
            assert not truth(a, b), (a, b)
        await application.disconnect()


@pytest.mark.parametrize("shape", COMPOSED)
async def test_every_truth_table_is_right_at_connect(shape):
    compose, truth = COMPOSED[shape]
    for a, b in itertools.product((True, False), repeat=2):
        permission = compose(native(True, connects=a), native(True, connects=b))
        class_ = type("Class", (Echo,), {"permission_classes": [permission]})
        client = AuthCommunicator(ADA, class_(), "/")
        assert (await client.connect())[0] is truth(a, b), (a, b)
        await client.disconnect()


async def test_the_negation_of_what_has_no_say_at_connect_has_none():
    class_ = type("Class", (Echo,), {"permission_classes": [~native(False), ~of_drf(False)]})
    async with connect(class_.as_asgi()) as client:
        assert (await client.call("echo", data=1))["status"] == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shape", COMPOSED)
async def test_every_truth_table_is_right_about_objects(shape):
    compose, truth = COMPOSED[shape]
    group = await Group.objects.acreate(name=f"group {shape}")
    for a, b in itertools.product((True, False), repeat=2):
        # Their say on the call is the same as on the object, but where it is negated.
        said = [native(None, about=a), native(None, about=b)]
        if "~" in shape:
            said = [native(a, about=a), native(b, about=b)]
        handler = type("Handler", (Groups,), {"permission_classes": [compose(*said)]})
        async with connect(consumer(handler).as_asgi()) as client:
            reply = await client.call("retrieve", f"it/{group.pk}/")
        assert reply["status"] == (200 if truth(a, b) else 403), (a, b)


@pytest.mark.django_db(transaction=True)
async def test_an_operand_grants_an_object_only_where_it_granted_the_action():
    """`A | B` must not pass because A has the action and B, which refused it, the object."""
    group = await Group.objects.acreate(name="a")
    permission = native(True, about=False) | native(False, about=True)
    handler = type("Handler", (Groups,), {"permission_classes": [permission]})
    async with connect(consumer(handler).as_asgi()) as client:
        assert (await client.call("retrieve", f"it/{group.pk}/"))["status"] == 403


@pytest.mark.parametrize("user", NOBODY)
@pytest.mark.parametrize("permission", [IsAuthenticated, DRFIsAuthenticated & IsAuthenticated])
async def test_who_is_nobody_gets_nothing(user, permission):
    ran = []

    class Child(AsyncAPIActionHandler):
        permission_classes = [permission]

        @async_action()
        async def act(self, **kwargs):
            ran.append(self)
            return None, 200

    async with connect(consumer(Child).as_asgi(), user=user) as client:
        assert (await client.call("act", "it/"))["status"] in (403, 500)
        assert (await client.call("act", "it/"))["data"] is None
    assert ran == []


async def test_drfs_permissions_know_the_method_that_an_action_stands_for():
    methods = {}

    class Looking(DRFBasePermission):
        def has_permission(self, request, view):
            methods[view.action] = request.method
            return False

    class Handler(Groups):
        permission_classes = [Looking]

        @async_action()
        def own(self, **kwargs):
            raise AssertionError

    async with connect(consumer(Handler).as_asgi()) as client:
        for action in Handler.available_actions:
            assert (await client.call(action, "it/1/"))["status"] == 403
    assert methods == {
        "create": "POST",
        "list": "GET",
        "retrieve": "GET",
        "update": "PUT",
        "partial_update": "PATCH",
        "destroy": "DELETE",
        "own": "POST",
    }


@pytest.mark.parametrize("user", [ADA, *NOBODY[:2]])
async def test_drfs_permissions_know_the_sockets_user(user):
    class Child(AsyncAPIActionHandler):
        permission_classes = [DRFIsAuthenticated]

        @async_action()
        async def act(self, **kwargs):
            return None, 200

    class Parent(AsyncAPIConsumer):
        permission_classes = [DRFIsAuthenticated]

    async with connect(consumer(Child).as_asgi(), user=user) as client:
        assert (await client.call("act", "it/"))["status"] == (200 if user is ADA else 403)
    connecting = AuthCommunicator(user, Parent(), "/")
    assert (await connecting.connect())[0] is (user is ADA)
    await connecting.disconnect()


async def test_a_frame_before_a_connect_passes_the_permissions_of_the_connection():
    ran = []

    class Consumer(AsyncAPIConsumer):
        permission_classes = [IsAuthenticatedStrictly]

        @async_action()
        async def act(self, **kwargs):
            ran.append(self)
            return None, 200

    client = AuthCommunicator(None, Consumer(), "/")
    await client.send_json_to({"action": "act"})
    assert (await client.receive_output())["type"] == "websocket.close"
    await client.wait()
    assert ran == []


@pytest.mark.parametrize("name", ["has_permission", "can_connect"])
async def test_a_permission_that_raises_lets_nobody_in(name):
    async def raising(self, *args, **kwargs):
        raise RuntimeError("broken")

    permission = type("Broken", (BasePermission,), {name: raising})
    class_ = type("Class", (Echo,), {"permission_classes": [permission]})
    if name == "can_connect":
        with pytest.raises(Refused):
            async with connect(class_.as_asgi()):
                pass
    else:
        async with connect(class_.as_asgi()) as client:
            reply = await client.call("echo", data=1)
            assert (reply["status"], reply["data"]) == (500, None)


async def test_the_parent_and_the_child_must_both_allow():
    class Child(AsyncAPIActionHandler):
        @async_action()
        async def act(self, **kwargs):
            return None, 200

    for parent, child in itertools.product((True, False), repeat=2):
        inner = type("Inner", (Child,), {"permission_classes": [native(child)]})
        heir = type("Heir", (inner,), {})
        class_ = consumer(heir, permission_classes=[native(parent)])
        async with connect(class_.as_asgi()) as client:
            reply = await client.call("act", "it/")
        assert reply["status"] == (200 if parent and child else 403)


async def test_a_class_that_chooses_its_permissions_itself_is_asked_even_if_it_names_none():
    class Choosing(Echo):
        permission_classes = ()

        async def get_permissions(self, **kwargs):
            return [native(False, connects=self.scope["user"] is ADA)()]

    async with connect(Choosing.as_asgi(), user=ADA) as client:
        assert (await client.call("echo", data=1))["status"] == 403
    with pytest.raises(Refused):
        async with connect(Choosing.as_asgi(), user=None):
            pass


@pytest.mark.django_db(transaction=True)
async def test_a_plain_permission_may_read_the_database():
    class Exists(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            return Group.objects.filter(name="there").exists()

    class_ = type("Class", (Echo,), {"permission_classes": [Exists]})
    async with connect(class_.as_asgi()) as client:
        assert (await client.call("echo", data=1))["status"] == 403
        await Group.objects.acreate(name="there")
        assert (await client.call("echo", data=1))["status"] == 200


def test_a_composition_reads_as_it_was_written():
    composed = ~(IsAuthenticated & IsAuthenticatedStrictly) | DRFIsAuthenticated
    text = "(~(IsAuthenticated & IsAuthenticatedStrictly) | IsAuthenticated)"
    assert repr(composed) == text


def test_what_is_no_permission_is_refused_at_start():
    class_ = type("Class", (Echo,), {"permission_classes": ["IsAuthenticated"]})
    with pytest.raises(ConfigurationError, match="no loaded plugin knows what it is"):
        class_.as_asgi()


# Generics.


@pytest.mark.django_db(transaction=True)
async def test_a_row_that_is_not_there_is_a_404():
    async with connect(consumer(Groups).as_asgi()) as client:
        for action in ("retrieve", "update", "partial_update", "destroy", "remove"):
            reply = await client.call(action, "it/987654/", {})
            assert reply["status"] == 404
            assert reply["errors"] == [{"detail": "No Group matches the given query."}]


@pytest.mark.django_db(transaction=True)
async def test_remove_is_destroy_and_an_override_of_one_is_both():
    deleted = []

    class Handler(Groups):
        def perform_destroy(self, instance):
            deleted.append(instance.name)
            super().perform_destroy(instance)

    for action in ("remove", "destroy"):
        group = await Group.objects.acreate(name=action)
        async with connect(consumer(Handler).as_asgi()) as client:
            reply = await client.call(action, f"it/{group.pk}/")
        assert (reply["status"], reply["data"], reply["errors"]) == (204, None, [])
    assert deleted == ["remove", "destroy"]
    assert not await Group.objects.aexists()


@pytest.mark.django_db(transaction=True)
async def test_a_write_that_fails_leaves_nothing_behind():
    class Handler(Groups):
        def perform_create(self, serializer):
            serializer.save()
            raise IntegrityError

    async with connect(consumer(Handler).as_asgi()) as client:
        assert (await client.call("create", "it/", {"name": "a"}))["status"] >= 400
    assert not await Group.objects.aexists()


@pytest.mark.django_db(transaction=True)
async def test_filters_and_pages_work_whatever_the_allowed_hosts(settings):
    settings.ALLOWED_HOSTS = []

    class Page(PageNumberPagination):
        page_size = 1

    class Handler(Groups):
        filter_backends = [filters.SearchFilter, filters.OrderingFilter]
        search_fields = ["name"]
        pagination_class = Page

    for name in ("aa", "ab", "b"):
        await Group.objects.acreate(name=name)
    async with connect(consumer(Handler).as_asgi()) as client:
        reply = await client.call("list", "it/?search=a&ordering=-name")
        assert [each["name"] for each in reply["data"]["results"]] == ["ab"]
        assert reply["data"]["next"] == "it/?ordering=-name&page=2&search=a"
        reply = await client.call("list", reply["data"]["next"])
        assert [each["name"] for each in reply["data"]["results"]] == ["aa"]


@pytest.mark.django_db(transaction=True)
async def test_a_manager_in_the_place_of_a_queryset_does_not_go_past_object_permissions():
    class Handler(Groups):
        permission_classes = [native(None, about=False)]

        def get_queryset(self):
            return Group.objects

    group = await Group.objects.acreate(name="a")
    async with connect(consumer(Handler).as_asgi()) as client:
        assert (await client.call("retrieve", f"it/{group.pk}/"))["status"] == 403


# Starting.


REPLACED = {
    "handle_action": "write a middleware",
    "decode_json": "write a request parser",
}


@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize("as_classmethod", [True, False])
def test_a_method_that_nobody_calls_is_refused_at_start(name, as_classmethod):
    async def method(*args, **kwargs):
        raise AssertionError

    mixin = type("Mixin", (), {name: classmethod(method) if as_classmethod else method})
    said = rf"overrides {name}\(\) \(in Mixin\), and nobody calls it .*: {REPLACED[name]}"
    child = type("Child", (mixin, AsyncAPIActionHandler), {})
    heir = type("Heir", (mixin, AsyncAPIConsumer), {})
    for class_ in (heir, type("Grandchild", (heir,), {}), consumer(child)):
        with pytest.raises(ConfigurationError, match=said):
            class_.as_asgi()


async def test_a_call_of_an_instance_may_be_overridden_by_a_consumer_alone():
    called = []

    class Calling:
        async def __call__(self, scope, receive, send):
            called.append(scope["type"])
            return await super().__call__(scope, receive, send)

    child = type("Child", (Calling, AsyncAPIActionHandler), {})
    with pytest.raises(
        ConfigurationError, match=r"Child overrides __call__\(\) .*: write a middle"
    ):
        consumer(child).as_asgi()
    async with connect(type("Consumer", (Calling, Echo), {}).as_asgi()) as client:
        assert (await client.call("echo", data=1))["data"] == 1
    assert called == ["websocket"]


def test_a_key_of_the_setting_that_does_not_exist_is_refused(settings):
    settings.REST_FRAMEWORK_CHANNELS = {"DEFAULT_PERMISION_CLASSES": []}
    with pytest.raises(ConfigurationError, match="has no key 'DEFAULT_PERMISION_CLASSES'"):
        _ = api_settings.DEFAULT_PERMISSION_CLASSES


def test_the_settings_of_the_plugin_are_defaults_for_the_setting(settings):
    settings.AAAH = {"PLUGIN_SETTINGS": {"rest_framework_channels": {"PAGE_SIZE": 7}}}
    assert api_settings.PAGE_SIZE == 7
    settings.REST_FRAMEWORK_CHANNELS = {"PAGE_SIZE": 9}
    assert api_settings.PAGE_SIZE == 9


async def test_the_app_need_not_be_installed(settings):
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]

    class Consumer(Echo):
        pass

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("echo", data=1))["data"] == 1


async def test_other_classes_are_none_of_its_business():
    class Consumer(aaah_core.AsyncAPIConsumer):
        permission_classes = [aaah_core.IsAuthenticated]

        async def act(self):
            raise AssertionError

    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("act", request_id=1)
        assert (reply["status"], reply["request_id"]) == (405, 1)
        assert reply["errors"][0]["code"] == "action_not_found"
        assert (await client.call("act", "nowhere/"))["status"] == 404


async def test_a_handler_stands_below_a_consumer_of_aaah_too():
    class Handler(AsyncAPIActionHandler):
        exception_handler = debug_exception_handlers
        permission_classes = [IsAuthenticated]

        @async_action()
        async def look(self, **kwargs):
            return self.scope["path_remaining"], 200

        @async_action()
        async def fail(self, **kwargs):
            raise RuntimeError

    class Consumer(aaah_core.AsyncAPIConsumer):
        routepatterns = [path("it/", Handler.as_aaah())]

    async with connect(Consumer.as_asgi(), user=ADA) as client:
        assert (await client.call("look", "it/?a=b"))["data"] == "a=b"
        assert (await client.call("look", "it/"))["data"] == ""
        assert (await client.call("fail", "it/"))["status"] == 500
        assert (await client.call("look", "it/"))["status"] == 200
    async with connect(Consumer.as_asgi(), user=None) as client:
        assert (await client.call("look", "it/"))["status"] == 403


async def test_a_handler_is_made_with_what_as_aaah_was_given():
    class Named(AsyncAPIActionHandler):
        def __init__(self, name="nobody"):
            self.name = name

        @async_action()
        async def who(self, **kwargs):
            return self.name, 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [
            path("ada/", Named.as_aaah(name="ada")),
            path("nobody/", Named.as_aaah()),
        ]

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("who", "ada/"))["data"] == "ada"
        assert (await client.call("who", "nobody/"))["data"] == "nobody"


async def test_a_handler_may_answer_an_exception_itself():
    class Consumer(AsyncAPIConsumer):
        async def handle_exception(self, exc, action, route):
            await self.reply(action=action, route=route, errors=["mine"], status=499)

        @async_action()
        async def fail(self, **kwargs):
            raise ValueError

    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("fail")
        assert (reply["status"], reply["errors"]) == (499, ["mine"])
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.receive(), 0.05)


def test_a_generic_consumer_has_six_actions_under_seven_names():
    names = {"create", "list", "retrieve", "update", "partial_update", "destroy", "remove"}
    assert set(generics.ModelAPIConsumer.available_actions) == names


# What did not work there.


async def test_mapped_actions_say_what_an_action_is_for_drfs_permissions():
    seen = []

    class Looking(DRFBasePermission):
        def has_permission(self, request, view):
            seen.append(request.method)
            return True

    class Reading(WrappedDRFPermission):
        mapped_actions = {
            **WrappedDRFPermission.mapped_actions,
            "look": "GET",
            "connect": "OPTIONS",
        }

    class Consumer(AsyncAPIConsumer):
        async def get_permissions(self, **kwargs):
            return [each(Looking()) for each in (Reading, WrappedDRFPermission)]

        @async_action()
        async def look(self, **kwargs):
            return None, 200

    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("look"))["status"] == 200
    assert seen == ["OPTIONS", "HEAD", "GET", "POST"]


@pytest.mark.parametrize("class_", [AsyncAPIActionHandler, AsyncAPIConsumer])
async def test_json_may_be_read_and_written_by_hand(class_):
    class Upper(json.JSONEncoder):
        def default(self, value):
            return str(value).upper()

    own = type("Own", (class_,), {"json_encoder_class": Upper})
    assert json.loads(await own.encode_json({"a": uuid.UUID(int=10)})) == {
        "a": str(uuid.UUID(int=10)).upper()
    }
    assert await own.decode_json("[1]") == [1]
