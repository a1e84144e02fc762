"""JSON-RPC 2.0: the specification's own examples, codes, ids, batches, events, and a client."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonrpcclient
import pytest
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, Reply, RequestError, apublish
from aaah_core.testing import assert_plugin_conforms, connect, live_server
from aaah_jsonrpc.responses import code_of

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


class Shelf(AsyncAPIActionHandler):
    @async_action
    async def put(self, pk: int, title: str, data: dict | None = None):
        return {"pk": pk, "title": title, "data": data}, 201

    @async_action
    async def take(self, pk: int):
        return {"left": 0}, 409


class Desk(AsyncAPIConsumer):
    wire = "jsonrpc"
    routepatterns = [path("shelf/<int:pk>/", Shelf.as_aaah())]
    heard: list

    @async_action
    async def subtract(self, minuend: int, subtrahend: int):
        return minuend - subtrahend

    @async_action
    async def sum(self, a: int, b: int, c: int):
        return a + b + c

    @async_action
    async def get_data(self):
        return ["hello", 5]

    @async_action
    async def update(self, a: int, b: int, c: int, d: int, e: int):
        type(self).heard.append([a, b, c, d, e])

    @async_action
    async def notify_hello(self, number: int):
        type(self).heard.append(number)

    @async_action
    async def fail(self, status: int):
        raise RequestError("It failed.", status=status)

    @async_action
    async def bug(self):
        return 1 / 0

    @async_action
    async def nothing(self):
        return None

    @async_action
    async def odd(self):
        return object()


class Plain(AsyncAPIConsumer):
    routepatterns = Desk.routepatterns

    @async_action
    async def subtract(self, minuend: int, subtrahend: int):
        return minuend - subtrahend


@pytest.fixture(autouse=True)
def heard():
    Desk.heard = []
    return Desk.heard


async def exchange(frame, consumer=Desk):
    """Return what a frame is answered with, or None; what follows it shows that no more came."""
    async with connect(consumer.as_asgi()) as client:
        await client.send_frame(frame if isinstance(frame, str) else json.dumps(frame))
        await client.send({"jsonrpc": "2.0", "method": "get_data", "id": "the last"})
        answer = json.loads(await client.receive_frame())
        if answer == {"jsonrpc": "2.0", "result": ["hello", 5], "id": "the last"}:
            return None
        assert json.loads(await client.receive_frame())["id"] == "the last"
        return answer


def request(method, params=None, **more):
    return {
        "jsonrpc": "2.0",
        "method": method,
        **({} if params is None else {"params": params}),
        **more,
    }


async def code(payload):
    answer = await exchange(payload)
    assert "result" not in answer
    return answer["error"]["code"]


def test_the_plugin_conforms():
    assert_plugin_conforms("jsonrpc")


# The examples of the specification's section 7, in its order and its words.

EXAMPLES = """
rpc call with positional parameters
--> {"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}
<-- {"jsonrpc": "2.0", "result": 19, "id": 1}

rpc call with positional parameters, the other way round
--> {"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}
<-- {"jsonrpc": "2.0", "result": -19, "id": 2}

rpc call with named parameters
--> {"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}
<-- {"jsonrpc": "2.0", "result": 19, "id": 3}

rpc call with named parameters, in another order
--> {"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}
<-- {"jsonrpc": "2.0", "result": 19, "id": 4}

a Notification
--> {"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}
<--

a Notification of a method that is not there
--> {"jsonrpc": "2.0", "method": "foobar"}
<--

rpc call of non-existent method
--> {"jsonrpc": "2.0", "method": "foobar", "id": "1"}
<-- {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}

rpc call with invalid JSON
--> {"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]
<-- {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}

rpc call with invalid Request object
--> {"jsonrpc": "2.0", "method": 1, "params": "bar"}
<-- {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}

rpc call Batch, invalid JSON
--> [
  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
  {"jsonrpc": "2.0", "method"
]
<-- {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}

rpc call with an empty Array
--> []
<-- {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}

rpc call with an invalid Batch (but not empty)
--> [1]
<-- [
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]

rpc call with invalid Batch
--> [1,2,3]
<-- [
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]

rpc call Batch
--> [
    {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
    {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
    {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
    {"foo": "boo"},
    {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
    {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
]
<-- [
    {"jsonrpc": "2.0", "result": 7, "id": "1"},
    {"jsonrpc": "2.0", "result": 19, "id": "2"},
    {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
    {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
    {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
]

rpc call Batch (all notifications)
--> [
    {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
    {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
]
<--
"""
CASES = {
    name: messages.split("\n<--")
    for name, messages in (case.split("\n-->") for case in EXAMPLES.strip().split("\n\n"))
}


def without_data(answer):
    """Return an answer without the `data` of its errors, which the specification leaves to us."""
    if isinstance(answer, list):
        return [without_data(each) for each in answer]
    if answer and "error" in answer:
        assert answer["error"].pop("data")["status"] >= 400
    return answer


@pytest.mark.parametrize("name", CASES)
async def test_an_example_of_the_specification_is_answered_as_it_says(name):
    assert len(CASES) == 15
    sent, answered = CASES[name]
    answer = without_data(await exchange(sent))
    assert answer == (json.loads(answered) if answered.strip() else None)


async def test_notifications_run(heard):
    await exchange([request("update", [1, 2, 3, 4, 5]), request("notify_hello", {"number": 7})])
    assert heard == [[1, 2, 3, 4, 5], 7]


# Ids.


@pytest.mark.parametrize("mark", ["", "é", "x" * 128, 0, -1, 2**53, 2**64 - 1, 1.5, None])
async def test_an_id_is_repeated_as_it_was_sent(mark):
    answer = await exchange(request("subtract", [3, 1], id=mark))
    assert answer == {"jsonrpc": "2.0", "result": 2, "id": mark}
    assert type(answer["id"]) is type(mark)
    assert (await exchange(request("foobar", id=mark)))["id"] == mark


@pytest.mark.parametrize("mark", [True, [], {}, ["a"], "x" * 129])
async def test_an_id_of_another_kind_is_an_invalid_request(mark):
    answer = await exchange(request("subtract", [3, 1], id=mark))
    assert (answer["error"]["code"], answer["id"]) == (-32600, None)


# What is no request.


@pytest.mark.parametrize(
    "payload",
    [
        *(None, 1, '"x"', True, {}, {"method": "get_data", "id": 5}),
        *({"jsonrpc": "1.0", "method": "get_data", "id": 5}, {"jsonrpc": "2.0", "id": 5}),
        *({"jsonrpc": 2.0, "method": "get_data", "id": 5}, request(None, id=5)),
        *(request("get_data", "bar", id=5), request("get_data", 0, id=5)),
        {**request("get_data", id=5), "params": None},
    ],
)
async def test_what_is_no_request_is_answered_with_its_id_where_it_has_one(payload):
    answer = await exchange(payload)
    has = isinstance(payload, dict) and "id" in payload
    assert (answer["error"]["code"], answer["id"]) == (-32600, 5 if has else None)


# Parameters.


@pytest.mark.parametrize(
    "params", [[1], [1, 2, 3], ["a", "b"], {"minuend": 1}, {"minuend": "a", "subtrahend": 1}, []]
)
async def test_parameters_that_do_not_fit_are_invalid_params(params):
    assert await code(request("subtract", params, id=1)) == -32602


async def test_the_error_says_which_parameter():
    answer = await exchange(request("subtract", {"minuend": 1}, id=1))
    [error] = answer["error"]["data"]["errors"]
    assert (error["code"], error["field"]) == ("required", ["subtrahend"])


async def test_a_route_stands_before_the_action_and_gives_its_values():
    wanted = {"pk": 5, "title": "Emma", "data": {"a": 1}}
    for params in ({"title": "Emma", "data": {"a": 1}}, ["Emma", {"a": 1}]):
        answer = await exchange(request("shelf/5/:put", params, id=1))
        assert answer["result"] == wanted
    answer = await exchange(request("shelf/5/?page=1:2:put", ["Emma"], id=1))
    assert answer["result"]["data"] is None


# Errors.


@pytest.mark.parametrize(
    "method", ["foobar", "shelf/5/:foobar", "shelf/x/:put", "nowhere/:put", "rpc.x", "", ":", "a:"]
)
async def test_a_route_or_an_action_that_is_not_there_is_method_not_found(method):
    assert await code(request(method, id=1)) == -32601


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((401, -32001), (403, -32003), (404, -32004), (413, -32013), (429, -32029)),
        *((449, -32049), (450, -32000), (503, -32053), (504, -32054), (599, -32000)),
        *((400, -32602), (500, -32603)),
    ],
)
async def test_a_status_has_its_code(status, expected):
    answer = await exchange(request("fail", [status], id=1))
    assert answer["error"]["code"] == expected
    assert answer["error"]["data"]["status"] == status
    assert answer["error"]["data"]["errors"] == [{"code": "error", "detail": "It failed."}]


def test_every_status_has_a_code_of_the_specification_or_of_the_servers_range():
    for status in range(400, 600):
        assert code_of(Reply(status=status)) in {-32602, -32603, *range(-32099, -31999)}


async def test_a_bug_is_an_internal_error_that_tells_nothing():
    for method in ("bug", "odd"):
        answer = await exchange(request(method, id=1))
        assert (answer["error"]["code"], answer["id"]) == (-32603, 1)
        assert "zero" not in json.dumps(answer)


async def test_a_status_that_says_no_is_an_error_with_what_was_returned():
    error = (await exchange(request("shelf/5/:take", id=1)))["error"]
    assert (error["code"], error["message"]) == (-32009, "Conflict")
    assert error["data"] == {"status": 409, "errors": [], "data": {"left": 0}}


async def test_nothing_to_return_is_a_result_of_null():
    assert await exchange(request("nothing", id=1)) == {"jsonrpc": "2.0", "result": None, "id": 1}


async def test_one_that_cannot_be_carried_costs_the_others_of_its_batch_nothing():
    answers = await exchange([request("odd", id=1), request("get_data", id=2)])
    assert [answers[0]["error"]["code"], answers[1]["result"]] == [-32603, ["hello", 5]]


async def test_a_batch_beyond_the_limit_is_one_error():
    answer = await exchange([request("get_data", id=n) for n in range(101)])
    assert (answer["error"]["code"], answer["id"]) == (-32013, None)


async def test_a_frame_of_the_wrong_kind_is_said_to_be():
    async with connect(Desk.as_asgi()) as client:
        await client.send_frame(b"{}")
        assert (await client.receive())["error"]["code"] == -32015


# Beside the default wire, over a socket, with somebody else's client.


async def test_a_client_from_pypi_is_served_beside_one_of_the_default_wire():
    class News(Desk):
        groups = ("news",)

    async with (
        live_server(News.as_asgi()) as rpc,
        live_server(Plain.as_asgi()) as plain,
        rpc.connect() as client,
        plain.connect() as other,
    ):
        sent = jsonrpcclient.request_json("subtract", params=(42, 23))
        await client.send_frame(sent)
        answer = jsonrpcclient.parse_json(await client.receive_frame())
        assert answer == jsonrpcclient.Ok(19, json.loads(sent)["id"])
        await client.send_frame(jsonrpcclient.notification_json("notify_hello", params=[7]))
        await client.send_frame(jsonrpcclient.request_json("foobar"))
        answer = jsonrpcclient.parse_json(await client.receive_frame())
        assert isinstance(answer, jsonrpcclient.Error)
        assert (answer.code, answer.message) == (-32601, "Method not found")
        batch = [jsonrpcclient.request("sum", params=(1, 2, n)) for n in range(3)]
        await client.send_frame(json.dumps(batch))
        answers = jsonrpcclient.parse_json(await client.receive_frame())
        assert [each.result for each in answers] == [3, 4, 5]
        reply = await other.call("subtract", minuend=42, subtrahend=23)
        assert (reply["data"], reply["status"]) == (19, 200)
        reply = await other.call("put", "shelf/5/", title="Emma")
        assert reply["data"]["pk"] == 5
        await apublish("news", "headline", {"text": "Rain"})
        event = json.loads(await client.receive_frame())
        assert event.pop("params").items() >= {"data": {"text": "Rain"}, "status": 200}.items()
        assert event == {"jsonrpc": "2.0", "method": "headline"}
    assert Desk.heard == [7]


async def test_the_readme_says_what_happens():
    (source,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (text,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    names = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec", dont_inherit=True), names)
    exchanges = [each.split("←") for each in text.split("→")[1:]]
    assert len(exchanges) == 5
    async with connect(names["Library"].as_asgi()) as client:
        for sent, answered in exchanges:
            await client.send_frame(sent.strip())
            assert json.loads(await client.receive_frame()) == json.loads(answered)
