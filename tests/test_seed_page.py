"""The page this project was asked for with, sentence by sentence.

`seed_page/action.txt` is the page. Its code blocks run as they stand, and every sentence of it is
the docstring of the test that holds the project to it.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import socket
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import msgpack
import pytest
import uvicorn
import websockets
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import connection, transaction
from django.urls import path, re_path
from rest_framework import generics
from rest_framework.permissions import IsAuthenticated as IsAuthenticatedOfDRF
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory

import aaah_core
from aaah_core import IsAuthenticated, describe
from aaah_core.testing import connect
from rest_framework_channels import consumers, handlers
from rest_framework_channels.consumers import AsyncAPIConsumer
from rest_framework_channels.decorators import async_action
from rest_framework_channels.handlers import (
    AsyncActionHandler,
    AsyncAPIActionHandler,
    ListCreateAPIActionHandler,
    ModelAPIActionHandler,
    RetrieveUpdateDestroyAPIActionHandler,
)

PAGE = (
    (Path(__file__).parent / "seed_page" / "action.txt")
    .read_text("utf-8")
    .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
)


def _between(first, last):
    begin = PAGE.index(first)
    return PAGE[begin : PAGE.index(last, begin)]


DIAGRAM = _between("group channels", "Generics Action List")
TABLE = dict(
    re.findall(r"(\w+)\n\n([A-Z]+)\n", _between("HTTP request\n\nretrieve", "For more details"))
)
APP = _between("from rest_framework_channels", "After establishing")
REQUEST = ast.literal_eval(_between("{\n    'action'", "the new model").strip().rstrip(","))
RESPONSE = ast.literal_eval(_between("{\n    'errors'", "Important").strip())
SYNC = PAGE[PAGE.index("from asgiref") :]
CALL = {"action": REQUEST["action"], "route": REQUEST["route"]}


def run_block(code, **left_out):
    """Run a code block of the page; `left_out` is what the page does not say."""
    namespace = {"__name__": "page", **left_out}
    exec(compile(code, "action.txt", "exec", dont_inherit=True), namespace)
    return SimpleNamespace(**namespace)


@asynccontextmanager
async def served(application):
    """Serve with uvicorn on a socket of loopback, and give its URL."""
    config = uvicorn.Config(application, ws="websockets-sansio", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws/"
        finally:
            server.should_exit = True
            await serving


def at_ws(consumer_class):
    return URLRouter([path("ws/", consumer_class.as_asgi())])


@pytest.fixture(autouse=True)
def _both_codecs(settings):
    settings.AAAH = {"CODECS": ["json", "msgpack"]}


@pytest.fixture
def page():
    return run_block(APP, re_path=re_path)


class GroupSerializer(ModelSerializer):
    class Meta:
        model = Group
        fields = ("name",)


class Groups:
    """Two attributes, for DRF's views and for handlers."""

    queryset = Group.objects.order_by("name")
    serializer_class = GroupSerializer


# The page as a whole.


def test_every_sentence_of_the_page_is_in_the_docstring_of_a_test():
    prose = PAGE
    messages = (
        _between("{\n    'action'", "the new model"),
        _between("{\n    'errors'", "Important"),
    )
    for code in (DIAGRAM, APP, SYNC, *messages):
        prose = prose.replace(code, "\n\n")
    pieces = re.split(r"(?<=[.!])\s+(?=[A-Z])|\n", prose)
    sentences = [piece.strip() for piece in pieces if piece.strip().endswith((".", "!", ","))]
    comments = re.findall(r"# (?:Note: )?(.*)", PAGE)
    arrows = re.findall(r"^    \S.*", DIAGRAM, re.MULTILINE)
    tests = [item for name, item in globals().items() if name.startswith("test_")]
    said = " ".join(" ".join((test.__doc__ or "").split()) for test in tests)
    wanted = [*sentences, *comments, *map(str.strip, arrows)]
    assert len(wanted) > 20
    assert [each for each in wanted if each not in said] == []


@pytest.mark.parametrize(
    ("subprotocols", "pack", "unpack"),
    [
        (None, json.dumps, json.loads),
        (["aaah.json"], json.dumps, json.loads),
        (["aaah.msgpack"], msgpack.packb, msgpack.unpackb),
    ],
    ids=["JSON by default", "JSON", "MessagePack"],
)
async def test_the_page_s_message_gets_the_page_s_response(page, subprotocols, pack, unpack):
    """After establishing the connection and sending the below json, […] you will get the below
    response."""
    async with (
        served(at_ws(page.ParentConsumer)) as url,
        websockets.connect(url, subprotocols=subprotocols) as client,
    ):
        await client.send(pack(REQUEST))
        response = unpack(await client.recv())
    assert response == RESPONSE
    assert type(response["data"]["model_id"]) is int
    assert RESPONSE == {
        "errors": [],
        "action": "your_custom_action",
        "data": {"message": "your_custom_action will be handled", "model_id": 5},
        "route": "test_child_route/5/",
        "status": 200,
    }


# Action.


async def test_a_message_is_handled_by_the_action_it_names(page):
    """Action is a concept of rest_framework_channels to handle the message."""
    async with connect(page.ParentConsumer.as_asgi()) as client:
        assert await client.call(**CALL) == RESPONSE
        reply = await client.call("another_action", route=REQUEST["route"])
        assert (reply["action"], reply["status"]) == ("another_action", 405)
        await client.send({"route": REQUEST["route"]})
        assert (await client.receive())["status"] == 404  # as that library has it


async def test_an_action_has_what_a_request_method_has_and_any_name():
    """Action is similar with HTTP request method, moreover you can define the original action
    flexibly."""

    class Handler(AsyncAPIActionHandler):
        @async_action
        async def retrieve(self, pk: int, data: dict[str, int]):
            return {"pk": pk, "data": data, "action": self.action}, 203

        @async_action(name="Any name: 本")
        async def original(self):
            return "mine"

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("things/<int:pk>/", Handler.as_aaah())]

    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("retrieve", route="things/7/", data={"a": 1})
        assert reply["data"] == {"pk": 7, "data": {"a": 1}, "action": "retrieve"}
        assert reply["status"] == 203
        assert (await client.call("Any name: 本", route="things/7/"))["data"] == "mine"


async def test_a_message_needs_an_established_connection(page):
    """The client establishes the connection to the server using websocket, first."""
    ran = []

    class Refusing(page.ParentConsumer):
        async def connect(self):
            await self.close()

        @async_action
        async def run(self):
            ran.append(self)

    async with served(at_ws(Refusing)) as url:
        with pytest.raises(websockets.InvalidStatus, match="403"):
            await websockets.connect(url)
        host, port = re.findall(r"//(.*):(\d+)/", url)[0]
        reader, writer = await asyncio.open_connection(host, int(port))
        # A client that does not wait for the answer to its handshake.
        writer.write(
            b"GET /ws/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            b"\x81\x90\0\0\0\0" + b'{"action":"run"}'
        )
        assert (await reader.readline()).split()[1] == b"403"
        writer.close()
        await writer.wait_closed()
    assert ran == []


async def test_one_connection_carries_messages_with_any_actions(page):
    """Once establishing the connection, you can send the messages with any actions."""

    class Consumer(page.ParentConsumer):
        wire = "aaah"  # the page's reply has five keys, and AAAH's own a `request_id` too

        @async_action
        async def add(self, a: int, b: int):
            return a + b

        @async_action
        def shout(self, text: str):
            return text.upper(), 201

    async with (
        served(at_ws(Consumer)) as url,
        websockets.connect(url) as client,
    ):
        for message in (
            REQUEST,
            {"action": "add", "a": 1, "b": 2, "request_id": "x"},
            {"action": "shout", "text": "emma"},
            REQUEST,
        ):
            await client.send(json.dumps(message))
        replies = [json.loads(await client.recv()) for _ in range(4)]
    assert replies[0] == replies[3] == RESPONSE
    assert (replies[1]["data"], replies[1]["request_id"]) == (3, "x")
    assert (replies[2]["data"], replies[2]["status"]) == ("EMMA", 201)


async def test_every_action_is_handled_by_an_action_handler_that_knows_what_a_consumer_knows():
    """All actions will be handled by ActionHandler (detailed in next section) which is similar
    with Consumer."""
    seen = []

    class Handler(AsyncAPIActionHandler):
        @async_action
        async def look(self):
            seen.append((self, self.scope, self.user, self.kwargs, self.action))

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/<int:pk>/", Handler.as_aaah())]
        look = Handler.look

    async with connect(Consumer.as_asgi(), "/ws/", user="Ada") as client:
        await client.call("look")
        await client.call("look", route="child/1/")
    (consumer, *of_consumer), (handler, *of_handler) = seen
    assert isinstance(consumer, AsyncActionHandler)
    assert isinstance(handler, AsyncActionHandler)
    assert handler.consumer is consumer
    assert of_consumer[0].keys() < of_handler[0].keys()
    assert all(of_handler[0][key] is value for key, value in of_consumer[0].items())
    assert of_consumer[1:] == ["Ada", {}, "look"]
    assert of_handler[1:] == ["Ada", {"pk": 1}, "look"]


@pytest.mark.django_db(transaction=True)
async def test_one_handler_has_as_many_actions_as_one_likes():
    """Thanks to ActionHandler, you can handle with all actions very easily."""

    class Handler(Groups, ModelAPIActionHandler):
        @async_action
        async def greet(self, name: str):
            return f"Hello {name}"

        @async_action
        def count(self):
            return self.get_queryset().count()

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("groups/", Handler.as_aaah())]

    async with connect(Consumer.as_asgi()) as client:
        reply = await client.call("create", route="groups/", data={"name": "readers"})
        assert reply["status"] == 201
        assert (await client.call("list", route="groups/"))["data"] == [{"name": "readers"}]
        assert (await client.call("count", route="groups/"))["data"] == 1
        assert (await client.call("greet", route="groups/", name="Emma"))["data"] == "Hello Emma"


# Note.


def _classes(module):
    return [getattr(module, name) for name in module.__all__]


def test_all_handlers_and_consumers_have_one_base_class():
    """Note that all ActionHandlers in rest_framework_channels.handlers and Consumers in
    rest_framework_channels.consumers are inherited from AsyncActionHandler which is the base class
    of ActionHandler."""
    assert handlers.__all__
    assert consumers.__all__
    for each in (*_classes(handlers), *_classes(consumers)):
        assert issubclass(each, AsyncActionHandler)
    assert AsyncActionHandler.__base__ is aaah_core.AsyncActionHandler


async def test_a_consumer_is_a_handler_with_actions_routes_and_permissions_of_its_own(page):
    """Therefore, Consumer is also ActionHandler."""
    assert issubclass(AsyncAPIConsumer, AsyncAPIActionHandler)

    class Consumer(page.ParentConsumer):
        permission_classes = (IsAuthenticated,)
        your_custom_action = page.ChildActionHandler.your_custom_action

    async with connect(Consumer.as_asgi(), user=User(username="Ada")) as client:
        reply = await client.call("your_custom_action", pk=5)
        assert reply == {**RESPONSE, "route": ""}
        assert await client.call(**CALL) == RESPONSE
    async with connect(Consumer.as_asgi(), user=AnonymousUser()) as client:
        assert (await client.call("your_custom_action", pk=5))["status"] == 403
        assert (await client.call(**CALL))["status"] == 403


async def test_connect_is_accepted_an_action_is_answered_and_disconnect_closes(page):
    """
    Client -> Consumer: connect
    return accept

    Client -> Consumer: action
    Consumer -> ActionHandler: action
    return response
    Consumer -> Client: response

    Client -> Consumer: disconnect
    return close
    """
    steps = []
    over = asyncio.Event()

    class Handler(AsyncAPIActionHandler):
        @async_action
        async def act(self):
            steps.append("the handler's action")
            return "response"

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/", Handler.as_aaah())]

        async def connect(self):
            steps.append("connect")
            await self.accept()

        async def disconnect(self, code):
            steps.append(f"disconnect {code}")
            over.set()

    async with served(at_ws(Consumer)) as url:
        client = await websockets.connect(url)
        steps.append("accepted")
        await client.send(json.dumps({"action": "act", "route": "child/"}))
        steps.append(json.loads(await client.recv())["data"])
        await client.close()
        await over.wait()
        assert client.close_code == 1000
    order = ["connect", "accepted", "the handler's action", "response", "disconnect 1000"]
    assert steps == order


# Generics Action List.


def test_there_is_a_generic_handler_for_each_generic_view_with_its_actions():
    """We are ready for generics ActionHandler (such like rest_framework's generics view)."""
    drf_names = {**{action: action for action in TABLE}, "remove": "destroy"}
    views = [name for name in vars(generics) if name.endswith("APIView")]
    for name in set(views) - {"GenericAPIView"}:
        view = getattr(generics, name)
        handler = getattr(handlers, name.replace("View", "ActionHandler"))
        actions = {action for action, drf_name in drf_names.items() if hasattr(view, drf_name)}
        assert _actions_of(handler) - {"destroy"} == actions
    assert len(views) > 9


def _actions_of(handler):
    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("it/", handler.as_aaah())]

    (_, route) = describe(Consumer)["routes"]
    return {action["name"] for action in route["actions"]}


def test_two_attributes_make_a_handler_with_six_actions():
    """Thanks to these generics, you can implement the codes handling with some actions very
    easily."""

    class Handler(ModelAPIActionHandler):
        queryset = Group.objects.all()
        serializer_class = GroupSerializer

    assert _actions_of(Handler) == {*TABLE, "destroy"}  # what that library calls `remove`


def test_the_generic_handler_has_the_interface_of_the_generic_view():
    """And these generics interfaces are almost same as the rest_framework's generics view."""
    handler = handlers.GenericAsyncAPIActionHandler
    for name in ("queryset", "serializer_class", "lookup_field", "lookup_url_kwarg"):
        assert getattr(handler, name) == getattr(generics.GenericAPIView, name)
    for name in (
        "get_queryset",
        "get_object",
        "get_serializer",
        "get_serializer_class",
        "get_serializer_context",
    ):
        of_view = inspect.signature(getattr(generics.GenericAPIView, name))
        more = ["action"] if name == "get_object" else []  # it may be left out
        assert list(inspect.signature(getattr(handler, name)).parameters) == [
            *of_view.parameters,
            *more,
        ]
    for name in ("perform_create", "perform_update", "perform_destroy"):
        assert callable(getattr(ModelAPIActionHandler, name))


@pytest.mark.django_db(transaction=True)
async def test_what_a_view_is_made_of_makes_a_handler():
    """That's why you can implement the websockets code easily!"""

    class Ours:
        queryset = Group.objects.all()
        serializer_class = GroupSerializer

        def get_queryset(self):
            return super().get_queryset().exclude(name="secret")

        def perform_create(self, serializer):
            serializer.save(name=serializer.validated_data["name"].title())

    class View(Ours, generics.ListCreateAPIView):
        pass

    class Handler(Ours, ListCreateAPIActionHandler):
        pass

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("groups/", Handler.as_aaah())]

    await Group.objects.acreate(name="secret")
    over_http = await sync_to_async(_over_http)(View, "POST", {"name": "readers"})
    async with connect(Consumer.as_asgi()) as client:
        over_ws = await client.call("create", route="groups/", data={"name": "writers"})
        listed = await client.call("list", route="groups/")
    assert over_http == (201, {"name": "Readers"})
    assert (over_ws["status"], over_ws["data"]) == (201, {"name": "Writers"})
    assert {each["name"] for each in listed["data"]} == {"Readers", "Writers"}


def _over_http(view_class, method, data, **captured):
    request = getattr(APIRequestFactory(), method.lower())("/", data, format="json")
    response = view_class.as_view()(request, **captured)
    return response.status_code, response.data


def test_the_table_of_generic_actions_is_the_page_s():
    assert TABLE == {
        "retrieve": "GET",
        "list": "GET",
        "create": "POST",
        "update": "PUT",
        "partial_update": "PATCH",
        "remove": "DELETE",
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", TABLE)
@pytest.mark.parametrize("data", [{"name": "new"}, {}], ids=["data", "no data"])
async def test_an_action_does_and_answers_what_its_method_does(action, data):
    """Here is the generic action list corresponding to HTTP request method. […] For more details
    in generics section."""
    ours, theirs = (
        (ListCreateAPIActionHandler, generics.ListCreateAPIView)
        if action in ("list", "create")
        else (RetrieveUpdateDestroyAPIActionHandler, generics.RetrieveUpdateDestroyAPIView)
    )
    view = type("View", (Groups, theirs), {})
    handler = type("Handler", (Groups, ours), {})

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("groups/<slug:pk>/", handler.as_aaah())]

    for pk in ("1", "2"):
        await Group.objects.all().adelete()
        await Group.objects.acreate(pk=1, name="old")
        async with connect(Consumer.as_asgi()) as client:
            reply = await client.call(action, route=f"groups/{pk}/", data=data)
        rows = [each.name async for each in Group.objects.order_by("name")]
        outcome = reply["status"], reply["data"], rows

        await Group.objects.all().adelete()
        await Group.objects.acreate(pk=1, name="old")
        status, body = await sync_to_async(_over_http)(view, TABLE[action], data, pk=pk)
        rows = [each.name async for each in Group.objects.order_by("name")]
        assert outcome == (status, None if status >= 400 else body, rows)


# Define your custom action.


async def test_a_decorated_method_is_an_action_and_no_other_method_is(page):
    """When you want to handle with your custom action, you can define the handler method warapped
    async_action decorator."""

    class Handler(page.ChildActionHandler):
        def not_decorated(self):
            raise AssertionError

    class Consumer(AsyncAPIConsumer):
        routepatterns = [re_path(r"test_child_route/(?P<pk>[-\w]+)/$", Handler.as_aaah())]

    assert _actions_of(Handler) == {"your_custom_action"}
    async with connect(Consumer.as_asgi()) as client:
        assert await client.call(**CALL) == RESPONSE
        for name in ("not_decorated", "__init__", "as_aaah", "check_object_permissions"):
            assert (await client.call(name, route=REQUEST["route"]))["status"] == 405


async def test_the_data_and_the_status_that_an_action_returns_are_the_response_s():
    """you should return the data and status code."""

    class Consumer(AsyncAPIConsumer):
        @async_action
        def as_said(self, status: int):
            return {"said": status}, status

        @async_action
        def data_alone(self):
            return {"said": None}

    async with connect(Consumer.as_asgi()) as client:
        for status in (200, 202, 299):
            reply = await client.call("as_said", status=status)
            assert (reply["data"], reply["status"]) == ({"said": status}, status)
        reply = await client.call("data_alone")
        assert (reply["data"], reply["status"]) == ({"said": None}, 200)


def test_the_name_of_the_method_is_the_name_of_the_action(page):
    """your method name will be action's name directly"""

    class Handler(AsyncAPIActionHandler):
        @async_action()
        def renamed_action(self, pk):
            return pk

    assert _actions_of(page.ChildActionHandler) == {REQUEST["action"]}
    assert _actions_of(Handler) == {"renamed_action"}


@pytest.mark.django_db(transaction=True)
async def test_what_an_action_creates_is_there_when_its_response_arrives(page):
    """After establishing the connection and sending the below json, the new model will be created
    and you will get the below response."""

    class Handler(page.ChildActionHandler):
        @async_action()
        def your_custom_action(self, pk, *args, **kwargs):
            # The page's own method creates nothing: this does, and answers the same.
            Group.objects.create(pk=pk, name="new")
            return {"message": "your_custom_action will be handled", "model_id": pk}, 200

    class Consumer(AsyncAPIConsumer):
        routepatterns = [re_path(r"test_child_route/(?P<pk>[-\w]+)/$", Handler.as_aaah())]

    assert not await Group.objects.aexists()
    async with (
        served(at_ws(Consumer)) as url,
        websockets.connect(url) as client,
    ):
        await client.send(json.dumps(REQUEST))
        assert json.loads(await client.recv()) == RESPONSE
        assert (await Group.objects.aget()).pk == 5


# Important.


async def test_a_decorated_method_is_async(page):
    """As you can guess from the decorator's name async_action, your decorated method will be
    converted into the ASYNC method."""
    method = page.ChildActionHandler.your_custom_action
    assert inspect.iscoroutinefunction(method)
    assert await page.ChildActionHandler().your_custom_action(pk=5) == (RESPONSE["data"], 200)


THE_METHOD = APP[APP.index("    @async_action()") : APP.index("class ParentConsumer")]


@pytest.fixture(params=[IsAuthenticated, IsAuthenticatedOfDRF], ids=["ours", "DRF's"])
def sync_page(page, request):
    """The page's last block, with what its dots stand for."""
    code = SYNC.replace("\n    ...\n", f"\n{THE_METHOD}\n")
    code = re.sub(r"\n        \.\.\.\s*$", "\n        return data, status\n", code)
    assert "..." not in code
    return run_block(
        code,
        IsAuthenticated=request.param,
        AsyncAPIActionHandler=page.AsyncAPIActionHandler,
        async_action=page.async_action,
    )


def test_a_sync_method_calls_an_action_with_async_to_sync(sync_page):
    """That's why when you want to call this method in sync method, you should use async_to_sync in
    asgiref."""
    data, status = sync_page.ChildActionHandler().your_sync_method(5)
    assert (data, status) == (RESPONSE["data"], 200)


def test_the_last_block_also_runs_with_its_dots(page):
    block = run_block(
        SYNC, IsAuthenticated=IsAuthenticated, AsyncAPIActionHandler=page.AsyncAPIActionHandler
    )

    class Handler(block.ChildActionHandler, page.ChildActionHandler):
        pass

    assert Handler().your_sync_method(5) is None
    assert Handler.permission_classes == (IsAuthenticated,)


async def test_permission_classes_let_only_those_in_who_are_logged_in(sync_page):
    class Handler(sync_page.ChildActionHandler):
        @async_action
        def through_sync_code(self, pk):
            return self.your_sync_method(pk)

    class Consumer(AsyncAPIConsumer):
        routepatterns = [re_path(r"test_child_route/(?P<pk>[-\w]+)/$", Handler.as_aaah())]

    route = REQUEST["route"]
    async with connect(Consumer.as_asgi(), user=User(username="Ada")) as client:
        assert await client.call(**CALL) == RESPONSE
        reply = await client.call("through_sync_code", route=route)
        assert (reply["data"], reply["status"]) == (RESPONSE["data"], 200)
    for user in ({"user": AnonymousUser()}, {}):
        async with connect(Consumer.as_asgi(), **user) as client:
            for action in ("your_custom_action", "through_sync_code"):
                reply = await client.call(action, route=route)
                assert (reply["status"], reply["data"]) == (403, None)
                assert reply["errors"] == ["You do not have permission to perform this action."]


@pytest.mark.django_db(transaction=True)
async def test_what_a_sync_method_calls_runs_on_its_thread_and_in_its_transaction(page):
    block = run_block(SYNC, IsAuthenticated=IsAuthenticated,
                      AsyncAPIActionHandler=page.AsyncAPIActionHandler)  # fmt: skip
    seen = []

    class Handler(block.ChildActionHandler):
        @async_action()
        def your_custom_action(self, pk):
            Group.objects.create(pk=pk, name="new")
            seen.append((threading.current_thread(), connection.in_atomic_block))
            return {}, 200

        @async_action
        def undone(self, pk):
            seen.append((threading.current_thread(), connection.in_atomic_block))
            with transaction.atomic():
                self.your_sync_method(pk)
                transaction.set_rollback(True)
            return Group.objects.count()

    class Consumer(AsyncAPIConsumer):
        routepatterns = [re_path(r"test_child_route/(?P<pk>[-\w]+)/$", Handler.as_aaah())]

    async with connect(Consumer.as_asgi(), user=User(username="Ada")) as client:
        reply = await client.call("undone", route=REQUEST["route"])
    (outer, _), (inner, in_transaction) = seen
    assert inner is outer
    assert outer is not threading.main_thread()
    assert in_transaction
    assert (reply["data"], reply["status"]) == (0, 200)


def test_the_page_s_imports_are_the_names_of_this_project(page):
    for name in ("AsyncAPIActionHandler", "AsyncAPIConsumer"):
        assert issubclass(getattr(page, name), getattr(aaah_core, name))
