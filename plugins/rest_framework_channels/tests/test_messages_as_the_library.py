"""More of what rest_framework_channels 0.0.7 does with messages, and this does too.

Everything here runs against that library as well: it imports nothing but its modules.
"""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.urls import path, re_path
from rest_framework import permissions as drf
from rest_framework import serializers, status
from rest_framework.exceptions import (
    ValidationError,
)
from rest_framework.pagination import PageNumberPagination

from rest_framework_channels import (
    exceptions,
    generics,
    permissions,
)
from rest_framework_channels.consumers import AsyncAPIConsumer, AsyncAPIConsumerBase
from rest_framework_channels.decorators import async_action
from rest_framework_channels.handlers import AsyncAPIActionHandler
from rest_framework_channels.testing.websocket import (
    AuthCommunicator,
    ExtendedWebsocketCommunicator,
)

pytestmark = pytest.mark.django_db(transaction=True)


ADA = User(pk=1, username="ada")


async def roundtrip(app, *messages, user=None, connect=True, **url):
    c = AuthCommunicator(user, app, "/testws/", **url)
    if connect:
        connected, _ = await c.connect()
        assert connected
    out = []
    for m in messages:
        await c.send_json_to(m)
        out.append(await c.receive_json_from())
    await c.disconnect()
    return out if len(out) > 1 else out[0]


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


@async_action()
async def echo(self, data, **kwargs):
    return data, 200


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


class Groups(generics.ListCreateAPIConsumer):
    queryset = Group.objects.order_by("id")
    serializer_class = GroupSerializer

    class pagination_class(PageNumberPagination):
        page_size = 1


async def test_a_permission_need_not_take_what_a_route_captured():
    class Plain(permissions.BasePermission):
        async def has_permission(self, scope, handler, action):
            return True

    class H(Child):
        permission_classes = [Plain]

    r = await roundtrip(
        parent(path("c/<int:pk>/", H.as_aaah()))(),
        {"action": "test_async_child_action", "route": "c/1/"},
    )
    assert r["status"] == 200


async def test_a_permission_need_not_be_of_a_class_of_the_library():
    class Duck:
        async def can_connect(self, scope, handler, message=None):
            return True

        async def has_permission(self, scope, handler, action, **kwargs):
            return kwargs.get("x") != 1

    r = await roundtrip(
        parent(path("c/<int:pk>/", Child.as_aaah()), permission_classes=[Duck])(),
        {"action": "test_async_child_action", "route": "c/1/"},
        {"action": "test_async_child_action", "route": "c/1/", "x": 1},
    )
    assert [x["status"] for x in r] == [200, 403]


async def test_a_function_may_make_a_permission():
    class Only(permissions.BasePermission):
        def __init__(self, value):
            self.value = value

        async def has_permission(self, scope, handler, action, **kwargs):
            return kwargs.get("data") == self.value

    r = await roundtrip(
        parent(permission_classes=[lambda: Only(5)], echo=echo)(),
        {"action": "echo", "data": 5},
        {"action": "echo", "data": 6},
    )
    assert [x["status"] for x in r] == [200, 403]


async def test_who_has_no_permission_is_not_told_which_actions_there_are():
    r = await roundtrip(
        parent(permission_classes=[permissions.IsAuthenticated])(), {"action": "none_such"}
    )
    assert r["status"] == 403

    class H(Child):
        permission_classes = [permissions.IsAuthenticated]

    r = await roundtrip(parent(path("c/", H.as_aaah()))(), {"action": "none_such", "route": "c/"})
    assert r == {
        "errors": ["You do not have permission to perform this action."],
        "data": None,
        "action": "none_such",
        "route": "c/",
        "status": 403,
    }


async def test_a_pattern_may_match_amid_a_route():
    r = await roundtrip(
        parent(re_path(r"c/(?P<pk>[-\w]+)/$", Child.as_aaah()))(),
        {"action": "test_async_child_action", "route": "/c/1/"},
    )
    assert r["data"] == {"kwargs": {"pk": "1"}}


async def test_a_scope_has_the_query_or_what_no_pattern_matched():
    seen = []

    class H(Child):
        @async_action()
        async def look(self, **kwargs):
            seen.append(self.scope["path_remaining"])
            return None, 200

    app = parent(path("c/", H.as_aaah()))
    await roundtrip(
        app(),
        {"action": "look", "route": "c/more/"},
        {"action": "look", "route": "c/?a=1"},
        {"action": "look", "route": "c/"},
    )
    assert seen == ["more/", "a=1", ""]


async def test_a_refused_connection_is_closed_without_a_code():
    c = AuthCommunicator(
        None, parent(permission_classes=[permissions.IsAuthenticatedStrictly])(), "/testws/"
    )
    assert await c.connect() == (False, 1000)
    await c.disconnect()


async def test_a_permission_of_drfs_refuses_a_connection():
    c = AuthCommunicator(
        AnonymousUser(), parent(permission_classes=[drf.IsAuthenticated])(), "/testws/"
    )
    assert (await c.connect())[0] is False
    await c.disconnect()


async def test_replies_go_through_an_overridden_reply():
    class H(Child):
        async def reply(self, action, route, data=None, errors=None, status=200):
            await super().reply(action, route, {"wrapped": data}, errors, status)

    class P(AsyncAPIConsumer):
        routepatterns = [path("c/", H.as_aaah())]

        @async_action()
        async def own(self, **kwargs):
            return 1, 200

        async def reply(self, action, route, **kwargs):
            await super().reply(action, route, **{**kwargs, "status": 299})

    r = await roundtrip(
        P(),
        {"action": "test_async_child_action", "route": "c/"},
        {"action": "own"},
        {"action": "none"},
    )
    assert [(x["data"], x["status"]) for x in r] == [
        ({"wrapped": {"kwargs": {}}}, 200),
        (1, 299),
        (None, 299),
    ]


async def test_replies_of_a_consumer_go_through_its_overridden_send_json():
    class P(AsyncAPIConsumer):
        routepatterns = [path("c/", Child.as_aaah())]

        @async_action()
        async def own(self, **kwargs):
            return 1, 200

        async def send_json(self, content, close=False):
            await super().send_json({"payload": content}, close)

    r = await roundtrip(P(), {"action": "own"}, {"action": "own", "bad": 1})
    assert [x["payload"]["data"] for x in r] == [1, 1]


async def test_replies_of_a_consumer_go_through_its_overridden_encode_json():
    class P(AsyncAPIConsumer):
        @async_action()
        async def own(self, **kwargs):
            return 1, 200

        @classmethod
        async def encode_json(cls, content):
            return json.dumps({"payload": content})

    r = await roundtrip(P(), {"action": "own"})
    assert r["payload"]["data"] == 1


async def test_replies_of_a_handler_go_through_its_overridden_encode_json():
    class H(Child):
        @classmethod
        async def encode_json(cls, content):
            return json.dumps({"payload": content})

    r = await roundtrip(
        parent(path("c/", H.as_aaah()))(), {"action": "test_async_child_action", "route": "c/"}
    )
    assert r["payload"]["status"] == 200


async def test_an_overridden_connect_may_greet():
    class P(AsyncAPIConsumer):
        async def connect(self):
            self.x = 5
            await super().connect()
            await self.send_json({"hello": 1})

        @async_action()
        async def own(self, **kwargs):
            return self.x, 200

    c = AuthCommunicator(None, P(), "/")
    assert (await c.connect())[0]
    assert await c.receive_json_from() == {"hello": 1}
    await c.disconnect()


async def test_an_annotation_that_is_no_type_to_convert_to_means_nothing():
    class P(AsyncAPIConsumer):
        @async_action()
        async def one(self, pk: int, thing: Unknown = None, **kwargs) -> Unknown:  # noqa: F821 - as one below TYPE_CHECKING is
            return [pk, thing], 200

        @async_action()
        def two(self, data: serializers.Serializer, user: User = None, **kwargs):
            return data, 200

    r = await roundtrip(
        P(),
        {"action": "one", "pk": 5, "thing": [1]},
        {"action": "two", "data": {"a": 1}},
    )
    assert [x["data"] for x in r] == [[5, [1]], {"a": 1}]


async def test_a_pair_may_have_any_status():
    class P(AsyncAPIConsumer):
        @async_action()
        async def one(self, **kwargs):
            return "x", status.HTTP_207_MULTI_STATUS

    assert (await roundtrip(P(), {"action": "one"}))["status"] == 207


async def test_the_consumers_own_reply_repeats_a_route_that_matched_nothing():
    r = await roundtrip(parent(routepatterns=[])(), {"action": "x", "route": "no/"})
    assert r["status"] == 405
    assert r["route"] == "no/"


async def test_an_exception_handler_may_answer_data_too():
    async def handler(exc, context):
        return {**context, "status": 418, "errors": [str(exc)], "data": {"a": 1}}

    class P(AsyncAPIConsumer):
        exception_handler = handler

        @async_action()
        async def bad(self, **kwargs):
            raise ValueError("v")

    r = await roundtrip(P(), {"action": "bad"})
    assert r == {"errors": ["v"], "data": {"a": 1}, "action": "bad", "route": "", "status": 418}


async def test_an_exception_handler_that_says_no_status_means_200():
    async def handler(exc, context):
        return dict(context)

    class P(AsyncAPIConsumer):
        exception_handler = handler

        @async_action()
        async def bad(self, **kwargs):
            raise ValueError("v")

    r = await roundtrip(P(), {"action": "bad"})
    assert r == {"errors": [], "data": None, "action": "bad", "route": "", "status": 200}


async def test_what_a_handler_raises_is_answered_by_its_own_exception_handler():
    async def handler(exc, context):
        return {**context, "status": 418, "errors": ["child"]}

    class H(Child):
        exception_handler = handler

        @async_action()
        async def bad(self, **kwargs):
            raise ValueError("v")

    r = await roundtrip(parent(path("c/", H.as_aaah()))(), {"action": "bad", "route": "c/"})
    assert (r["status"], r["errors"], r["route"]) == (418, ["child"], "c/")


async def test_with_debug_handlers_an_exception_of_drfs_leaves_too():
    class P(AsyncAPIConsumer):
        exception_handler = exceptions.debug_exception_handlers

        @async_action()
        async def bad(self, **kwargs):
            raise ValidationError("v")

    c = ExtendedWebsocketCommunicator(P(), "/")
    await c.send_json_to({"action": "bad", "route": ""})
    with pytest.raises(ValidationError):
        await c.wait()


async def test_a_permission_of_drfs_tells_reading_from_writing():
    class ReadOnly(drf.BasePermission):
        def has_permission(self, request, view):
            return request.method in drf.SAFE_METHODS

    class H(Child):
        permission_classes = [ReadOnly]

        @async_action()
        async def retrieve(self, **kwargs):
            return 1, 200

        @async_action()
        async def list(self, **kwargs):
            return 1, 200

        @async_action()
        async def create(self, **kwargs):
            return 1, 200

        @async_action()
        async def destroy(self, **kwargs):
            return 1, 200

        @async_action()
        async def own(self, **kwargs):
            return 1, 200

    r = await roundtrip(
        parent(path("c/", H.as_aaah()))(),
        *({"action": a, "route": "c/"} for a in ("retrieve", "list", "create", "destroy", "own")),
    )
    assert [x["status"] for x in r] == [200, 200, 403, 403, 403]


async def test_pages_of_a_consumer_link_by_the_query_alone():
    for n in "abc":
        await Group.objects.acreate(name=n)
    r = await roundtrip(
        Groups(),
        {"action": "list", "route": ""},
        {"action": "list", "route": "?page=2"},
        {"action": "list"},
        {"action": "list", "route": "?page=9"},
    )
    assert [x["data"] and x["data"]["next"] for x in r] == ["?page=2", "?page=3", "?page=2", None]
    assert [x["data"] and x["data"]["previous"] for x in r] == [None, "", None, None]
    assert r[3]["errors"] == [{"detail": "Invalid page."}]
    assert r[3]["status"] == 404


async def test_data_that_is_missing_or_of_another_shape_is_a_400():
    r = await roundtrip(
        Groups(),
        {"action": "create", "data": {"name": "x"}},
        {"action": "create", "data": {}},
        {"action": "create", "data": None},
        {"action": "create", "data": [1]},
    )
    assert r[0]["status"] == 201
    assert r[1]["errors"] == [{"name": ["This field is required."]}]
    assert [x["status"] for x in r[1:]] == [400, 400, 400]


async def test_a_lookup_may_have_a_name_of_its_own():
    class H(generics.RetrieveUpdateDestroyAPIActionHandler):
        queryset = Group.objects.all()
        serializer_class = GroupSerializer
        lookup_field = "name"
        lookup_url_kwarg = "who"

    await Group.objects.acreate(name="x")
    r = await roundtrip(
        parent(path("c/<str:who>/", H.as_aaah()), path("d/", H.as_aaah()))(),
        {"action": "retrieve", "route": "c/x/"},
        {"action": "partial_update", "route": "c/x/", "data": {}},
        {"action": "destroy", "route": "c/x/"},
        {"action": "retrieve", "route": "d/"},
    )
    assert [x["status"] for x in r] == [200, 200, 204, 500]


async def test_a_consumer_knows_its_group():
    class P(AsyncAPIConsumer):
        group_send_lookup_kwargs = "room"

        @async_action()
        async def own(self, **kwargs):
            return [self.group_id, list(self.groups), self.group_send_lookup_kwargs], 200

    r = await roundtrip(P(), {"action": "own"}, kwargs={"room": "r"})
    assert r["data"] == ["r", ["r"], "room"]


async def test_a_group_must_have_a_name():
    P = parent(group_send_lookup_kwargs="room")
    c = AuthCommunicator(ADA, P(), "/", kwargs={"room": None})
    await c.send_input({"type": "websocket.connect"})
    with pytest.raises(AssertionError, match="The group_send_lookup_kwargs of kwargs is None"):
        await c.wait()


async def test_a_consumer_has_what_consumers_of_channels_have():
    class P(AsyncAPIConsumer):
        @async_action()
        async def own(self, **kwargs):
            assert self.channel_layer is not None
            assert self.channel_name
            assert self.base_send
            assert self.base_receive
            return [self.action, self.args, dict(self.kwargs), self.scope["user"].username], 200

    r = await roundtrip(P(), {"action": "own"}, user=ADA, args=(1,), kwargs={"a": 2})
    assert r["data"][1:] == [[1], {"a": 2}, "ada"]
    assert issubclass(AsyncAPIConsumer, AsyncAPIConsumerBase)
    assert issubclass(AsyncAPIConsumerBase, AsyncAPIActionHandler)
