"""Payloads that break a rule of requests: the same for every codec.

A table has, by rule, the status of the reply and the payloads that break the rule: two that break
the same one stand under one name.
"""

from __future__ import annotations

from typing import Any


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def hello(**more: Any) -> dict[str, Any]:
    return {"action": "hello", **more}


def to(route: Any, action: str = "hello") -> dict[str, Any]:
    return {"action": action, "route": route}


#: By rule: a status, and payloads that get it.
SHAPE: dict[str, tuple[int, list[Any]]] = {
    "a request is an object": (400, [[], [hello()], None, 7, "hello", True, 1.5]),
    "a request has an action": (400, [{}, {"route": "child/5/"}, {"Action": "hello"}]),
    "an action is text": (
        400,
        [{"action": each} for each in (None, ["hello"], {"hello": 1}, 7, True, 1.5)],
    ),
    "an action has a name": (405, [{"action": ""}, {"action": " "}]),
    "an action is one that the handler has": (405, [{"action": "x" * 10_000}, {"action": "héllo"}]),
    "an action's name is taken to the letter": (
        405,
        [
            {"action": each}
            for each in ("HELLO", "hello ", " hello", "hello\n", "\uff48ello", "hell\u043e")
        ],
    ),
    "an action's name is no path": (
        405,
        [{"action": each} for each in ("hello.__call__", "child/hello", "../hello", "hello()")],
    ),
    "what Python gives every object is no action": (
        405,
        [{"action": each} for each in ("__init__", "__class__", "__call__", "__dict__")],
    ),
    "a method of the framework is no action": (
        405,
        [
            {"action": each}
            for each in ("as_aaah", "as_asgi", "check_object_permissions", "event_method", "call")
        ],
    ),
    "a method of Channels' consumers is no action": (
        405,
        [
            {"action": each}
            for each in (
                *("send", "send_json", "close", "accept", "connect", "disconnect", "receive"),
                *("dispatch", "websocket_connect", "encode_json"),
            )
        ],
    ),
    "a method without a mark is no action": (405, [{"action": "helper"}, {"action": "another"}]),
    "an attribute is no action": (
        405,
        [{"action": each} for each in ("secret", "scope", "codecs", "limits", "_plan")],
    ),
    "an event method is no action": (405, [{"action": "chat_message"}, {"action": "chat.message"}]),
    "an action belongs to its handler alone": (
        405,
        [to("child/5/", "none"), {"action": "only_below"}],
    ),
    "a route is text": (400, [to(each) for each in (7, None, [], {}, True, 1.5)]),
    "a route has 256 characters at most": (413, [to("x" * 257), to("x" * 20_000), to("é" * 257)]),
    "a route of 256 characters is looked up": (404, [to("x" * 256), to("é" * 256)]),
    "a route leads to a handler": (404, [to("nowhere/"), to("nowhere/?page=2")]),
    "a route is matched to its end": (
        404,
        [to("child/5/more/"), to("child/5/x"), to("child/5/\n")],
    ),
    "a route is matched from its start": (
        404,
        [to("x/child/5/"), to(" child/5/"), to("/child/5/")],
    ),
    "dots in a route mean nothing": (404, [to("child/5/../../"), to("./child/5/"), to("../")]),
    "slashes are neither added nor taken away": (
        404,
        [to("//"), to("/"), to("child//5/"), to("child/5")],
    ),
    "a route is no address": (404, [to("http://["), to("ws://x/child/5/"), to("//x/child/5/")]),
    "a route is not decoded": (404, [to("child%2F5%2F"), to("%63hild/5/"), to("child/%35/")]),
    "a route's letters have a case": (404, [to("CHILD/5/"), to("Child/5/")]),
    "what a converter refuses leads nowhere": (
        404,
        [
            to(f"child/{each}/")
            for each in ("x", "-1", "1.5", "5a", "\u0663", "\uff15", "1_0", "+5", "")
        ],
    ),
    "a backslash is no slash": (404, [to("child\\5\\")]),
    "a request_id is text or an integer": (
        400,
        [hello(request_id=each) for each in ([], {}, True, 1.5, [1])],
    ),
    "a request_id has 128 characters at most": (400, [hello(request_id="x" * 129)]),
    "a request has 100 parameters at most": (
        413,
        [hello(**{f"p{n}": n for n in range(count)}) for count in (101, 5_000)],
    ),
    "a parameter that an action needs is there": (400, [{"action": "take"}]),
    "what stands in data binds nothing": (
        400,
        [{"action": "take", "data": {"value": 1}}, {"action": "take", "data": [["value", 1]]}],
    ),
    "a check that refuses keeps the action from running": (403, [to("closed/")]),
}

#: What one might think breaks a rule, and does not: it is answered as if it were not there.
HARMLESS: dict[str, tuple[int, list[Any]]] = {
    "a key that no action names binds nothing": (
        200,
        [
            hello(**{name: "mine"})
            for name in (
                *("self", "scope", "handler", "consumer", "partial", "args", "kwargs", "call"),
                *("user", "__class__", "cls", "", "errors", "status", "event", "params", "meta"),
            )
        ],
    ),
    "nor does it for a sync action": (200, [{"action": "plain", "self": 1, "handler": 2}]),
    "a route's value wins over the client's": (
        200,
        [{**to("child/5/"), "pk": 6}, {**to("child/5/"), "kwargs": {"pk": 6}, "args": [6]}],
    ),
    "a request of 100 parameters is answered": (200, [hello(**{f"p{n}": n for n in range(100)})]),
    "null is no request_id": (200, [hello(request_id=None)]),
    "an action that returns a set is answered": (200, [{"action": "some"}]),
    "an action that returns nothing is answered": (204, [{"action": "none"}]),
}

#: Bounds that hold for every codec.
BOUNDS: dict[str, tuple[int, list[Any]]] = {
    "text holds no NUL": (
        400,
        [
            {"action": "take", "value": "a\0b"},
            {"action": "hello\0"},
            hello(data=[{"a": ["\0"]}]),
            hello(request_id="\0"),
            to("child/5/\0"),
        ],
    ),
    "a key holds no NUL": (400, [hello(**{"a\0b": 1}), hello(data=[{"\0": 1}])]),
    "a message has 32 levels at most": (
        413,
        [hello(data=nested(each)) for each in (32, 63, 500, 900)],
    ),
    "a message of 32 levels is read": (200, [hello(data=nested(31))]),
    "a message has 10,000 members at most": (
        413,
        [
            hello(data=[0] * 10_001),
            hello(data=[[]] * 10_001),
            hello(data=[{}] * 60_000),
            hello(data={f"k{n}": n for n in range(10_001)}),
            hello(data=[[0] * 100] * 101),
        ],
    ),
    "a message of 9,998 members is read": (200, [hello(data=[0] * 9_998)]),
    "the largest and the smallest integer are read": (
        200,
        [hello(data=2**64 - 1), hello(data=-(2**63))],
    ),
    "a frame of 200,000 characters is read": (200, [hello(data="x" * 200_000)]),
}
