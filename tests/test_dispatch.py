"""The way of a message: every request gets one reply, and it has the right status."""

from __future__ import annotations

import asyncio
import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
from django.core import exceptions as django_exceptions
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.test import override_settings
from django.urls import path, re_path

from aaah_core import (
    MISSING,
    AsyncAPIActionHandler,
    BasePermission,
    Busy,
    Call,
    DeadlineExceeded,
    EncodeError,
    Match,
    NotFound,
    PermissionDenied,
    Reply,
    RequestError,
    TooLarge,
    ValidationError,
    outcome,
    to_reply,
    workers,
)
from aaah_core.running import current_running
from aaah_core.testing import Refused, connect, registry
from tests.conftest import Socket, action, collector, consumer, plugin, shown

pytestmark = pytest.mark.usefixtures("core")


@action
async def hello(self):
    return "hello"


async def asked(chat, name="act", **request):
    """Return the reply to one call; a second one must be answered too."""
    async with connect(chat.as_asgi()) as ws:
        reply = await ws.call(name, **request)
        again = await ws.call("hello", request_id="again")
        assert (again["request_id"], again["status"]) == ("again", 200)
        return reply


async def status_of(chat, name="act", **request):
    return (await asked(chat, name, **request))["status"]


def raising(error):
    @action
    async def act(self):
        raise error

    return act


def returning(value):
    @action
    async def act(self):
        return value

    return act


# What an action returns.


class Response:
    def __init__(self, data, status_code):
        self.data = data
        self.status_code = status_code


class Liar(Response):
    @property
    def data(self):
        raise LookupError

    @data.setter
    def data(self, value): ...


@pytest.mark.parametrize(
    ("returned", "data", "status"),
    [
        ({"a": 1}, {"a": 1}, 200),
        (({"a": 1}, 201), {"a": 1}, 201),
        (("x", HTTPStatus.CREATED), "x", 201),
        ((None, 404), None, 404),
        (({"why": "no"}, 400), {"why": "no"}, 400),
        ((1, 100), 1, 100),
        ((1, 599), 1, 599),
        ((1, 99), [1, 99], 200),
        ((1, 600), [1, 600], 200),
        ((1, True), [1, True], 200),
        ((1, 200.0), [1, 200.0], 200),
        ((1, 2, 200), [1, 2, 200], 200),
        ((1,), [1], 200),
        ((), [], 200),
        ([1, 200], [1, 200], 200),
        (True, True, 200),
        (False, False, 200),
        (0, 0, 200),
        ("", "", 200),
        (None, None, 204),
        ({1}, [1], 200),
        (Reply("x", 202), "x", 202),
        (Response({"a": 1}, 201), {"a": 1}, 201),
        (Response({"a": 1}, 403), {"a": 1}, 403),
    ],
    ids=shown,
)
async def test_what_an_action_returns_becomes_data_and_status(returned, data, status):
    reply = await asked(consumer(hello, returning(returned)))
    assert (reply["data"], reply["status"], reply["errors"]) == (data, status, [])


async def test_a_reply_with_errors_has_no_data():
    reply = await asked(consumer(hello, returning(Reply("x", 409, errors=[{"code": "taken"}]))))
    assert reply["errors"] == [{"code": "taken"}]
    assert (reply["data"], reply["status"]) == (None, 409)


async def test_a_reply_that_is_a_part_of_a_stream_says_so():
    assert (await asked(consumer(hello, returning(Reply(1, more=True)))))["more"] is True


@pytest.mark.parametrize("value", [object(), {"a": [object()]}, 2**70, Liar(1, 200)], ids=shown)
async def test_what_nobody_can_carry_is_a_500(value, caplog):
    reply = await asked(consumer(hello, returning(value)), request_id=7)
    assert reply["status"] == 500
    assert reply["data"] is None
    assert reply["request_id"] == 7
    [error] = reply["errors"]
    assert error["id"] in caplog.text
    assert "object" not in error["detail"]


async def test_the_log_names_type_and_place_of_what_nobody_can_carry(caplog):
    await asked(consumer(hello, returning({"rows": [1, object()]})))
    assert "data.rows[1]: a value of type object cannot be sent" in caplog.text


def test_a_result_is_taken_once_and_not_copied():
    reply = Reply(1)
    assert to_reply(reply) is reply


# What it raises.


@pytest.mark.parametrize(
    ("error", "status", "problem"),
    [
        (ValidationError("Too old.", field=["age"]), 400,
         {"code": "invalid", "detail": "Too old.", "field": ["age"]}),
        (PermissionDenied(), 403,
         {"code": "permission_denied",
          "detail": "You do not have permission to perform this action."}),
        (NotFound("No book."), 404, {"code": "not_found", "detail": "No book."}),
        (TooLarge(), 413, {"code": "too_large", "detail": "A value is too large."}),
        (Busy(retry_after=2.5), 503,
         {"code": "busy", "detail": "Too many calls are waiting on this connection.",
          "retry_after": 2.5}),
        (RequestError("Slow down.", code="throttled", status=429, retry_after=3), 429,
         {"code": "throttled", "detail": "Slow down.", "retry_after": 3}),
        (RequestError(), 500, {"code": "error", "detail": "The request failed."}),
        (Http404("secret"), 404, {"code": "not_found", "detail": "Not found."}),
        (django_exceptions.PermissionDenied("secret"), 403,
         {"code": "permission_denied",
          "detail": "You do not have permission to perform this action."}),
        (django_exceptions.ValidationError("Bad.", code="bad"), 400,
         {"code": "bad", "detail": "Bad."}),
        (django_exceptions.ValidationError({"age": ["Old."]}), 400,
         {"code": "invalid", "detail": "Old.", "field": ["age"]}),
        (django_exceptions.ValidationError({"__all__": ["Old."]}), 400,
         {"code": "invalid", "detail": "Old."}),
    ],
)  # fmt: skip
async def test_what_an_action_raises_on_purpose_is_told(error, status, problem):
    reply = await asked(consumer(hello, raising(error)))
    assert (reply["status"], reply["errors"], reply["data"]) == (status, [problem], None)


async def test_several_validation_errors_are_several_objects():
    error = django_exceptions.ValidationError({"a": ["One.", "Two."], "b": ["Three."]})
    reply = await asked(consumer(hello, raising(error)))
    assert [each["field"] for each in reply["errors"]] == [["a"], ["a"], ["b"]]


BUGS = [
    ValueError("secret"),
    KeyError("secret"),
    RecursionError("secret"),
    EncodeError("secret"),
    StopIteration("secret"),
    StopAsyncIteration("secret"),
    asyncio.CancelledError("secret"),
    TimeoutError("secret"),
]


@pytest.mark.parametrize("error", BUGS, ids=repr)
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_bug_is_a_500_with_an_id_and_no_word_of_it(error, kind, caplog):
    @action
    def act(self):
        raise error

    reply = await asked(consumer(hello, act if kind == "sync" else raising(error)), request_id=5)
    [problem] = reply["errors"]
    assert reply["status"] == 500
    assert reply["request_id"] == 5
    assert (problem["code"], problem["detail"]) == ("server_error", "A server error occurred.")
    assert "secret" not in str(reply)
    assert f"Error {problem['id']} in action 'act' of Chat" in caplog.text
    assert "secret" in caplog.text  # the traceback


async def test_with_debug_the_client_is_told_what_it_was():
    with override_settings(DEBUG=True):
        reply = await asked(consumer(hello, raising(ValueError("the moon"))))
    assert reply["errors"][0]["detail"] == "ValueError: the moon"


async def test_a_database_error_lets_the_connections_of_the_async_orm_heal(monkeypatch):
    healed = []

    async def close():
        healed.append(True)

    monkeypatch.setattr(outcome, "close_old_async_connections", close)
    assert await status_of(consumer(hello, raising(OperationalError()))) == 500
    assert healed == [True]


# From frame to handler.


class DriverError(Exception):
    """What a driver of PostgreSQL raises."""

    def __init__(self, name, state):
        super().__init__("host=10.1.2.3 user=me")
        setattr(self, name, state)


@pytest.mark.parametrize("driver", ["sqlstate", "pgcode"])
@pytest.mark.parametrize("error_class", [OperationalError, InterfaceError])
@pytest.mark.parametrize(
    ("state", "status"),
    [(None, 503), ("08006", 503), ("53300", 503), ("57P01", 503), ("57014", 500), ("40P01", 500)],
)
async def test_a_database_that_does_not_answer_is_a_503_and_a_query_that_fails_a_bug(
    driver, error_class, state, status, caplog
):
    error = error_class("host=10.1.2.3 user=me")
    error.__cause__ = DriverError(driver, state)
    reply = await asked(consumer(hello, raising(error)))
    assert reply["status"] == status
    assert "10.1.2.3" not in str(reply)
    assert "10.1.2.3" in caplog.text
    code = {503: "database_unavailable", 500: "server_error"}[status]
    assert [each["code"] for each in reply["errors"]] == [code]


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


# Middleware.


class Recorder:
    """Middleware that notes what passes."""

    def __init__(self, name="m", log=None):
        self.name = name
        self.log = [] if log is None else log

    def plugin(self):
        return plugin(aaah_middleware=lambda handler_class, action: self.around(action))

    def around(self, action):
        async def middleware(call, call_next):
            self.log.append((self.name, "in", action and action.name))
            reply = await call_next(call)
            self.log.append((self.name, "out", reply.status))
            return reply

        return middleware


async def test_middleware_is_outermost_first_in_the_order_of_plugins():
    log = []
    first, second = Recorder("first", log), Recorder("second", log)
    with registry(collector(), first.plugin(), second.plugin()):
        async with connect(consumer(hello).as_asgi()) as ws:
            await ws.call("hello")
    assert log == [
        ("first", "in", "hello"),
        ("second", "in", "hello"),
        ("second", "out", 200),
        ("first", "out", 200),
    ]


class Refusing(BasePermission):
    async def has_permission(self, scope, handler, action, **kwargs):
        return action == "hello"


@pytest.mark.parametrize(
    ("frame", "name", "status"),
    [
        ('{"action": "act"}', "act", 403),
        ('{"action": "hello", "route": "x/"}', None, 404),
        ('{"action": "nothing"}', None, 405),
        ('{"action": "hello", "a": 1, "b": 2, "c": 3}', None, 413),
        (b"\x80", None, 415),
        ("{", None, 400),
        ("[]", None, 400),
        ("{}", None, 400),
        ('{"action": "hello", "request_id": []}', None, 400),
    ],
)
async def test_each_outcome_passes_middleware_as_a_reply_exactly_once(frame, name, status):
    recorder = Recorder()
    chat = consumer(
        hello,
        returning(1),
        permission_classes=[Refusing],
        routepatterns=Tree.routepatterns,
        limits={"parameters": 2},
    )
    with registry(collector(), recorder.plugin()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send_frame(frame)
            assert (await ws.receive())["status"] == status
    assert recorder.log == [("m", "in", name), ("m", "out", status)]


async def test_a_bug_and_its_exception_are_seen_by_middleware_and_not_by_the_client():
    seen = []

    async def middleware(call, call_next):
        reply = await call_next(call)
        seen.append((reply.status, type(reply.exception)))
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        chat = consumer(hello, raising(ValueError("secret")))
        async with connect(chat.as_asgi()) as ws:
            assert "secret" not in str(await ws.call("act"))
            await ws.call("nothing")
    assert seen[0] == (500, ValueError)
    assert seen[1][0] == 405


async def test_who_rejects_is_the_consumer_also_where_a_handler_lacks_the_action():
    seen = []

    async def middleware(call, call_next):
        seen.append(call.handler is call.consumer)
        return await call_next(call)

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        assert await status_of(tree(), "hello", route="deaf/") == 405
    assert seen == [True, True]


async def test_a_middleware_may_run_the_rest_in_a_task_of_its_own():
    async def middleware(call, call_next):
        return await asyncio.create_task(call_next(call))

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        assert await status_of(consumer(hello, raising(ValueError()))) == 500
        assert await status_of(consumer(hello, returning(1))) == 200


async def test_a_bug_of_a_resolver_passes_the_consumers_middleware_too():
    recorder = Recorder()

    def resolver(route, call):
        raise LookupError("secret")

    finds = plugin(aaah_route_resolver=lambda handler_class: resolver)
    with registry(collector(), recorder.plugin(), finds):
        reply = await asked(consumer(hello), "hello", route="x", request_id=3)
    assert (reply["status"], reply["request_id"]) == (500, 3)
    assert recorder.log[:2] == [("m", "in", None), ("m", "out", 500)]


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


async def test_a_middleware_may_answer_by_itself_and_change_what_goes_on():
    async def middleware(call, call_next):
        if call.params.get("stop"):
            return Reply("stopped", 202)
        call.state["mark"] = 1
        reply = await call_next(call)
        reply.data = [reply.data, call.state]
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        async with connect(consumer(hello).as_asgi()) as ws:
            assert (await ws.call("hello", stop=True))["data"] == "stopped"
            assert (await ws.call("hello"))["data"] == ["hello", {"mark": 1}]


async def returns_nonsense(call, call_next):
    return {"status": 200}


async def returns_nothing(call, call_next):
    await call_next(call)


async def raises(call, call_next):
    raise LookupError("secret")


async def cancels_itself(call, call_next):
    raise asyncio.CancelledError("secret")


def plain(call, call_next):
    return Reply("not awaited")


@pytest.mark.parametrize(
    "middleware", [returns_nonsense, returns_nothing, raises, cancels_itself, plain]
)
@pytest.mark.parametrize("frame", ['{"action": "hello"}', "{", '{"action": "nothing"}'])
async def test_a_middleware_that_is_wrong_is_a_500_on_every_way(middleware, frame):
    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        async with connect(consumer(hello).as_asgi()) as ws:
            for _ in range(2):
                await ws.send_frame(frame)
                reply = await ws.receive()
                assert (reply["status"], reply["errors"][0]["code"]) == (500, "server_error")
                assert "secret" not in str(reply)


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


# Exception handlers.


class Wide(Exception):
    pass


class Narrow(Wide):
    pass


async def test_the_nearest_class_handles_and_may_be_async():
    async def narrow(call, error):
        return Reply("narrow", 409)

    def wide(call, error):
        return Reply("wide", 410)

    def anything(call, error):
        return Reply("anything", 418)

    first = plugin(aaah_exception_handlers=lambda: {Narrow: narrow, Exception: anything})
    second = plugin(aaah_exception_handlers=lambda: {Wide: wide, Narrow: wide})
    with registry(collector(), first, second):
        assert await status_of(consumer(hello, raising(Narrow()))) == 409
        assert await status_of(consumer(hello, raising(Wide()))) == 410
        assert await status_of(consumer(hello, raising(OSError()))) == 418
        # It may handle what the core would, too; but a cancel of the action's own is no Exception.
        assert await status_of(consumer(hello, raising(NotFound()))) == 418
        assert await status_of(consumer(hello, raising(asyncio.CancelledError()))) == 500


async def test_a_handler_is_given_the_call_and_its_reply_the_exception():
    seen = []

    def handler(call, error):
        seen.append((call.action, str(error)))
        return Reply(status=409)

    async def middleware(call, call_next):
        reply = await call_next(call)
        seen.append(reply.exception)
        return reply

    error = Wide("it")
    hooks = plugin(
        aaah_exception_handlers=lambda: {Wide: handler}, aaah_middleware=lambda: middleware
    )
    with registry(collector(), hooks):
        await asked(consumer(hello, raising(error)))
    assert seen[:2] == [("act", "it"), error]


@pytest.mark.parametrize("answer", [None, {"status": 200}, 7, "raise", "cancel"], ids=repr)
async def test_an_exception_handler_that_is_wrong_is_a_500(answer):
    async def handler(call, error):
        if answer == "raise":
            raise LookupError("secret")
        if answer == "cancel":
            raise asyncio.CancelledError
        return answer

    # Also where it would be asked about its own fault.
    wrong = plugin(aaah_exception_handlers=lambda: {Exception: handler})
    with registry(collector(), wrong):
        assert await status_of(consumer(hello, raising(Wide()))) == 500


async def test_an_exception_handler_may_raise_what_a_client_may_be_told():
    def handler(call, error):
        raise NotFound("Gone.")

    with registry(collector(), plugin(aaah_exception_handlers=lambda: {Wide: handler})):
        assert await status_of(consumer(hello, raising(Wide()))) == 404


# Checks.


def noting(log, name, answer=True, *, sync=False):
    """Return a permission that notes when, about whom and in which thread it was asked."""

    def note(handler, action):
        log.append((name, type(handler).__name__, action, threading.current_thread()))
        if isinstance(answer, Exception):
            raise answer
        return answer if action == "act" else True

    if sync:

        class Noting(BasePermission):
            def has_permission(self, scope, handler, action, **kwargs):
                return note(handler, action)
    else:

        class Noting(BasePermission):
            async def has_permission(self, scope, handler, action, **kwargs):
                return note(handler, action)

    return Noting


def nested(log, *, sync=False, child=True):
    """Return a consumer with a handler below a handler, each with a check."""

    class Child(AsyncAPIActionHandler):
        permission_classes = [noting(log, "child's", child, sync=sync)]

        @action
        async def act(self):
            log.append(("action", type(self.call.handler).__name__, None, None))

    class Middle(AsyncAPIActionHandler):
        permission_classes = [noting(log, "middle's", sync=sync)]
        routepatterns = [path("child/", Child.as_aaah())]

    return consumer(
        hello,
        permission_classes=[noting(log, "consumer's", sync=sync)],
        routepatterns=[path("middle/", Middle.as_aaah())],
    )


@pytest.mark.parametrize("sync", [False, True])
async def test_the_parents_checks_run_before_the_childs_each_about_its_own_handler(sync):
    log = []
    async with connect(nested(log, sync=sync).as_asgi()) as ws:
        assert (await ws.call("act", route="middle/child/"))["status"] == 204
    assert [entry[:2] for entry in log] == [
        ("consumer's", "Chat"),
        ("middle's", "Middle"),
        ("child's", "Child"),
        ("action", "Child"),
    ]


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize(("answer", "status"), [(False, 403), (LookupError("secret"), 500)])
async def test_a_check_that_refuses_or_raises_keeps_the_action_from_running(sync, answer, status):
    log = []
    chat = nested(log, sync=sync, child=answer)
    reply = await asked(chat, "act", route="middle/child/")
    assert reply["status"] == status
    assert "secret" not in str(reply)
    assert "action" not in [entry[0] for entry in log]


@pytest.mark.parametrize("sync", [False, True])
async def test_a_check_may_raise_what_a_client_may_be_told(sync):
    chat = consumer(
        hello, returning(1), permission_classes=[noting([], "x", NotFound(), sync=sync)]
    )

    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("act"))["status"] == 404


async def test_a_check_sees_the_call_that_runs_on_the_consumer_while_a_child_is_asked_for():
    seen = []

    class Looking(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            seen.append((handler.call.request_id, handler.action, action))
            return True

    class Child(AsyncAPIActionHandler):
        hello = hello

    chat = consumer(
        hello, permission_classes=[Looking], routepatterns=[path("child/", Child.as_aaah())]
    )
    async with connect(chat.as_asgi()) as ws:
        await ws.call("hello", request_id=1)
        await ws.call("hello", route="child/", request_id=2)
    assert seen == [(1, "hello", "hello"), (2, "hello", "hello")]


async def test_sync_checks_and_a_sync_action_share_one_thread_and_it_is_not_the_loops():
    log = []

    @action
    def act(self):
        log.append(("action", None, None, threading.current_thread()))

    checks = [noting(log, "one", sync=True), noting(log, "two", sync=True)]
    async with connect(consumer(act, permission_classes=checks).as_asgi()) as ws:
        await ws.call("act")
    threads = {entry[3] for entry in log}
    assert len(log) == 3
    assert len(threads) == 1
    assert threads != {threading.current_thread()}


async def test_async_checks_and_an_async_action_leave_the_loop_for_no_thread():
    log = []

    @action
    async def act(self):
        log.append(("action", None, None, threading.current_thread()))

    async with connect(consumer(act, permission_classes=[noting(log, "one")]).as_asgi()) as ws:
        await ws.call("act")
    assert {entry[3] for entry in log} == {threading.current_thread()}


async def test_a_sync_check_before_an_async_action_is_asked_in_a_thread():
    log = []

    @action
    async def act(self):
        log.append(("action", None, None, threading.current_thread()))

    checks = [noting(log, "sync", sync=True), noting(log, "async")]
    async with connect(consumer(act, permission_classes=checks).as_asgi()) as ws:
        await ws.call("act")
    threads = {entry[0]: entry[3] for entry in log}
    assert threads["sync"] is not threading.current_thread()
    assert threads["async"] is threads["action"] is threading.current_thread()


async def test_self_call_is_the_running_call_in_a_thread_too():
    @action
    def act(self):
        return [self.call.request_id, self.action]

    async with connect(consumer(act).as_asgi()) as ws:
        assert (await ws.call("act", request_id=9))["data"] == [9, "act"]


# Deadlines.

SHORT = {"limits": {"deadline": 0.01}}


def forever(calls=None):
    """Return an action that ends only when it is cancelled."""

    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        finally:
            if calls is not None:
                calls.append("ended")

    return act


async def test_an_action_over_its_deadline_is_cancelled_and_answered_504(quick):
    calls = []
    reply = await asked(consumer(hello, forever(calls), **SHORT), request_id=1)
    assert (reply["status"], reply["request_id"]) == (504, 1)
    assert reply["errors"][0]["code"] == "deadline_exceeded"
    assert "outcome is unknown" in reply["errors"][0]["detail"]
    assert calls == ["ended"]


async def test_a_sync_action_over_its_deadline_is_answered_504_while_its_thread_runs_on(quick):
    go_on, ended = threading.Event(), threading.Event()

    @action
    def act(self):
        go_on.wait(5)
        ended.set()

    async with connect(consumer(hello, act, **SHORT).as_asgi()) as ws:
        assert (await ws.call("act"))["status"] == 504
        assert not ended.is_set()
        go_on.set()
        assert (await ws.call("hello"))["status"] == 200
        assert ended.is_set()


async def test_an_action_that_turns_the_cancel_into_an_error_is_answered_504(quick):
    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError from None

    assert await status_of(consumer(hello, act, **SHORT)) == 504


async def test_an_action_that_swallows_the_cancel_is_answered_with_what_it_returned(quick):
    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"

    reply = await asked(consumer(hello, act, **SHORT))
    assert (reply["data"], reply["status"]) == ("late", 200)


async def test_an_action_may_await_while_it_cleans_up_after_its_deadline(quick):
    cleaned = []

    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        finally:
            await quick(3)
            cleaned.append(True)

    assert await status_of(consumer(hello, act, **SHORT)) == 504
    assert cleaned == [True]


async def test_after_its_deadline_a_task_is_as_if_nobody_had_cancelled_it(quick):
    """Or what a middleware does next, with a `TaskGroup` say, would be cancelled too."""
    counts = []

    async def middleware(call, call_next):
        reply = await call_next(call)
        counts.append((reply.status, asyncio.current_task().cancelling()))
        return reply

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        assert await status_of(consumer(hello, forever(), **SHORT)) == 504
    assert counts == [(504, 0), (200, 0)]


async def test_an_action_with_a_timeout_of_its_own_is_its_own_matter(quick):
    @action
    async def act(self):
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "in time"

    chat = consumer(hello, act, limits={"deadline": 5})
    assert (await asked(chat))["data"] == "in time"


async def test_the_tasks_of_a_group_are_cancelled_with_their_action(quick):
    ended = []

    async def child():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    @action
    async def act(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            group.create_task(child())

    assert await status_of(consumer(hello, act, **SHORT)) == 504
    assert ended == [True, True]


async def waits_for_ever(call, call_next):
    if call.params.get("wait"):
        await asyncio.Event().wait()
    return await call_next(call)


@pytest.mark.parametrize("name", ["hello", "nothing"])
async def test_a_middleware_over_the_deadline_is_answered_504_on_every_way(quick, name):
    with registry(collector(), plugin(aaah_middleware=lambda: waits_for_ever)):
        assert await status_of(consumer(hello, **SHORT), name, wait=True) == 504


async def test_a_middleware_around_a_malformed_message_has_the_deadline_too(quick):
    async def middleware(call, call_next):
        if call.action is None:
            await asyncio.Event().wait()
        return await call_next(call)

    with registry(collector(), plugin(aaah_middleware=lambda: middleware)):
        async with connect(consumer(hello, **SHORT).as_asgi()) as ws:
            await ws.send_frame("{")
            assert (await ws.receive())["status"] == 504
            assert (await ws.call("hello"))["status"] == 200


async def test_a_resolver_over_the_deadline_is_answered_504(quick):
    async def resolver(route, call):
        await asyncio.Event().wait()

    with registry(collector(), plugin(aaah_route_resolver=lambda: resolver)):
        assert await status_of(consumer(hello, **SHORT), "hello", route="x") == 504


async def test_a_check_over_the_deadline_is_answered_504_and_the_action_does_not_run(quick):
    ran = []

    class Slow(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            if action == "act":
                await asyncio.Event().wait()
            return True

    @action
    async def act(self):
        ran.append(True)

    assert await status_of(consumer(hello, act, permission_classes=[Slow], **SHORT)) == 504
    assert ran == []


async def test_an_exception_handler_over_the_deadline_is_answered_504(quick):
    async def handler(call, error):
        await asyncio.Event().wait()

    chat = consumer(hello, raising(Wide()), **SHORT)
    with registry(collector(), plugin(aaah_exception_handlers=lambda: {Wide: handler})):
        assert await status_of(chat) == 504


async def test_a_deadline_may_be_handled_like_any_other_error(quick):
    def handler(call, error):
        return Reply("too slow", 408)

    late = plugin(aaah_exception_handlers=lambda: {DeadlineExceeded: handler})
    with registry(collector(), late):
        assert await status_of(consumer(hello, forever(), **SHORT)) == 408


async def test_an_action_that_awaits_a_cancelled_future_has_a_bug_and_no_more():
    @action
    async def act(self):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    assert await status_of(consumer(hello, act)) == 500


@pytest.mark.parametrize("beside_ours", [False, True])
async def test_a_cancel_of_the_servers_ends_the_connection_even_beside_ours(beside_ours):
    begun, gone, running = asyncio.Event(), [], []

    @action
    async def act(self):
        running.append(current_running.get())
        begun.set()
        await asyncio.Event().wait()

    async def disconnect(self, code):
        gone.append(code)

    chat = consumer(hello, act, disconnect=disconnect)
    async with Socket(chat.as_asgi()) as socket:
        await socket.get(0)
        socket.put('{"action": "act"}')
        await begun.wait()
        if beside_ours:
            running[0].cancel("deadline")
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
    assert gone == [1006]
    assert len(socket.sent) == 1  # the accept


@pytest.mark.parametrize("raises", [False, True])
async def test_a_cancel_of_the_servers_that_an_action_swallows_ends_the_connection_after_it(raises):
    begun, gone = asyncio.Event(), []

    @action
    async def act(self):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if raises:
                raise ValueError from None
            return "stays"

    async def disconnect(self, code):
        gone.append(code)

    async with Socket(consumer(act, disconnect=disconnect).as_asgi()) as socket:
        await socket.get(0)
        socket.put('{"action": "act"}')
        await begun.wait()
        socket.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.task
    assert ('"status":500' if raises else "stays") in socket.sent[1]["text"]
    assert gone == [1006]


# Batches, for wires that have them.


def batching():
    """Return the plugin of a wire that knows lists of requests."""

    def parse(payload):
        if isinstance(payload, list):
            return [one(each) for each in payload]
        return one(payload)

    def one(each):
        if not isinstance(each, dict):
            return ValidationError("No request.", call=Call(None, None, request_id=0))
        call = Call(each["action"], params=each, request_id=each.get("id", MISSING))
        call.wants_reply = "id" in each
        return call

    def shape(call, reply):
        return {"id": call.request_id or None, "status": reply.status, "data": reply.data}

    def mine(answer):
        return lambda consumer_class: answer if consumer_class.wire == "batch" else None

    return plugin(aaah_request_parser=mine(parse), aaah_response_shaper=mine(shape))


async def replies(chat, *requests):
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send(list(requests))
            return await ws.receive()


async def test_each_call_of_a_batch_is_answered_in_one_frame():
    chat = consumer(hello, returning(object()), raising(ValueError()), wire="batch")
    chat.bad = action(name="bad")(returning(object()))
    answers = await replies(
        chat,
        {"action": "hello", "id": 1},
        {"action": "hello"},
        {"action": "act", "id": 2},
        7,
        {"action": "nothing", "id": 3},
        {"action": "bad", "id": 4},
    )
    assert [(each["id"], each["status"]) for each in answers] == [
        (1, 200),
        (2, 500),
        (None, 400),
        (3, 405),
        (4, 500),
    ]


async def test_a_batch_that_the_inbox_does_not_hold_is_refused_call_by_call(quick):
    begun, go_on = asyncio.Event(), asyncio.Event()

    @action
    async def act(self):
        begun.set()
        await go_on.wait()

    chat = consumer(hello, act, wire="batch", limits={"inbox": 1})
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send({"action": "act", "id": 1})
            await begun.wait()
            await ws.send({"action": "hello", "id": 2})
            await ws.send([{"action": "hello", "id": 3}, 7, {"action": "hello"}])
            refusals = await ws.receive()
            go_on.set()
            statuses = [(await ws.receive())["status"] for _ in range(2)]
    assert [(each["id"], each["status"]) for each in refusals] == [(3, 503), (None, 400)]
    assert statuses == [204, 200]


async def test_a_batch_that_wants_no_reply_gets_none():
    with registry(collector(), batching()):
        async with connect(consumer(hello, wire="batch").as_asgi()) as ws:
            await ws.send([{"action": "hello"}, {"action": "nothing"}])
            await ws.send({"action": "hello", "id": 1})
            assert (await ws.receive())["id"] == 1


async def test_each_call_of_a_batch_has_its_own_deadline(quick):
    chat = consumer(hello, forever(), wire="batch", **SHORT)
    answers = await replies(
        chat,
        {"action": "act", "id": 1},
        {"action": "nothing", "id": 2},
        {"action": "hello", "id": 3},
    )
    assert [each["status"] for each in answers] == [504, 405, 200]


async def test_a_batch_of_too_many_calls_is_one_413_and_none_of_them_runs():
    ran = []

    @action
    async def act(self):
        ran.append(True)

    chat = consumer(act, wire="batch", limits={"batch": 3})
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send([{"action": "act", "id": number} for number in range(1, 5)])
            assert (await ws.receive())["status"] == 413
            assert ran == []
            await ws.send([{"action": "act", "id": number} for number in range(1, 4)])
            assert [each["status"] for each in await ws.receive()] == [204] * 3
    assert len(ran) == 3


async def test_calls_of_a_batch_whose_replies_are_too_large_together_do_not_run():
    ran = []

    @action
    async def act(self):
        ran.append(True)
        return "x" * 400

    chat = consumer(act, wire="batch", limits={"outbox_bytes": 500})
    answers = await replies(chat, *({"action": "act", "id": number} for number in range(1, 5)), 7)
    assert [each["status"] for each in answers] == [200, 200, 413, 413, 400]
    assert len(ran) == 2


async def test_a_thread_that_outlives_a_call_of_a_batch_runs_beside_no_other(quick):
    go_on, log = threading.Event(), []

    @action(sync=True)
    def wait(self):
        go_on.wait(10)
        log.append("ended")

    @action
    async def after(self):
        log.append("after")

    chat = consumer(wait, after, wire="batch", limits={"deadline": 0.05})
    with registry(collector(), batching()):
        async with connect(chat.as_asgi()) as ws:
            await ws.send([{"action": "wait", "id": 1}, {"action": "after", "id": 2}])
            await quick(10)  # by then it is over its deadline
            go_on.set()
            assert [each["status"] for each in await ws.receive()] == [504, 204]
    assert log == ["ended", "after"]


async def test_a_reply_that_is_too_deep_only_within_its_batch_costs_the_others_nothing():
    @action
    async def act(self):
        nested = []
        for _ in range(98):
            nested = [nested]
        return nested

    answers = await replies(
        consumer(hello, act, wire="batch"),
        {"action": "act", "id": 1},
        {"action": "hello", "id": 2},
    )
    assert [(each["id"], each["status"]) for each in answers] == [(1, 500), (2, 200)]


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


# Middleware that does more than to look on.


async def test_a_middleware_may_pass_on_a_copy_of_the_call():
    async def copies(call, call_next):
        mine = copy.copy(call)
        mine.state = {"seen": True}
        return await call_next(mine)

    with registry(collector(), plugin(aaah_middleware=lambda: copies)):
        assert await status_of(consumer(hello, raising(PermissionDenied()))) == 403


async def test_an_outer_middleware_sees_what_an_inner_one_raised_as_a_reply():
    seen = []

    async def looks_on(call, call_next):
        seen.append((reply := await call_next(call)).status)
        return reply

    async def raises(call, call_next):
        raise LookupError

    plugins = [plugin(aaah_middleware=lambda each=each: each) for each in (looks_on, raises)]
    with registry(collector(), *plugins):
        async with connect(consumer(hello).as_asgi()) as ws:
            assert (await ws.call("hello"))["status"] == 500
    assert seen == [500]


async def test_a_middleware_may_run_the_rest_in_a_task_of_its_own_and_cancel_it():
    ended = []

    @action
    async def act(self):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def hurries(call, call_next):
        if call.action != "act":
            return await call_next(call)
        try:
            return await asyncio.wait_for(asyncio.create_task(call_next(call)), 0.01)
        except TimeoutError:
            return Reply(status=504, errors=[{"code": "hurried", "detail": "Too slow."}])

    with registry(collector(), plugin(aaah_middleware=lambda: hurries)):
        reply = await asked(consumer(hello, act))
    assert (reply["status"], reply["errors"][0]["code"], ended) == (504, "hurried", [True])


async def test_a_call_that_got_no_worker_in_time_never_began_and_says_so(quick, monkeypatch):
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(workers, "_pool", lambda: pool)
    free = threading.Event()
    pool.submit(free.wait, 5)
    ran = []

    @action
    def act(self):
        ran.append(True)

    try:
        async with connect(consumer(act, limits={"deadline": 0.01}).as_asgi()) as ws:
            reply = await ws.call("act")
            assert (reply["status"], reply["errors"][0]["code"]) == (503, "busy")
    finally:
        free.set()
        pool.shutdown()
    assert ran == []


async def test_an_action_does_not_begin_once_its_check_has_passed_the_deadline(quick):
    go_on, ran = threading.Event(), []

    class Slow(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            return go_on.wait(5)

    @action
    def act(self):
        ran.append(True)

    chat = consumer(act, permission_classes=(Slow,), limits={"deadline": 0.3})
    async with connect(chat.as_asgi()) as ws:
        assert (await ws.call("act"))["status"] == 504
        go_on.set()
    assert ran == []


@pytest.mark.parametrize(
    "error",
    [django_exceptions.BadRequest("secret"), django_exceptions.SuspiciousOperation("secret")],
)
async def test_what_django_calls_a_bad_request_is_a_400_that_shows_nothing(error):
    reply = await asked(consumer(hello, raising(error)))
    assert (reply["status"], reply["errors"][0]["code"]) == (400, "bad_request")
    assert "secret" not in str(reply)
