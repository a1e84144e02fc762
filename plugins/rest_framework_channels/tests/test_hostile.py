"""Clients that try to show a permission one thing and an action another."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission as DRFBasePermission

import aaah_core
from aaah_core.testing import connect
from rest_framework_channels.consumers import AsyncAPIConsumer
from rest_framework_channels.decorators import async_action
from rest_framework_channels.handlers import AsyncAPIActionHandler, ModelAPIActionHandler
from rest_framework_channels.permissions import (
    BasePermission,
    IsAuthenticated,
    IsAuthenticatedStrictly,
    IsOwner,
)
from rest_framework_channels.utils import request_from_scope

ADA = User(pk=1, username="ada")


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("name",)


class NotTheVault(BasePermission):
    """Forbids what a key of the message says, and no object."""

    async def has_permission(self, scope, handler, action, **kwargs):
        return kwargs.get("room") != "vault"


class NoObject(BasePermission):
    async def has_object_permission(self, scope, handler, action, obj, **kwargs):
        return False


class Acting(AsyncAPIActionHandler):
    @async_action()
    async def act(self, **kwargs):
        return "ran", 200


def made():
    return NotTheVault()


def routed(handler_class, route="it/<int:pk>/", **attributes):
    attributes["routepatterns"] = [path(route, handler_class.as_aaah())]
    return type("Consumer", (AsyncAPIConsumer,), attributes)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("permission", [NotTheVault | NoObject, NoObject | NotTheVault])
async def test_an_operand_that_refused_the_keys_of_a_message_grants_it_no_object(permission):
    """It is asked about the object without them, and again about the action with them."""

    class Handler(ModelAPIActionHandler):
        queryset = Group.objects.all()
        serializer_class = GroupSerializer
        permission_classes = [permission]

    group = await Group.objects.acreate(name="a")
    async with connect(routed(Handler).as_asgi()) as client:
        for room, status in (("hall", 200), ("vault", 403)):
            reply = await client.call("retrieve", f"it/{group.pk}/", room=room)
            assert reply["status"] == status


@pytest.mark.parametrize("compose", [lambda each: each, lambda each: each & IsAuthenticated])
async def test_a_permission_of_aaah_takes_no_key_of_a_message_for_a_value_of_the_route(compose):
    seen = []

    class Member(aaah_core.BasePermission):
        async def has_permission(self, scope, consumer, action, **kwargs):
            seen.append(kwargs)
            return kwargs.get("club") == 1

    class Handler(Acting):
        permission_classes = [compose(Member)]

    routes = [path("club/<int:club>/", Handler.as_aaah()), path("all/", Handler.as_aaah())]
    consumer = type("Consumer", (AsyncAPIConsumer,), {"routepatterns": routes})
    async with connect(consumer.as_asgi(), user=ADA) as client:
        assert (await client.call("act", "all/", club=1, scope=1))["status"] == 403
        assert (await client.call("act", "club/2/", club=1))["status"] == 403
        assert (await client.call("act", "club/1/", club=2))["status"] == 200
    assert seen == [{}, {"club": 2}, {"club": 1}]


@pytest.mark.django_db(transaction=True)
async def test_another_name_of_an_action_passes_no_permission_by():
    class NoDestroying(IsOwner):
        lookup_field = "name"
        check_actions = ["destroy"]

    class OnlyReading(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            return action != "destroy"

    group = await Group.objects.acreate(name="a")
    for permission in (NoDestroying, OnlyReading):
        judged = {"permission_classes": [permission], "queryset": Group.objects.all()}
        handler = type("Handler", (ModelAPIActionHandler,), judged)
        async with connect(routed(handler).as_asgi(), user=ADA) as client:
            for name in ("remove", "destroy"):
                reply = await client.call(name, f"it/{group.pk}/")
                assert (reply["status"], reply["action"]) == (403, name)
    assert await Group.objects.aexists()


async def test_a_permission_judges_by_the_query_of_its_own_message():
    class Mine(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            return request_from_scope(scope).query_params.get("org") == "mine"

    class Consumer(AsyncAPIConsumer):
        permission_classes = [Mine]

        @async_action()
        async def look(self, **kwargs):
            return request_from_scope(self.scope).query_params["org"], 200

    async with connect(Consumer.as_asgi()) as client:
        for org, status in (("mine", 200), ("theirs", 403), ("mine", 200)):
            assert (await client.call("look", f"?org={org}"))["status"] == status


async def test_a_user_who_was_locked_out_is_nobody():
    locked_out = {"user": User(pk=1, is_active=False)}

    class Owned:
        user = locked_out["user"]

    assert not await IsAuthenticated().has_permission(locked_out, None, "act")
    assert not await IsAuthenticatedStrictly().can_connect(locked_out, None)
    assert not await IsOwner().has_object_permission(locked_out, None, "act", Owned())


async def test_the_class_of_users_is_no_user():
    class Owned:
        user = User

    assert not await IsAuthenticated().has_permission({"user": User}, None, "act")
    assert not await IsOwner().has_object_permission({"user": User}, None, "act", Owned())


async def no():
    return False


class Later(BasePermission):
    """No `async def`, and no answer either."""

    def has_permission(self, scope, handler, action, **kwargs):
        return no()


class LaterAsInDRF(DRFBasePermission):
    def has_permission(self, request, view):
        return no()


class LaterAsInAAAH(aaah_core.BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return no()


@pytest.mark.parametrize("permission", [Later, LaterAsInDRF, LaterAsInAAAH])
@pytest.mark.parametrize("compose", [lambda each: each, lambda each: IsAuthenticated & each])
async def test_a_coroutine_of_a_plain_method_is_no_yes(permission, compose):
    handler = type("Handler", (Acting,), {"permission_classes": [compose(permission)]})
    async with connect(routed(handler).as_asgi(), user=ADA) as client:
        assert (await client.call("act", "it/1/"))["status"] == 403


async def test_permissions_that_are_made_anew_at_each_look_are_asked():
    class Anew:
        def __get__(self, instance, owner):
            return [BasePermission & IsAuthenticated, BasePermission | IsAuthenticated]

    class Handler(Acting):
        permission_classes = Anew()

    async with connect(routed(Handler).as_asgi()) as client:
        assert (await client.call("act", "it/1/"))["status"] == 403


@pytest.mark.parametrize("names", [{}, {"permission_classes": []}])
@pytest.mark.parametrize("where", ["handler", "consumer"])
async def test_permissions_that_an_instance_is_made_with_are_asked(names, where):
    class Made:
        def __init__(self, permissions=(IsAuthenticated,)):
            super().__init__()
            self.permission_classes = permissions

    if where == "handler":
        class_ = routed(type("Handler", (Made, Acting), names), "it/")
    else:
        class_ = type("Consumer", (Made, routed(Acting, "it/")), names)
    for user, status in ((ADA, 200), (None, 403)):
        async with connect(class_.as_asgi(), user=user) as client:
            assert (await client.call("act", "it/"))["status"] == status


async def test_permissions_that_as_aaah_is_given_are_asked():
    class Handler(Acting):
        def __init__(self, permissions):
            self.permission_classes = permissions

    app = Handler.as_aaah(permissions=[IsAuthenticated])
    consumer = type("Consumer", (AsyncAPIConsumer,), {"routepatterns": [path("it/", app)]})
    async with connect(consumer.as_asgi()) as client:
        assert (await client.call("act", "it/"))["status"] == 403


class NoObjectOfAAAH(aaah_core.BasePermission):
    async def has_object_permission(self, scope, handler, action, obj, **kwargs):
        return False


class NoObjectOfDRF(DRFBasePermission):
    def has_object_permission(self, request, view, obj):
        return False


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("permission", [NoObjectOfAAAH, NoObjectOfDRF])
async def test_a_consumer_of_aaah_is_asked_about_the_objects_of_handlers_below_it(permission):
    class Handler(ModelAPIActionHandler):
        queryset = Group.objects.all()
        serializer_class = GroupSerializer

        @async_action()
        async def take(self, pk, **kwargs):
            await self.check_object_permissions("take", await Group.objects.aget(pk=pk))
            return pk, 200

    class Outer(aaah_core.AsyncAPIConsumer):
        routepatterns = [path("it/<int:pk>/", Handler.as_aaah())]
        permission_classes = [permission]

    group = await Group.objects.acreate(name="a")
    async with connect(Outer.as_asgi(), user=ADA) as client:
        for name in ("retrieve", "update", "partial_update", "remove", "take"):
            reply = await client.call(name, f"it/{group.pk}/", data={"name": "b"})
            assert reply["status"] == 403
    assert await Group.objects.filter(name="a").aexists()


@pytest.mark.parametrize("permission", [NotTheVault, DRFBasePermission, made])
async def test_whatever_a_client_names_its_keys_a_permission_is_asked(permission):
    names = "self permission name cls func asked handler scope action obj message kwargs arguments"
    hostile = dict.fromkeys(names.split(), 1)

    class Handler(Acting):
        permission_classes = [permission]

    async with connect(routed(Handler, "it/").as_asgi()) as client:
        for room, status in (("hall", 200), ("vault", 403)):
            await client.send({**hostile, "action": "act", "route": "it/", "room": room})
            expected = 200 if permission is DRFBasePermission else status
            assert (await client.receive())["status"] == expected


@pytest.mark.parametrize("where", ["consumer", "handler"])
async def test_what_chooses_and_checks_permissions_need_not_take_the_keys_of_a_message(where):
    class Choosing:
        async def get_permissions(self):
            return [IsAuthenticated()]

    class Checking:
        async def check_permissions(self, action):
            await super().check_permissions(action)

    for mixin in (Choosing, Checking):
        judged = {"permission_classes": [IsAuthenticated]}
        if where == "handler":
            class_ = routed(type("Handler", (mixin, Acting), judged))
        else:
            class_ = type("Heir", (mixin, routed(Acting)), judged)
        for user, status in ((ADA, 200), (None, 403)):
            async with connect(class_.as_asgi(), user=user) as client:
                assert (await client.call("act", "it/1/", data=1, key=2))["status"] == status


async def test_an_override_that_drops_the_keys_of_a_message_hides_them_from_no_permission():
    class Handler(Acting):
        permission_classes = [NotTheVault]

        async def check_permissions(self, action):
            await super().check_permissions(action)

    async with connect(routed(Handler).as_asgi()) as client:
        for room, status in (("hall", 200), ("vault", 403)):
            assert (await client.call("act", "it/1/", room=room))["status"] == status


async def test_a_refusal_goes_through_an_overridden_reply_once():
    replies = []

    class Handler(Acting):
        permission_classes = [IsAuthenticated]

        async def reply(self, action, route, **rest):
            replies.append(rest["status"])
            await super().reply(action, route, **rest)

    async with connect(routed(Handler).as_asgi()) as client:
        assert (await client.call("act", "it/1/"))["status"] == 403
        assert (await client.call("none_such", "it/1/"))["status"] == 403
    async with connect(routed(Handler).as_asgi(), user=ADA) as client:
        assert (await client.call("act", "it/1/"))["data"] == "ran"
    assert replies[0] == 403
    assert replies[-1] == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [(aaah_core.PermissionDenied(), 403), (PermissionDenied(), 403), (RuntimeError("x"), 500)],
)
async def test_a_check_that_raises_tells_of_no_action_either(error, status):
    class Handler(Acting):
        async def check_permissions(self, action, **kwargs):
            raise error

    async with connect(routed(Handler).as_asgi()) as client:
        for name in ("act", "none_such"):
            reply = await client.call(name, "it/1/")
            assert (reply["status"], reply["data"], reply["action"]) == (status, None, name)
