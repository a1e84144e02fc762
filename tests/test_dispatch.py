"""The way of a message: every request gets one reply, and it has the right status."""

from __future__ import annotations

import asyncio

import pytest
from django.urls import path, re_path

from aaah_core import AsyncAPIActionHandler, Call, Match, PermissionDenied, Reply
from aaah_core.testing import Refused, connect, registry
from tests.calls import asked, hello, returning, status_of
from tests.conftest import action, collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


# From frame to handler.


async def test_an_action_that_is_not_there_is_a_405_and_the_reply_repeats_the_request():
    reply = await asked(consumer(hello), "nothing", request_id="x")
    assert reply == {
        "errors": [{"code": "action_not_found", "detail": "There is no such action here."}],
        "data": None,
        "action": "nothing",
        "route": "",
        "status": 405,
        "request_id": "x",
    }


class Leaf(AsyncAPIActionHandler):
    @action
    async def where(self, *args, **kwargs):
        return [type(self).__name__, list(self.args), dict(self.kwargs)]


class Branch(AsyncAPIActionHandler):
    routepatterns = [path("leaf/<slug:name>/", Leaf.as_aaah())]
    where = Leaf.where


class Deaf(AsyncAPIActionHandler):
    pass


class Tree:
    routepatterns = [
        path("branch/<int:pk>/", Branch.as_aaah()),
        re_path(r"plain/(\w+)/(\w+)", Leaf.as_aaah()),
        path("deaf/", Deaf.as_aaah()),
    ]


def tree(**attributes):
    return consumer(hello, routepatterns=Tree.routepatterns, where=Leaf.where, **attributes)


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ("", ["Chat", [], {}]),
        ("?page=2", ["Chat", [], {}]),
        ("branch/5/", ["Branch", [], {"pk": 5}]),
        ("branch/5/?page=2", ["Branch", [], {"pk": 5}]),
        ("branch/5/leaf/ivy/", ["Leaf", [], {"pk": 5, "name": "ivy"}]),
        ("plain/a/b", ["Leaf", ["a", "b"], {}]),
    ],
)
async def test_a_route_leads_to_its_handler(route, found):
    reply = await asked(tree(), "where", route=route)
    assert (reply["data"], reply["route"]) == (found, route)


@pytest.mark.parametrize(
    "route",
    ["x", "/", "branch", "branch/5", "branch/five/", "branch/5/leaf/", "branch/5/x/", "deaf/x/",
     "/branch/5/", " ", "branch/5/#x", "branch/%35/"],
)  # fmt: skip
async def test_a_route_that_leads_nowhere_is_a_404_and_no_action_of_anyone_runs(route):
    reply = await asked(tree(), "where", route=route)
    assert (reply["status"], reply["data"], reply["route"]) == (404, None, route)
    assert reply["errors"][0]["field"] == ["route"]


async def test_an_action_of_the_consumer_is_no_action_of_its_handlers():
    assert await status_of(tree(), "where", route="deaf/") == 405


async def test_a_route_that_is_too_long_is_a_413():
    chat = tree(limits={"route_length": 20})
    assert await status_of(chat, "where", route="x" * 21) == 413
    assert await status_of(chat, "where", route="x" * 20) == 404
    assert await status_of(chat, "where", route="?" + "x" * 19) == 200


async def test_too_many_parameters_are_a_413():
    chat = consumer(hello, limits={"parameters": 2})
    assert await status_of(chat, "hello", a=1, b=2) == 200
    assert await status_of(chat, "hello", a=1, b=2, c=3) == 413


async def test_a_handler_lives_for_one_call_and_the_consumer_for_the_connection():
    seen = []

    class Fleeting(AsyncAPIActionHandler):
        @action
        async def who(self):
            seen.append((self, self.consumer, self.parent, self.call.handler, self.action))

    chat = consumer(hello, routepatterns=[path("f/", Fleeting.as_aaah())])
    async with connect(chat.as_asgi(), user="ann") as ws:
        await ws.call("who", route="f/")
        await ws.call("who", route="f/")
    (one, owner, parent, handler, name), (two, other_owner, *_) = seen
    assert one is not two
    assert owner is other_owner is parent
    assert isinstance(owner, chat)
    assert handler is one
    assert name == "who"
    assert one.user == one.call.user == owner.user == "ann"
    assert one.scope is owner.scope


# Resolvers.


async def test_a_resolver_may_refuse_with_an_error_of_its_own():
    def resolver(route, call):
        raise PermissionDenied("Not for you.")

    with registry(collector(), plugin(aaah_route_resolver=lambda: resolver)):
        assert await status_of(consumer(hello), "hello", route="x") == 403


async def test_resolvers_are_tried_in_turn_the_default_last_and_may_be_async():
    async def later(route, call):
        return Match(Leaf, args=("later",)) if route == "later" else None

    def never(route, call):
        return None

    def first(route, call):
        return Match(Leaf, args=("first",)) if route.startswith("plain/") else None

    class Last:
        """An object that has to wait, for a way that goes on, and for one that ends here."""

        async def __call__(self, route, call):
            if route == "here":
                return Match(chat)
            return Match(Branch, rest="leaf/ivy/") if route == "onwards" else None

    def resolver(each):
        return plugin(
            aaah_route_resolver=lambda handler_class: each if handler_class is chat else None
        )

    chat = tree()
    every = map(resolver, (never, later, first, Last()))
    with registry(collector(), *every):
        assert (await asked(chat, "where", route="later"))["data"][1] == ["later"]
        assert (await asked(chat, "where", route="onwards"))["data"][0] == "Leaf"
        assert (await asked(chat, "where", route="here"))["data"][0] == "Chat"
        assert (await asked(chat, "where", route="plain/a/b"))["data"][1] == ["first"]
        assert (await asked(chat, "where", route="branch/5/"))["data"][0] == "Branch"
        assert await status_of(chat, "where", route="nowhere") == 404


# Ids of requests.


@pytest.mark.parametrize("request_id", ["", "x", "x" * 128, 0, -5, 2**63])
async def test_a_request_id_is_repeated(request_id):
    assert (await asked(consumer(hello), "hello", request_id=request_id))[
        "request_id"
    ] == request_id


async def test_without_a_request_id_the_reply_has_none_and_null_is_none():
    assert "request_id" not in await asked(consumer(hello), "hello")
    reply = await asked(consumer(hello), "hello", request_id=None)
    assert (reply["status"], "request_id" in reply) == (200, False)


@pytest.mark.parametrize("request_id", [True, 1.5, [], {}, "x" * 129])
async def test_any_other_request_id_is_a_400_without_one(request_id):
    reply = await asked(consumer(hello), "hello", request_id=request_id)
    assert (reply["status"], "request_id" in reply) == (400, False)
    assert reply["errors"][0]["field"] == ["request_id"]
    assert reply["action"] == "hello"


async def test_an_action_that_answers_nobody_answers_nobody_whatever_goes_wrong():
    ran = asyncio.Event()

    @action(mode="none")
    async def quietly(self, fail=False):
        ran.set()
        if fail:
            raise ValueError

    async def refuses(call, call_next):
        return Reply(status=429) if call.params.get("stop") else await call_next(call)

    with registry(collector(), plugin(aaah_middleware=lambda: refuses)):
        async with connect(consumer(hello, quietly).as_asgi()) as ws:
            await ws.send({"action": "quietly", "request_id": 1})
            await ws.send({"action": "quietly", "fail": True, "request_id": 2})
            await ws.send({"action": "quietly", "stop": True, "request_id": 3})
            assert (await ws.call("hello", request_id=4))["request_id"] == 4
    assert ran.is_set()


# Shapers and codecs that fail.


def shaping(shape):
    from aaah_core.defaults.wire import parse

    def mine(answer):
        return lambda consumer_class: answer if consumer_class.wire == "own" else None

    return plugin(aaah_request_parser=mine(parse), aaah_response_shaper=mine(shape))


async def test_a_shaper_that_raises_is_a_500():
    def shape(call, reply):
        if reply.status == 200:
            raise LookupError
        return [call.action, reply.status]

    with registry(collector(), shaping(shape)):
        async with connect(consumer(hello, wire="own").as_asgi()) as ws:
            await ws.send({"action": "hello"})
            assert await ws.receive() == ["hello", 500]


async def test_a_shaper_that_returns_none_sends_nothing():
    def shape(call, reply):
        return None if call.action == "act" else call.action

    with registry(collector(), shaping(shape)):
        async with connect(consumer(hello, returning(1), wire="own").as_asgi()) as ws:
            await ws.send({"action": "act"})
            await ws.send({"action": "hello"})
            assert await ws.receive() == "hello"


async def test_a_shaper_that_cannot_even_shape_a_bug_is_logged_and_closes(caplog):
    def shape(call, reply):
        if call.action == "act":
            raise LookupError
        return call.action

    with registry(collector(), shaping(shape)):
        async with connect(consumer(hello, returning(1), wire="own").as_asgi()) as ws:
            await ws.send({"action": "act"})
            with pytest.raises(Refused) as caught:  # a client must not wait for ever
                await ws.receive()
    assert caught.value.code == 4503
    assert "Chat cannot reply at all" in caplog.text


async def test_a_parser_or_a_codec_with_a_bug_is_a_500():
    def parse(payload):
        raise LookupError("secret")

    def shape(call, reply):
        return {"status": reply.status, "errors": reply.errors}

    def mine(answer):
        return lambda consumer_class: answer if consumer_class.wire == "own" else None

    wrong = plugin(aaah_request_parser=mine(parse), aaah_response_shaper=mine(shape))
    with registry(collector(), wrong):
        async with connect(consumer(hello, wire="own").as_asgi()) as ws:
            for _ in range(2):
                await ws.send({})
                reply = await ws.receive()
                assert reply["status"] == 500
                assert "secret" not in str(reply)


def test_a_call_says_whose_it_is():
    assert Call("x", scope={"user": "ann"}).user == "ann"
    assert Call("x", scope={}).user is None
