"""Decorator, exceptions, permissions and settings, as in rest_framework_channels 0.0.7.

Everything here runs against that library as well: it imports nothing but its modules.
"""

from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import override_settings
from rest_framework import permissions as drf
from rest_framework.exceptions import (
    APIException,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    Throttled,
    ValidationError,
)

from rest_framework_channels import (
    exceptions,
    permissions,
    utils,
)
from rest_framework_channels import settings as rfc_settings
from rest_framework_channels.decorators import async_action
from rest_framework_channels.handlers import AsyncActionHandler, AsyncAPIActionHandler

ADA = User(pk=1, username="ada")


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


CONTEXT = {"action": "a", "route": "r"}


def test_the_decorator_marks_and_keeps_what_it_was_given():
    class H(AsyncAPIActionHandler):
        @async_action(
            name="x", mode="broadcast", broadcast_type="a.b", send_response_in_broadcast=False
        )
        async def a(self):
            """A."""

        @async_action()
        def b(self):
            """B."""

    assert H.a.is_action
    assert H.b.is_action
    assert H.a.kwargs == {
        "name": "x",
        "mode": "broadcast",
        "broadcast_type": "a.b",
        "send_response_in_broadcast": False,
    }
    assert H.b.kwargs == {}
    assert asyncio.iscoroutinefunction(H.a)
    assert asyncio.iscoroutinefunction(H.b)
    assert H.b.__name__ == "b"
    assert H.b.__doc__ == "B."
    assert H.available_actions == {"x": "a", "b": "b"}


@pytest.mark.parametrize("mode", ["", "Response", None, 5])
def test_what_is_no_mode_is_refused(mode):
    with pytest.raises(ValueError, match=r"is invalid\. Set mode in"):
        async_action(mode=mode)


async def test_a_sync_action_can_be_awaited_by_itself():
    class H(AsyncAPIActionHandler):
        @async_action()
        def b(self, x, *args, **kwargs):
            return x + 1, 200

    assert await H().b(1) == (2, 200)


@pytest.mark.parametrize(
    ("error", "code", "errors"),
    [
        (
            PermissionDenied(),
            403,
            [{"detail": "You do not have permission to perform this action."}],
        ),
        (PermissionDenied("no"), 403, [{"detail": "no"}]),
        (NotAuthenticated(), 401, [{"detail": "Authentication credentials were not provided."}]),
        (NotFound(), 404, [{"detail": "Not found."}]),
        (ValidationError("x"), 400, ["x"]),
        (ValidationError(["x", "y"]), 400, ["x", "y"]),
        (ValidationError({"x": ["y"]}), 400, [{"x": ["y"]}]),
        (ValidationError({"x": {"y": ["z"]}}), 400, [{"x": {"y": ["z"]}}]),
        (APIException(), 500, [{"detail": "A server error occurred."}]),
        (ValueError("secret"), 500, [{"detail": "A server error occurred."}]),
        (KeyError(), 500, [{"detail": "A server error occurred."}]),
        (
            exceptions.RouteMissingException(),
            404,
            [{"detail": "Unable to find route in message body."}],
        ),
        (
            exceptions.ActionMissingException(),
            404,
            [{"detail": "Unable to find action in message body."}],
        ),
        (
            exceptions.ActionNotAllowed(action="b"),
            405,
            [{"detail": 'Action "b" not allowed in message body.'}],
        ),
        (exceptions.ActionNotAllowed("b", detail="own"), 405, [{"detail": "own"}]),
        (MethodNotAllowed("GET"), 405, [{"detail": 'Method "GET" not allowed.'}]),
    ],
)
async def test_each_exception_has_its_answer_in_production(error, code, errors):
    got = await exceptions.production_exception_handlers(error, dict(CONTEXT))
    assert got == {**CONTEXT, "status": code, "errors": errors}
    assert type(got["status"]) is int
    assert await exceptions.debug_exception_handlers(error, dict(CONTEXT)) is None


async def test_a_throttled_call_is_a_429():
    got = await exceptions.production_exception_handlers(Throttled(5), dict(CONTEXT))
    assert got["status"] == 429


def test_the_exceptions_say_what_they_always_did():
    assert exceptions.ActionMissingException.status_code == 404
    assert exceptions.RouteMissingException.status_code == 404
    assert exceptions.ActionNotAllowed.status_code == 405
    assert exceptions.ActionMissingException.default_code == "not_found"
    assert exceptions.RouteMissingException.default_code == "not_found"
    assert exceptions.ActionNotAllowed.default_code == "method_not_allowed"
    assert (
        exceptions.ActionNotAllowed.default_detail
        == 'Action "{action}" not allowed in message body.'
    )
    assert exceptions.ActionNotAllowed("x").detail == 'Action "x" not allowed in message body.'
    assert isinstance(exceptions.ActionNotAllowed("x"), MethodNotAllowed)
    assert (
        exceptions.ActionNotAllowed("{0} {x}").detail
        == 'Action "{0} {x}" not allowed in message body.'
    )


def test_the_exception_handler_is_found_when_it_is_asked_for():
    h = Child()
    assert h.get_exception_handler() is exceptions.production_exception_handlers
    with override_settings(
        REST_FRAMEWORK_CHANNELS={
            "EXCEPTION_HANDLER": "rest_framework_channels.exceptions.debug_exception_handlers"
        }
    ):
        assert h.get_exception_handler() is exceptions.debug_exception_handlers
    assert AsyncActionHandler.exception_handler is None

    class H(Child):
        def exception_handler(exc, context):
            return {**context, "status": 1, "errors": []}

    f = H().get_exception_handler()
    assert asyncio.iscoroutinefunction(f)
    assert asyncio.run(f(ValueError(), {}))["status"] == 1

    class S(Child):
        exception_handler = staticmethod(exceptions.debug_exception_handlers)

    assert S().get_exception_handler() is exceptions.debug_exception_handlers


async def test_each_permission_answers_by_itself():
    s = {"user": ADA}
    n = {"user": AnonymousUser()}
    for cls in (permissions.AllowAny, permissions.BasePermission):
        p = cls()
        assert await p.has_permission(n, None, "x") is True
        assert await p.has_object_permission(n, None, "x", None) is True
        assert await p.can_connect(n, None) is True
        assert await p.can_connect_by_object_permission(n, None, None) is True
    p = permissions.IsAuthenticated()
    assert await p.has_permission(s, None, "x", y=1)
    for scope in (n, {}, {"user": None}):
        assert not await p.has_permission(scope, None, "x")
        assert await p.can_connect(scope, None)
        assert not await permissions.IsAuthenticatedStrictly().can_connect(
            scope, None, {"type": "websocket.connect"}
        )
    assert await permissions.IsAuthenticatedStrictly().can_connect(s, None)


def test_a_composition_is_made_of_holders():
    a = permissions.AllowAny & permissions.IsAuthenticated
    assert isinstance(a, permissions.OperandHolder)
    assert (a.operator_class, a.op1_class, a.op2_class) == (
        permissions.AND,
        permissions.AllowAny,
        permissions.IsAuthenticated,
    )
    o = permissions.AllowAny | permissions.IsAuthenticated
    assert o.operator_class is permissions.OR
    n = ~permissions.AllowAny
    assert isinstance(n, permissions.SingleOperandHolder)
    assert n.operator_class is permissions.NOT
    assert n.op1_class is permissions.AllowAny
    assert isinstance(a(), permissions.AND)
    assert isinstance(o(), permissions.OR)
    assert isinstance(n(), permissions.NOT)
    assert isinstance(a & n, permissions.OperandHolder)
    assert isinstance(~a, permissions.SingleOperandHolder)
    assert isinstance((a & n)().op2, permissions.NOT)
    assert issubclass(permissions.BasePermissionMetaclass, permissions.OperationHolderMixin)


def test_a_composition_makes_its_operands_with_the_arguments():
    class P(permissions.BasePermission):
        def __init__(self, x=None):
            self.x = x

    made = (P & P)(x=5)
    assert made.op1.x == 5
    assert made.op2.x == 5


async def test_a_wrapped_permission_of_drfs_answers_by_itself():
    seen = []

    class P(drf.BasePermission):
        def has_permission(self, request, view):
            seen.append((request.method, view))
            return True

        def has_object_permission(self, request, view, obj):
            seen.append((request.method, obj))
            return False

    w = permissions.WrappedDRFPermission(P())
    scope = {"type": "websocket", "path": "/", "headers": []}
    assert await w.has_permission(scope, "view", "list") is True
    assert await w.has_permission(scope, "view", "retrieve") is True
    assert await w.can_connect(scope, "view") is True
    assert await w.can_connect_by_object_permission(scope, "view", 5) is False
    assert seen == [("GET", "view"), ("GET", "view"), ("HEAD", "view"), ("HEAD", 5)]
    assert w.mapped_actions["list"] == w.mapped_actions["retrieve"] == "GET"
    assert w.mapped_actions["connect"] == "HEAD"


def test_settings_are_what_was_given_or_what_django_says():
    S = rfc_settings.APISettings
    assert S({"PAGE_SIZE": 1}).PAGE_SIZE == 1
    assert S({}).PAGE_SIZE is None
    with override_settings(REST_FRAMEWORK_CHANNELS={"PAGE_SIZE": 4}):
        assert S({}).PAGE_SIZE == 4
        assert S().PAGE_SIZE == 4
        assert S().user_settings == {"PAGE_SIZE": 4}
    assert [permissions.IsOwner] == S(
        {"DEFAULT_PERMISSION_CLASSES": ["rest_framework_channels.permissions.IsOwner"]}
    ).DEFAULT_PERMISSION_CLASSES
    with pytest.raises(AttributeError, match="Invalid API setting: 'NOPE'"):
        _ = S().NOPE
    with pytest.raises(ImportError, match="Could not import"):
        _ = S({"EXCEPTION_HANDLER": "no.such"}).EXCEPTION_HANDLER
    s = S({"PAGE_SIZE": 1})
    assert s.PAGE_SIZE == 1
    s.reload()
    assert s.PAGE_SIZE is None
    assert rfc_settings.DEFAULTS["DEFAULT_PERMISSION_CLASSES"] == (
        "rest_framework_channels.permissions.AllowAny",
    )
    assert (
        rfc_settings.DEFAULTS["EXCEPTION_HANDLER"]
        == "rest_framework_channels.exceptions.production_exception_handlers"
    )
    assert set(rfc_settings.DEFAULTS) == {
        "DEFAULT_PERMISSION_CLASSES",
        "JSON_ENCODER_CLASS",
        "DEFAULT_PAGINATION_CLASS",
        "DEFAULT_FILTER_BACKENDS",
        "PAGE_SIZE",
        "EXCEPTION_HANDLER",
    }


def test_settings_can_be_read_again():
    rfc_settings.reload_api_settings(setting="OTHER")
    rfc_settings.reload_api_settings(None, setting="REST_FRAMEWORK_CHANNELS", value={}, enter=True)


async def test_methods_become_async():
    def f(a, b=1):
        return a + b

    g = utils.ensure_async(f)
    assert asyncio.iscoroutinefunction(g)
    assert await g(1, b=3) == 4

    class Two:
        def m(self):
            return 5

        async def n(self):
            return 6

    assert await utils.ensure_async(Two().m)() == 5
    assert await utils.ensure_async(Two().n)() == 6


def test_a_request_stands_for_any_scope():
    r = utils.request_from_scope(
        {"type": "websocket", "user": ADA, "path": "/testws", "session": {"a": 1}}
    )
    assert r.path == "/testws"
    assert r.session == {"a": 1}
    assert r._request.user == ADA
    assert r.META["HTTP_CONTENT_TYPE"] == "application/json"
    assert r.META["HTTP_ACCEPT"] == "application/json"
    assert r.META["SERVER_NAME"] == "127.0.0.1"
    assert str(r.META["SERVER_PORT"]) == "80"
    r = utils.request_from_scope({})
    assert r.path is None
    assert r.session is None
    r = utils.request_from_scope({"type": "websocket", "path_remaining": "?page=2"})
    assert r.META["QUERY_STRING"] == "page=2"
    assert r.GET["page"] == "2"
    assert r.query_params["page"] == "2"
    r = utils.request_from_scope({"type": "websocket", "path_remaining": "page=2"})
    assert r.GET["page"] == "2"
    with override_settings(ALLOWED_HOSTS=["example.com", "b"]):
        assert utils.request_from_scope({"type": "websocket"}).get_host() == "example.com"
    r.method = "PUT"
    assert r.method == "PUT"
