from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.urls import path, re_path

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    ConfigurationError,
    group_name,
    run_sync,
)
from aaah_core.testing import connect, registry


@dataclass
class Line:
    price: int


class ChildActionHandler(AsyncAPIActionHandler):
    @async_action()
    def your_custom_action(self, pk, *args, **kwargs):  # type: ignore[no-untyped-def]
        return {"message": "your_custom_action will be handled", "model_id": pk}, 200

    @async_action
    def through_sync_code(self, pk: int) -> Any:
        return self.your_sync_method(pk)

    def your_sync_method(self, pk: int) -> Any:
        here = threading.current_thread()
        data, status = async_to_sync(self.your_custom_action)(pk=pk)
        return {**data, "status": status, "here": threading.current_thread() is here}

    @async_action
    async def through_async_code(self, pk: int) -> Any:
        return await self.your_custom_action(pk=pk)


class RoomHandler(AsyncAPIActionHandler):
    group_send_lookup_kwargs = "room"

    @async_action(mode="broadcast", broadcast_type="said")
    def say(self, text: str) -> Any:
        return {"text": text}, 201


class GroupHandler(AsyncAPIActionHandler):
    @async_action(atomic=True)
    def create_two(self, name: str) -> None:
        Group.objects.create(name=name)
        Group.objects.create(name=name)

    @async_action(atomic=True)
    def create(self, name: str) -> None:
        Group.objects.create(name=name)


class Consumer(AsyncAPIConsumer):
    groups: ClassVar[list[str]] = ["all", group_name("room", "lobby")]
    routepatterns = [
        re_path(r"test_child_route/(?P<pk>[-\w]+)/$", ChildActionHandler.as_aaah()),
        path("rooms/<room>/", RoomHandler.as_aaah()),
        path("groups/", GroupHandler.as_aaah()),
    ]

    @async_action
    async def order(self, lines: list[Line], data: Any = None, action: str = "") -> Any:
        return {"lines": len(lines), "data": data, "action": action}

    @async_action(mode="broadcast")
    async def tell(self, text: str) -> Any:
        return {"text": text}

    @async_action(mode="broadcast", send_response_in_broadcast=False)
    def only_tell(self, text: str) -> Any:
        return {"text": text}

    @async_action(mode="none")
    def quiet(self) -> str:
        return "nobody hears this"

    @async_action
    def stop(self) -> Any:
        raise StopIteration


@pytest.fixture(autouse=True)
def _this_plugin_alone() -> Iterator[None]:
    with registry("async_action"):
        yield


async def test_the_example_of_the_page_is_answered_as_the_page_says() -> None:
    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("your_custom_action", "test_child_route/5/")
    assert reply == {
        "errors": [],
        "action": "your_custom_action",
        "data": {"message": "your_custom_action will be handled", "model_id": 5},
        "route": "test_child_route/5/",
        "status": 200,
    }


async def test_sync_and_async_code_call_an_action() -> None:
    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("through_sync_code", "test_child_route/5/")
        assert reply["data"]["model_id"] == 5
        assert reply["data"]["status"] == 200
        assert reply["data"]["here"] is True
        reply = await client.call("through_async_code", "test_child_route/5/")
        assert reply["data"]["model_id"] == 5


async def test_parameters_are_bound_converted_and_refused_by_path() -> None:
    async with connect(Consumer.as_asgi()) as client:
        forged = {"self": 1, "handler": 2, "scope": {}, "args": [], "kwargs": {}}
        await client.send({"action": "order", "lines": [{"price": 1}], "data": [2], **forged})
        reply = await client.receive()
        assert reply["data"] == {"lines": 1, "data": [2], "action": "order"}
        reply = await client.call("order", lines=[{"price": "x"}])
        assert (reply["status"], reply["data"]) == (400, None)
        assert reply["errors"][0]["field"] == ["lines", 0, "price"]
        reply = await client.call("order", data={"lines": []})
        assert reply["errors"][0]["code"] == "required"
        assert reply["errors"][0]["field"] == ["lines"]


async def test_a_broadcast_reaches_the_group_and_its_sender_gets_its_reply() -> None:
    application = Consumer.as_asgi()
    async with connect(application) as sender, connect(application) as other:
        reply = await sender.call("tell", text="hello")
        assert (reply["status"], reply["data"]) == (200, {"text": "hello"})
        event = {"event": "tell", "data": {"text": "hello"}, "status": 200, "seq": 1}
        assert await other.receive() == event
        assert await sender.receive() == event


async def test_a_broadcast_goes_to_the_group_of_a_route_value() -> None:
    application = Consumer.as_asgi()
    async with connect(application) as sender, connect(application) as other:
        reply = await sender.call("say", "rooms/elsewhere/", text="lost")
        assert reply["status"] == 201
        await sender.call("say", "rooms/lobby/", text="hello")
        event = {"event": "said", "data": {"text": "hello"}, "status": 201, "seq": 1}
        assert await other.receive() == event


async def test_a_sender_may_get_the_event_and_no_reply() -> None:
    async with connect(Consumer.as_asgi()) as client:
        await client.send({"action": "only_tell", "text": "hello", "request_id": 1})
        assert (await client.receive())["event"] == "only_tell"
        reply = await client.call("order", lines=[], request_id=2)
        assert reply["request_id"] == 2


async def test_a_broadcast_that_fails_is_answered() -> None:
    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("only_tell", text=5)
        assert reply["status"] == 400


async def test_mode_none_answers_nobody() -> None:
    async with connect(Consumer.as_asgi()) as client:
        await client.send({"action": "quiet", "request_id": 1})
        assert (await client.call("order", lines=[], request_id=2))["request_id"] == 2


@pytest.mark.django_db(transaction=True)
async def test_an_atomic_action_that_fails_is_rolled_back() -> None:
    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("create", "groups/", name="kept"))["status"] == 204
        assert (await client.call("create_two", "groups/", name="lost"))["status"] >= 400
    assert await run_sync(lambda: [group.name for group in Group.objects.all()]) == ["kept"]


async def test_stop_iteration_is_answered_like_any_bug() -> None:
    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("stop"))["status"] == 500
        assert (await client.call("order", lines=[]))["status"] == 200


def test_an_action_that_cannot_be_bound_stops_the_start() -> None:
    class Unbound(AsyncAPIConsumer):
        @async_action
        def take(self, value: complex) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Unbound\.take, parameter 'value'"):
        Unbound.as_asgi()
