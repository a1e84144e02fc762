"""`conceal_objects`: who may not have an object is told what a missing one would tell."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.shortcuts import aget_object_or_404, get_object_or_404
from django.urls import path
from rest_framework import permissions as drf
from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotAuthenticated

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    NotFound,
    RequestError,
)
from aaah_core.testing import connect
from aaah_crud.handlers import ModelAPIActionHandler
from aaah_drf.viewsets import serve
from rest_framework_channels import handlers as theirs
from rest_framework_channels.consumers import AsyncAPIConsumer as TheirConsumer
from rest_framework_channels.decorators import async_action as their_action
from tests.conftest import action

pytestmark = pytest.mark.django_db(transaction=True)


class NotSecret(BasePermission):
    async def has_object_permission(self, scope, handler, action, obj, **kwargs):
        return obj.name != "secret"


class PlainNotSecret(BasePermission):
    def has_object_permission(self, scope, handler, action, obj, **kwargs):
        return obj.name != "secret"


class Raising(BasePermission):
    async def has_object_permission(self, scope, handler, action, obj, **kwargs):
        raise PermissionDenied("the secret one")


class NotSecretOfDRF(drf.BasePermission):
    message = "This one is secret."

    def has_object_permission(self, request, view, obj):
        return obj.name != "secret"


class Unknown(drf.BasePermission):
    def has_object_permission(self, request, view, obj):
        raise NotAuthenticated


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


class Native(AsyncAPIActionHandler):
    conceal_objects = True
    queryset = Group.objects.all()
    serializer_class = GroupSerializer

    @action
    async def retrieve(self, pk):
        group = await aget_object_or_404(Group, pk=pk)
        await self.acheck_object_permissions(group)
        return group.name

    @action
    def plainly(self, pk):
        group = get_object_or_404(Group, pk=pk)
        self.check_object_permissions(group)
        return group.name


class Crud(ModelAPIActionHandler):
    conceal_objects = True
    queryset = Group.objects.all()
    serializer_class = GroupSerializer


class Served(viewsets.ModelViewSet):
    conceal_objects = True
    queryset = Group.objects.all()
    serializer_class = GroupSerializer


class Theirs(theirs.AsyncAPIActionHandler):
    conceal_objects = True

    @their_action()
    async def retrieve(self, pk, **kwargs):
        group = await aget_object_or_404(Group, pk=pk)
        await self.check_object_permissions("retrieve", group)
        return group.name, 200


def native(permission, parent=AsyncAPIConsumer):
    handler = type("Handler", (Native,), {"permission_classes": (permission,)})
    return type("Chat", (parent,), {"routepatterns": [path("g/<int:pk>/", handler.as_aaah())]})


def crud(permission, parent=AsyncAPIConsumer):
    handler = type("Handler", (Crud,), {"permission_classes": (permission,)})
    return type("Chat", (parent,), {"routepatterns": [path("g/<int:pk>/", handler.as_aaah())]})


def served(permission, parent=AsyncAPIConsumer):
    viewset = type("Handler", (Served,), {"permission_classes": (permission,)})
    return type("Chat", (parent,), {"routepatterns": [path("g/", serve(viewset))]})


def as_theirs(permission):
    handler = type("Handler", (Theirs,), {"permission_classes": (permission,)})
    return type(
        "Chat", (TheirConsumer,), {"routepatterns": [path("g/<int:pk>/", handler.as_aaah())]}
    )


def below(make):
    """Return what makes a consumer whose own permission is about the objects of handlers below."""

    def of_parent(permission):
        parent = type("Parent", (AsyncAPIConsumer,), {"permission_classes": (permission,)})
        return make(drf.AllowAny, parent)

    return of_parent


async def frames(consumer_class, name="retrieve"):
    """Return the reply about an object that is refused, and about the same when it is gone."""
    await Group.objects.acreate(pk=7, name="secret")
    request = json.dumps({"action": name, "route": "g/7/", "request_id": 1})
    async with connect(consumer_class.as_asgi()) as client:
        await client.send_frame(request)
        refused = await client.receive_frame()
        await Group.objects.filter(pk=7).adelete()
        await client.send_frame(request)
        return refused, await client.receive_frame()


NATIVE = [NotSecret, PlainNotSecret, Raising, ~~NotSecret]
OF_DRF = [NotSecretOfDRF, Unknown, NotSecretOfDRF & Unknown]


@pytest.mark.parametrize("name", ["retrieve", "plainly"])
@pytest.mark.parametrize("permission", NATIVE)
async def test_with_the_cores_own_plugins_the_replies_are_the_same(permission, name, core):
    refused, missing = await frames(native(permission), name)
    assert json.loads(missing)["status"] == 404
    assert refused == missing


@pytest.mark.parametrize(
    ("make", "permission"),
    [
        *((crud, permission) for permission in (*NATIVE, *OF_DRF)),
        *((below(crud), permission) for permission in (NotSecret, NotSecretOfDRF)),
        *((served, permission) for permission in OF_DRF),
    ],
)
async def test_of_handlers_of_drf_and_crud_the_replies_are_the_same(make, permission):
    refused, missing = await frames(make(permission))
    assert json.loads(missing)["status"] == 404
    assert refused == missing


@pytest.mark.parametrize("make", [crud, served])
@pytest.mark.parametrize("name", ["update", "partial_update", "remove"])
async def test_so_are_those_to_what_changes_an_object(make, name):
    refused, missing = await frames(make(NotSecretOfDRF), name)
    assert json.loads(missing)["status"] == 404
    assert refused == missing


@pytest.mark.parametrize("permission", [NotSecret, PlainNotSecret, NotSecretOfDRF])
async def test_of_rest_framework_channels_the_replies_are_the_same(permission):
    refused, missing = await frames(as_theirs(permission))
    assert json.loads(missing)["status"] == 404
    assert refused == missing


@pytest.mark.parametrize(("make", "base"), [(crud, Crud), (served, Served)])
async def test_without_it_a_refusal_is_told(make, base, monkeypatch):
    monkeypatch.setattr(base, "conceal_objects", False)
    refused, missing = await frames(make(NotSecretOfDRF))
    assert (json.loads(refused)["status"], json.loads(missing)["status"]) == (403, 404)


async def test_what_is_no_models_is_missing_as_the_cores_errors_say_it(core):
    class Handler(Native):
        permission_classes = (NotSecret,)

        @action
        async def look(self, found):
            if not found:
                raise NotFound
            await self.acheck_object_permissions(type("Thing", (), {"name": "secret"}))

    chat = type("Chat", (AsyncAPIConsumer,), {"routepatterns": [path("a/", Handler.as_aaah())]})
    async with connect(chat.as_asgi()) as client:
        refused = await client.call("look", "a/", found=True)
        assert refused == await client.call("look", "a/", found=False)


async def test_a_bug_in_a_check_is_a_500_still(core):
    class Broken(BasePermission):
        async def has_object_permission(self, scope, handler, action, obj, **kwargs):
            raise RequestError("teapot", status=418) if obj.name == "tea" else LookupError

    async with connect(native(Broken).as_asgi()) as client:
        await Group.objects.acreate(pk=7, name="secret")
        await Group.objects.acreate(pk=8, name="tea")
        assert (await client.call("retrieve", "g/7/"))["status"] == 500
        assert (await client.call("retrieve", "g/8/"))["status"] == 418
