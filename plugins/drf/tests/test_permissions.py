from __future__ import annotations

import asyncio
import operator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import permissions as drf
from rest_framework.test import APIRequestFactory

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Check,
    ConfigurationError,
    describe,
)
from aaah_core.testing import connect
from aaah_drf.consumers import GenericAsyncAPIConsumer
from aaah_drf.permissions import check_of


def drf_leaf(call: bool | None, obj: bool | None) -> Any:
    methods = {
        "has_permission": lambda self, request, view: call,
        "has_object_permission": lambda self, request, view, obj_: obj,
    }
    said = {"has_permission": call, "has_object_permission": obj}
    kept = {name: method for name, method in methods.items() if said[name] is not None}
    return type("DRFLeaf", (drf.BasePermission,), kept)


def native_leaf(call: bool, obj: bool, *, awaited: bool) -> Any:
    if awaited:

        async def has_permission(self: Any, *args: Any, **kwargs: Any) -> bool:
            return call

        async def has_object_permission(self: Any, *args: Any, **kwargs: Any) -> bool:
            return obj
    else:

        def has_permission(self: Any, *args: Any, **kwargs: Any) -> bool:
            return call

        def has_object_permission(self: Any, *args: Any, **kwargs: Any) -> bool:
            return obj

    methods = {"has_permission": has_permission, "has_object_permission": has_object_permission}
    return type(BasePermission)("NativeLeaf", (BasePermission,), methods)


maybe = st.sampled_from([None, True, False])
drf_leaves = st.builds(drf_leaf, maybe, maybe) | st.sampled_from([drf.AllowAny, drf.IsAdminUser])


trees = st.recursive(
    drf_leaves,
    lambda inner: st.one_of(
        inner.map(operator.invert),
        st.builds(operator.and_, inner, inner),
        st.builds(operator.or_, inner, inner),
    ),
    max_leaves=6,
)


async def answers(*permissions: Any) -> tuple[int, int]:
    """Return the statuses of an action, and of one that asks about an object."""

    class Consumer(AsyncAPIConsumer):
        permission_classes = permissions

        @async_action
        def run(self) -> bool:
            return True

        @async_action
        def take(self) -> bool:
            self.check_object_permissions("an object")
            return True

        @async_action
        async def take_async(self) -> bool:
            await self.acheck_object_permissions("an object")
            return True

    async with connect(Consumer.as_asgi()) as client:
        run = await client.call("run")
        take = await client.call("take")
        take_async = await client.call("take_async")
    assert take["status"] == take_async["status"]
    return run["status"], take["status"]


def statuses(call: bool, obj: bool) -> tuple[int, int]:
    return 200 if call else 403, 200 if call and obj else 403


@settings(deadline=None, max_examples=60)
@given(composed=trees)
async def test_a_composition_of_drf_classes_answers_as_drf_does(composed: Any) -> None:
    request = APIRequestFactory().post("/")
    request.user = AnonymousUser()
    permission = composed()
    call = permission.has_permission(request, None)
    obj = permission.has_object_permission(request, None, "an object")
    assert await answers(composed) == statuses(call, obj)


@pytest.mark.parametrize("permission", [drf_leaf(False, False), ~drf_leaf(True, True)])
async def test_a_drf_class_has_no_say_at_connect(permission: Any) -> None:
    assert await answers(permission) == (403, 403)  # connecting raised nothing


class Duck:
    def has_permission(self, request: Any, view: Any) -> bool:
        return True


class Xor:
    def __init__(self, *operands: Any) -> None: ...


@pytest.mark.parametrize(
    "permission", [Duck, Duck(), drf.IsAuthenticated(), drf.OperandHolder(Xor, Duck, Duck)]
)
def test_what_is_no_class_of_drf_is_refused_at_start(permission: Any) -> None:
    class Consumer(AsyncAPIConsumer):
        permission_classes = (permission,)

    with pytest.raises(ConfigurationError, match="no loaded plugin knows what it is"):
        Consumer.as_asgi()


def test_allow_any_has_no_say_so_that_it_costs_nothing() -> None:
    assert type(check_of(drf.AllowAny)) is Check


async def test_an_async_method_of_a_drf_class_is_waited_for() -> None:
    class Deny(drf.BasePermission):
        async def has_permission(self, request: Any, view: Any) -> bool:  # type: ignore[override]  # on purpose
            return False

    assert await answers(Deny) == (403, 403)
    assert await answers(~Deny) == (200, 403)


class Closed(drf.BasePermission):
    message = "The library is closed."
    code = "closed"

    def has_permission(self, request: Any, view: Any) -> bool:
        return view.action != "run"

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return False


async def errors_of(*permissions: Any) -> list[Any]:
    class Consumer(AsyncAPIConsumer):
        permission_classes = permissions

        @async_action
        def run(self) -> None: ...

        @async_action
        def take(self) -> None:
            self.check_object_permissions("an object")

        @async_action
        async def take_async(self) -> None:
            await self.acheck_object_permissions("an object")

    found = []
    async with connect(Consumer.as_asgi()) as client:
        for action in ("run", "take", "take_async"):
            answer = await client.call(action)
            assert answer["status"] == 403
            found += answer["errors"]
    return found


async def test_a_class_refuses_with_its_own_message_and_code() -> None:
    said = {"code": "closed", "detail": "The library is closed."}
    assert await errors_of(Closed) == [said] * 3
    assert await errors_of(drf.AllowAny, Closed) == [said] * 3


async def test_a_message_inside_a_composition_does_not_decide_it() -> None:
    assert await answers(Closed | drf_leaf(True, True)) == (200, 200)
    assert await answers(Closed | native_leaf(True, True, awaited=True)) == (200, 200)
    assert await answers(native_leaf(True, True, awaited=False) | Closed) == (200, 200)
    assert await answers(~Closed) == (200, 403)
    composed_errors = await errors_of(Closed & drf_leaf(True, True))
    assert {each["code"] for each in composed_errors} == {"permission_denied"}


class Greeter(AsyncAPIConsumer):
    permission_classes = (drf.IsAuthenticated,)

    @async_action
    async def hello(self) -> str:
        return "hello"


@pytest.mark.parametrize("user", [{}, {"user": None}, {"user": AnonymousUser()}])
async def test_is_authenticated_refuses_whoever_is_not_logged_in(user: dict[str, Any]) -> None:
    async with connect(Greeter.as_asgi(), **user) as client:
        assert await client.call("hello") == {
            "errors": [
                {
                    "code": "permission_denied",
                    "detail": "You do not have permission to perform this action.",
                }
            ],
            "data": None,
            "action": "hello",
            "route": "",
            "status": 403,
        }


async def test_is_authenticated_lets_a_user_pass() -> None:
    async with connect(Greeter.as_asgi(), user=User(username="emma")) as client:
        assert (await client.call("hello"))["data"] == "hello"


async def test_a_permission_is_asked_with_the_request_and_the_handler() -> None:
    asked = []

    class Ask(drf.BasePermission):
        def has_permission(self, request: Any, view: Any) -> bool:
            asked.append((request, view, view.action, dict(view.kwargs)))
            return True

        def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
            asked.append((request, view, view.action, obj))
            return True

    from django.urls import path

    class Child(AsyncAPIActionHandler):
        permission_classes = (Ask,)

        @async_action
        def look(self) -> None:
            self.check_object_permissions("an object")

    class Parent(AsyncAPIConsumer):
        permission_classes = (Ask,)
        routepatterns = (path("<int:pk>/", Child.as_aaah()),)

    async with connect(Parent.as_asgi()) as client:
        await client.call("look", route="5/")
    handlers = [type(view) for _, view, *_ in asked]
    assert handlers == [Parent, Child, Parent, Child]
    assert [rest for _, _, *rest in asked] == [
        ["look", {}],
        ["look", {"pk": 5}],
        ["look", "an object"],
        ["look", "an object"],
    ]
    assert len({id(request) for request, *_ in asked}) == 1


class Reads(drf.BasePermission):
    """Reads of a view what permission classes usually read."""

    def has_permission(self, request: Any, view: Any) -> bool:
        view.read = {
            "same": view.request is request,
            "user": view.request.user.username,
            "method": view.request.method,
            "data": view.request.data,
            "query": view.request.query_params.dict(),
            "action": view.action,
            "kwargs": dict(view.kwargs),
            "args": list(view.args),
        }
        return True


@pytest.mark.parametrize("permission", [Reads, Reads & drf.AllowAny, ~~Reads])
async def test_a_plain_handler_has_what_permissions_read_of_a_view(permission: Any) -> None:
    from django.urls import path

    class Plain(AsyncAPIActionHandler):
        permission_classes = (permission,)

        @async_action
        async def look(self) -> Any:
            return self.read  # type: ignore[attr-defined]  # the permission left it

    class Consumer(Plain, AsyncAPIConsumer):
        routepatterns = (path("<int:pk>/", Plain.as_aaah()),)

    read = {"same": True, "user": "emma", "method": "POST", "data": {"a": 1}, "action": "look"}
    async with connect(Consumer.as_asgi(), user=User(username="emma")) as client:
        answer = await client.call("look", route="5/?q=1", data={"a": 1})
        assert answer["data"] == {**read, "query": {"q": "1"}, "kwargs": {"pk": 5}, "args": []}
        answer = await client.call("look", data={"a": 1})
        assert answer["data"] == {**read, "query": {}, "kwargs": {}, "args": []}


async def test_the_request_of_a_consumer_is_that_of_the_call_that_asks() -> None:
    class Consumer(AsyncAPIConsumer):
        permission_classes = (Reads,)
        concurrency = 2

        @async_action
        async def look(self) -> Any:
            await asyncio.sleep(0)  # let the other begin
            return self.request.data  # type: ignore[attr-defined]  # the plugin gave it

    async with connect(Consumer.as_asgi()) as client:
        for number in range(2):
            await client.send({"action": "look", "data": number, "request_id": number})
        answers = [await client.receive() for _ in range(2)]
    assert {each["request_id"]: each["data"] for each in answers} == {0: 0, 1: 1}


async def test_a_request_that_a_handler_has_of_its_own_stays() -> None:
    class Consumer(AsyncAPIConsumer):
        permission_classes = (drf.IsAuthenticated,)
        request = "its own"

        @async_action
        async def look(self) -> str:
            return self.request

        @async_action
        async def keep(self) -> str:
            self.request = "kept"
            return self.request

    async with connect(Consumer.as_asgi(), user=User(username="emma")) as client:
        assert (await client.call("look"))["data"] == "its own"
        assert (await client.call("keep"))["data"] == "kept"


@pytest.fixture
def user(db: None) -> User:
    user = User.objects.create(username="emma")
    user.user_permissions.add(Permission.objects.get(codename="delete_user"))
    return user


async def test_model_permissions_go_by_the_action(user: User) -> None:
    class Users(GenericAsyncAPIConsumer):
        queryset = User.objects.all()
        permission_classes = (drf.DjangoModelPermissions,)

        @async_action
        async def create(self) -> str:
            return "created"

        @async_action
        async def remove(self) -> str:
            return "removed"

    async with connect(Users.as_asgi(), user=user) as client:
        assert (await client.call("create"))["status"] == 403
        assert (await client.call("remove"))["data"] == "removed"


def test_a_composition_of_drf_is_described_by_its_names() -> None:
    class Shelf(AsyncAPIConsumer):
        permission_classes = [
            drf.IsAuthenticated & (drf.AllowAny | ~drf.IsAdminUser),
            ~(drf.IsAdminUser & drf.AllowAny),
        ]

    assert describe(Shelf)["routes"][0]["permissions"] == [
        "IsAuthenticated & (AllowAny | ~IsAdminUser)",
        "~(IsAdminUser & AllowAny)",
    ]
