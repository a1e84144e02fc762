"""Spans and metrics, as the SDK's in-memory exporters get them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import path
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, NotFound, Reply, hookimpl
from aaah_core.testing import assert_plugin_conforms, connect, live_server, registry
from aaah_opentelemetry import parents
from aaah_opentelemetry.calls import BUCKETS

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
# A process has one provider: that which the README sets up.
NAMES = {"__name__": "readme"}
exec(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0], NAMES)
SPANS, NUMBERS = NAMES["spans"], NAMES["numbers"]

HERE = __name__
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


class Book(AsyncAPIActionHandler):
    @async_action
    async def retrieve(self, pk: int):
        return pk

    @async_action
    async def lose(self, pk: int):
        raise NotFound


class Twice(AsyncAPIActionHandler):
    @async_action
    async def ring(self):
        return "ring"


class Desk(AsyncAPIConsumer):
    routepatterns = [
        path("books/<int:pk>/", Book.as_aaah()),
        path("one/", Twice.as_aaah()),
        path("two/", Twice.as_aaah()),
    ]

    @async_action
    async def search(self, word: str):
        with trace.get_tracer("app").start_as_current_span("inner"):
            return word

    @async_action
    def search_in_a_thread(self):
        with trace.get_tracer("app").start_as_current_span("inner"):
            return

    @async_action
    async def bug(self, token: str):
        raise ZeroDivisionError(f"oops: {token}")

    @async_action
    async def odd(self):
        return Reply(status=777)


@pytest.fixture(autouse=True)
def plugins():
    SPANS.clear()
    with registry("opentelemetry", "async_action"):
        yield


@pytest.fixture
async def client():
    async with connect(Desk.as_asgi()) as client:
        yield client


def spans():
    """Return the spans that ended, by name."""
    return {span.name: span for span in SPANS.get_finished_spans()}


def points(name):
    """Return the points of a metric."""
    data = NUMBERS.get_metrics_data()
    return [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]


def test_the_plugin_conforms():
    assert_plugin_conforms("opentelemetry")


async def test_a_call_is_a_span_named_by_action_and_pattern(client):
    await client.call("retrieve", "books/5/?q=secret", request_id=77)
    [span] = SPANS.get_finished_spans()
    assert (span.name, span.kind) == ("retrieve books/<int:pk>/", SpanKind.SERVER)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "rpc.system.name": "aaah",
        "rpc.method": f"{HERE}.Book/retrieve",
        "rpc.response.status_code": "200",
        "aaah.route": "books/<int:pk>/",
    }


async def test_the_consumers_own_action_is_named_alone(client):
    await client.call("search", word="a")
    assert spans()["search"].attributes["aaah.route"] == ""


async def test_a_handler_of_several_routes_is_named_itself(client):
    await client.call("ring", "two/")
    assert set(spans()) == {f"ring {HERE}.Twice"}


@pytest.mark.parametrize("action", ["search", "search_in_a_thread"])
async def test_spans_made_in_an_action_are_children_of_its_span(client, action):
    await client.call(action, word="a")
    found = spans()
    assert found["inner"].parent.span_id == found[action].context.span_id
    assert found["inner"].context.trace_id == found[action].context.trace_id


# Outcomes.


async def test_a_fault_of_the_client_is_no_error_of_the_span(client):
    await client.call("lose", "books/5/")
    await client.call("search")
    found = spans()
    for name, status in (("lose books/<int:pk>/", "404"), ("search", "400")):
        assert found[name].attributes["rpc.response.status_code"] == status
        assert found[name].attributes["error.type"] == status
        assert found[name].status.status_code is StatusCode.UNSET
        assert found[name].events == ()


async def test_a_bug_is_an_error_with_its_place_and_its_id_and_nothing_that_was_sent(client):
    reply = await client.call("bug", token="a secret of the client's")
    span = spans()["bug"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "builtins.ZeroDivisionError"
    [event] = span.events
    assert event.attributes["exception.type"] == "builtins.ZeroDivisionError"
    assert "in bug" in event.attributes["exception.stacktrace"]
    assert event.attributes["aaah.error_id"] == reply["errors"][0]["id"]
    assert "secret" not in span.to_json()


async def test_a_client_adds_no_name_and_no_attribute(client):
    for number in range(5):
        await client.call(f"action-{number}")
        await client.call("search", f"route-{number}/", word="a", request_id=number)
        await client.call("lose", f"books/{number}/", word=f"word-{number}")
        await client.send_frame(f"rubbish-{number}")
        await client.receive()
    assert set(spans()) == {"_OTHER", "lose books/<int:pk>/"}
    told = {str((span.name, dict(span.attributes))) for span in SPANS.get_finished_spans()}
    assert len(told) == 4  # 400, 404 and 405 of what is not known, and the action
    assert not [each for each in told if re.search(r"-\d|word", each)]


async def test_a_call_within_a_client_that_left_ends_its_span():
    class Waiting(AsyncAPIConsumer):
        @async_action
        async def wait(self):
            await self.consumer.close()
            raise NotFound

    async with connect(Waiting.as_asgi()) as client:
        await client.send({"action": "wait"})
        await client.ended()
    assert "wait" in spans()


# Parents.


async def test_a_call_continues_the_traceparent_of_its_message(client):
    await client.call("search", word="a", traceparent=TRACEPARENT, tracestate="a=b")
    span = spans()["search"]
    assert span.context.trace_id == int(TRACE, 16)
    assert span.parent.span_id == int(PARENT, 16)
    assert span.context.trace_state.get("a") == "b"
    await client.call("ring", "one/")
    assert spans()[f"ring {HERE}.Twice"].parent is None


async def test_a_call_continues_the_traceparent_of_its_handshake_over_a_socket():
    headers = {"Traceparent": TRACEPARENT}
    async with (
        live_server(Desk.as_asgi()) as server,
        server.connect("/", headers=headers) as client,
    ):
        await client.call("search", word="a")
        await client.call("ring", "one/", traceparent=OTHER)
    handshake, message = spans()["search"], spans()[f"ring {HERE}.Twice"]
    assert handshake.parent.span_id == int(PARENT, 16)
    assert message.context.trace_id == int("1" * 32, 16)
    assert [link.context.span_id for link in message.links] == [int(PARENT, 16)]


@pytest.mark.parametrize("rubbish", ["", "x", "00-0-0-01", 7, None, [], {}, "00-" + "0" * 32])
async def test_a_traceparent_that_is_none_is_passed_over(client, rubbish):
    reply = await client.call("search", word="a", traceparent=rubbish, tracestate=rubbish)
    assert reply["status"] == 200
    assert spans()["search"].parent is None


@pytest.mark.parametrize(
    "rubbish",
    [
        *(
            "secret",
            "a=secret\nERROR forged",
            "=secret",
            "a=\x1b[2J",
            "a=b,a=c",
            "A=b",
            "a=b=c",
            "",
        ),
        *(",".join(f"a{n}=b" for n in range(33)), "a=" + "b" * 600, "a=b " * 50_000, 7, ["a=b"]),
    ],
    ids=range(13),
)
async def test_a_tracestate_that_is_none_is_passed_over_and_in_no_log(client, caplog, rubbish):
    await client.call("search", word="a", traceparent=TRACEPARENT, tracestate=rubbish)
    span = spans()["search"]
    assert span.parent.span_id == int(PARENT, 16)
    assert not span.context.trace_state
    assert caplog.records == []


async def test_no_propagator_is_given_a_traceparent_that_is_none(client, caplog, monkeypatch):
    carriers = []

    def extract(carrier, context):
        carriers.append(dict(carrier))
        return context

    monkeypatch.setattr(parents, "extract", extract)
    # Some propagators' regular expression would go over these blanks once for each of them.
    await client.call("search", word="a", traceparent=f"{TRACEPARENT}-{' ' * 20_000}\nx")
    assert spans()["search"].parent is None
    assert carriers == [{}]
    assert caplog.records == []


async def test_a_tracestate_may_have_all_that_the_w3c_allows(client):
    state = "a=b , 1a/*-_@v1=x y\t,, ,z=!,"
    await client.call("search", word="a", traceparent=TRACEPARENT, tracestate=state)
    assert dict(spans()["search"].context.trace_state) == {"a": "b", "1a/*-_@v1": "x y", "z": "!"}


async def test_a_parent_that_is_not_sampled_is_followed(client):
    await client.call("search", word="a", traceparent=TRACEPARENT[:-1] + "0")
    assert SPANS.get_finished_spans() == ()


# Metrics.


async def test_calls_are_measured_by_method_and_status(client):
    def counted():
        return {
            (
                point.attributes["rpc.method"],
                point.attributes["rpc.response.status_code"],
                point.attributes.get("error.type"),
            ): point.count
            for point in points("rpc.server.call.duration")
        }

    await client.call("search", word="a")
    before = counted()
    for _ in range(3):
        await client.call("search", word="a")
    await client.call("odd")
    grown = {key: count - before.get(key, 0) for key, count in counted().items()}
    assert {key: count for key, count in grown.items() if count} == {
        (f"{HERE}.Desk/search", "200", None): 3,
        (f"{HERE}.Desk/odd", "_OTHER", "_OTHER"): 1,
    }
    assert {point.explicit_bounds for point in points("rpc.server.call.duration")} == {BUCKETS}


async def test_open_connections_are_counted():
    class Own(Desk):
        pass

    def active():
        [value] = [
            point.value
            for point in points("aaah.server.active_connections")
            if point.attributes["aaah.consumer"].endswith("are_counted.<locals>.Own")
        ]
        return value

    application = Own.as_asgi()
    async with connect(application):
        async with connect(application):
            assert active() == 2
        assert active() == 1
    assert active() == 0


async def test_middleware_within_sees_the_span():
    seen = []

    class Inner:
        @hookimpl(trylast=True)
        def aaah_middleware(self, action):
            async def look(call, call_next):
                seen.append(trace.get_current_span().is_recording())
                return await call_next(call)

            return look

    with registry("opentelemetry", "async_action", Inner()):
        async with connect(Desk.as_asgi()) as client:
            await client.call("odd")
    assert seen == [True]


async def test_what_a_middleware_within_raises_leaves_nothing_that_was_sent_in_the_span():
    class Inner:
        @hookimpl(trylast=True)
        def aaah_middleware(self, action):
            async def fail(call, call_next):
                raise ValueError(f"not {call.params}")

            return fail

    with registry("opentelemetry", "async_action", Inner()):
        async with connect(Desk.as_asgi()) as client:
            reply = await client.call("search", word="a secret")
    span = spans()["search"]
    assert reply["status"] == 500
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "builtins.ValueError"
    assert "secret" not in span.to_json()


async def test_the_message_of_the_readme_continues_its_traceparent(client):
    (text,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    await client.send_frame(text)
    assert (await client.receive())["status"] == 200
    assert spans()["search"].parent.span_id == int(PARENT, 16)
