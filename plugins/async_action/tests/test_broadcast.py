from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from aaah_async_action import broadcast
from aaah_async_action.decorators import async_action
from aaah_core import AsyncActionHandler, Call, ConfigurationError, Reply, group_name


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []

    def publish(group: str, name: str, data: Any, **details: Any) -> None:
        sent.append(("sync", group, name, data, details))

    async def apublish(group: str, name: str, data: Any, **details: Any) -> None:
        sent.append(("async", group, name, data, details))

    monkeypatch.setattr(broadcast, "publish", publish)
    monkeypatch.setattr(broadcast, "apublish", apublish)
    return sent


class Handler(AsyncActionHandler):
    ran = False

    @async_action(mode="broadcast", group="news")
    def tell(self, text: str = "hello") -> Any:
        return {"text": text}, 201

    @async_action(mode="broadcast", group="news", broadcast_type="news.item")
    async def tell_async(self) -> Any:
        return "hello"

    @async_action(mode="broadcast", group="news", send_response_in_broadcast=False)
    def only_tell(self, result: Any = None) -> Any:
        return result

    @async_action(mode="broadcast", group="news", send_response_in_broadcast=False)
    async def only_tell_async(self, result: Any = None) -> Any:
        return result

    @async_action(mode="broadcast")
    def anywhere(self) -> str:
        type(self).ran = True
        return "hello"


class Lookup(Handler):
    group_send_lookup_kwargs: Any = "room"


def call_of(name: str, **attributes: Any) -> Call:
    scope = attributes.pop("scope", {})
    params = attributes.pop("params", {})
    return Call(name, params=params, scope=scope, consumer=SimpleNamespace(**attributes))


async def test_what_a_sync_action_returns_is_sent_under_its_name(run: Any, sent: list[Any]) -> None:
    call = call_of("tell")
    assert await run(Handler, "tell", call=call) == ({"text": "hello"}, 201)
    details = {"status": 201, "call": call}
    assert sent == [("sync", "news", "tell", {"text": "hello"}, details)]


async def test_what_an_async_action_returns_is_sent_under_its_broadcast_type(
    run: Any, sent: list[Any]
) -> None:
    call = call_of("tell_async")
    assert await run(Handler, "tell_async", call=call) == "hello"
    assert sent == [("async", "news", "news.item", "hello", {"status": 200, "call": call})]
    assert call.wants_reply


@pytest.mark.parametrize("name", ["only_tell", "only_tell_async"])
async def test_the_sender_may_get_the_event_alone(run: Any, sent: list[Any], name: str) -> None:
    call = call_of(name)
    await run(Handler, name, call=call)
    assert not call.wants_reply
    assert sent[0][2:] == (name, None, {"status": 204, "call": call})


@pytest.mark.parametrize("name", ["only_tell", "only_tell_async"])
@pytest.mark.parametrize("result", [({"a": 1}, 400), Reply(errors=[{"code": "no"}])])
async def test_what_failed_is_not_sent_and_its_sender_gets_the_reply(
    run: Any, sent: list[Any], name: str, result: Any
) -> None:
    call = call_of(name, params={"result": result})
    assert await run(Handler, name, call=call) is result
    assert sent == []
    assert call.wants_reply


async def test_a_handler_names_its_group_by_a_route_value(run: Any, sent: list[Any]) -> None:
    url = {"url_route": {"kwargs": {"room": "url"}}}
    await run(Lookup, "anywhere", route={"room": "lobby"}, call=call_of("anywhere", scope=url))
    await run(Lookup, "anywhere", call=call_of("anywhere", scope=url))
    assert [event[1] for event in sent] == [group_name("room", "lobby"), group_name("room", "url")]


async def test_several_names_are_several_groups(run: Any, sent: list[Any]) -> None:
    class Several(Handler):
        group_send_lookup_kwargs = ("room", "pk")

    await run(Several, "anywhere", route={"room": "lobby", "pk": "5"})
    assert [event[1] for event in sent] == [group_name("room", "lobby"), group_name("pk", "5")]


async def test_of_several_names_those_that_are_captured_count(run: Any, sent: list[Any]) -> None:
    class Several(Handler):
        group_send_lookup_kwargs = ("room", "pk")

    await run(Several, "anywhere", route={"pk": "5"})
    assert [event[1] for event in sent] == [group_name("pk", "5")]


async def test_the_handlers_names_win_over_the_consumers_and_the_option_over_both(
    run: Any, sent: list[Any]
) -> None:
    route = {"room": "lobby", "pk": "5"}
    for handler_class, name in ((Handler, "anywhere"), (Lookup, "anywhere"), (Lookup, "tell")):
        call = call_of(name, group_send_lookup_kwargs=["pk"], groups=["all"])
        await run(handler_class, name, route=route, call=call)
    groups = [event[1] for event in sent]
    assert groups == [group_name("pk", "5"), group_name("room", "lobby"), "news"]


async def test_without_names_it_goes_to_the_groups_of_the_consumer(
    run: Any, sent: list[Any]
) -> None:
    call = call_of("anywhere", groups=["all", "some"], group_send_lookup_kwargs=None)
    await run(Handler, "anywhere", call=call)
    assert [event[1] for event in sent] == ["all", "some"]


async def test_without_any_group_the_action_does_not_run_and_the_error_says_what_to_set(
    run: Any, sent: list[Any]
) -> None:
    class Quiet(Handler):
        ran = False

    with pytest.raises(
        ConfigurationError,
        match=r"'anywhere' of .*Quiet broadcasts to no group\. Set group= .* groups",
    ):
        await run(Quiet, "anywhere", call=call_of("anywhere", groups=[]))
    assert not Quiet.ran
    assert sent == []


async def test_a_name_that_nothing_captures_is_an_error_that_says_so(run: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"of Lookup .* is 'room', and neither the route"):
        await run(Lookup, "anywhere", call=call_of("anywhere", groups=["all"]))


async def test_publishing_runs_where_the_action_runs(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    class Where(AsyncActionHandler):
        @async_action(mode="broadcast", group="news")
        def tell(self) -> None:
            threads.append(threading.current_thread().name)

    def publish(*args: Any, **details: Any) -> None:
        threads.append(threading.current_thread().name)

    monkeypatch.setattr(broadcast, "publish", publish)
    await run(Where, "tell")
    assert threads[0] == threads[1] != threading.current_thread().name
