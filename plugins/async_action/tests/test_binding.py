from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aaah_async_action.decorators import async_action
from aaah_async_action.plugin import aaah_actions
from aaah_core import (
    AsyncActionHandler,
    AsyncAPIConsumer,
    Call,
    ConfigurationError,
    ValidationError,
)


class Handler(AsyncActionHandler):
    @async_action()
    def your_custom_action(self, pk, *args, **kwargs):  # type: ignore[no-untyped-def]
        return {"pk": pk, "args": args, "kwargs": kwargs}

    @async_action
    async def typed(self, pk: int, title: str = "none", *, flag: bool = False) -> Any:
        return pk, title, flag

    @async_action
    async def text_key(self, pk: str) -> Any:
        return pk

    @async_action
    async def any_key(self, pk: Any) -> Any:
        return pk

    @async_action
    async def identifier(self, pk: uuid.UUID) -> Any:
        return pk

    @async_action
    async def body(self, data: Any) -> Any:
        return data

    @async_action
    async def body_or_not(self, data: Any = "nothing", request_id: Any = "none") -> Any:
        return data, request_id

    @async_action
    async def told(self, action: Any, **kwargs: Any) -> Any:
        return action, kwargs

    @async_action
    async def spread(self, **kwargs: Any) -> Any:
        return kwargs

    @async_action
    async def everything(*args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
        return args[1:], kwargs

    @async_action
    async def places(self, data: Any = None, first: Any = 1, second: Any = 2, *args: Any) -> Any:
        return data, first, second, args

    @async_action
    async def only_positional(self, pk: int, /, **kwargs: Any) -> Any:
        return pk, kwargs

    @async_action
    async def two(self, first: int, second: int) -> Any:
        return first, second

    @async_action
    async def reserved(
        self,
        partial: Any = "own",
        scope: Any = "own",
        handler: Any = "own",
        consumer: Any = "own",
    ) -> Any:
        return partial, scope, handler, consumer

    @async_action
    async def unnamed_self(this, self: Any = "own", partial: Any = "own") -> Any:
        return self, partial


async def test_the_example_of_the_page_gets_its_key_as_an_int(run: Any) -> None:
    bound = await run(Handler, "your_custom_action", route={"pk": "5"})
    assert bound == {"pk": 5, "args": (), "kwargs": {}}
    assert type(bound["pk"]) is int


@pytest.mark.parametrize("text", ["007", "+5", " 5", "5.0", "\u0665", "1_0", "abc", "", "9" * 5000])
async def test_a_key_that_would_lose_something_as_an_int_stays_text(run: Any, text: str) -> None:
    assert (await run(Handler, "your_custom_action", route={"pk": text}))["pk"] == text


async def test_a_negative_key_is_an_int_and_a_converted_one_stays_what_it_is(run: Any) -> None:
    assert (await run(Handler, "your_custom_action", route={"pk": "-5"}))["pk"] == -5
    key = uuid.uuid4()
    assert (await run(Handler, "your_custom_action", route={"pk": key}))["pk"] == key
    assert await run(Handler, "identifier", route={"pk": key}) == key


async def test_a_key_from_the_payload_stays_as_it_is(run: Any) -> None:
    assert (await run(Handler, "your_custom_action", pk="5"))["pk"] == "5"


async def test_a_key_with_an_annotation_follows_the_annotation(run: Any) -> None:
    assert await run(Handler, "text_key", route={"pk": "5"}) == "5"
    assert await run(Handler, "any_key", route={"pk": "5"}) == "5"
    assert await run(Handler, "typed", route={"pk": "5"}) == (5, "none", False)


async def test_a_key_among_the_other_route_values_becomes_an_int_too(run: Any) -> None:
    assert await run(Handler, "spread", route={"pk": "5", "shelf": "5"}) == {"pk": 5, "shelf": "5"}


async def test_route_values_win_over_the_payload(run: Any) -> None:
    assert await run(Handler, "typed", route={"pk": "5"}, pk=6, title="t") == (5, "t", False)


async def test_parameters_are_found_in_the_payload_by_name(run: Any) -> None:
    assert await run(Handler, "typed", pk=5, flag=True) == (5, "none", True)
    assert await run(Handler, "only_positional", pk=5) == (5, {})


async def test_a_missing_parameter_is_a_400_that_names_it(run: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(Handler, "typed", title="t")
    assert refused.value.status == 400
    assert refused.value.errors == [
        {"code": "required", "detail": "This parameter is required.", "field": ["pk"]}
    ]


async def test_a_parameter_of_the_wrong_type_is_a_400_that_names_it(run: Any) -> None:
    for given_ in ({"route": {"pk": "abc"}}, {"pk": "5"}):
        with pytest.raises(ValidationError) as refused:
            await run(Handler, "typed", **given_)
        assert refused.value.status == 400
        assert refused.value.errors == [
            {"code": "invalid", "detail": "Expected `int`, got `str`", "field": ["pk"]}
        ]


async def test_data_is_the_body_and_its_keys_bind_nothing(run: Any) -> None:
    assert await run(Handler, "body", data={"pk": 1}) == {"pk": 1}
    assert await run(Handler, "body", data=None) is None
    assert await run(Handler, "body_or_not") == ("nothing", "none")
    assert await run(Handler, "typed", pk=5, data={"title": "t"}) == (5, "none", False)
    with pytest.raises(ValidationError, match="required"):
        await run(Handler, "typed", data={"pk": 5})


async def test_a_required_body_that_is_missing_is_named(run: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(Handler, "body")
    assert refused.value.field == ["data"]


async def test_request_id_is_the_calls(run: Any) -> None:
    call = Call("body_or_not", request_id="r1", params={"request_id": "forged"})
    assert await run(Handler, "body_or_not", call=call) == ("nothing", "r1")


async def test_an_action_that_names_action_gets_its_name_whatever_anyone_sends(run: Any) -> None:
    assert await run(Handler, "told", action="forged") == ("told", {})
    assert await run(Handler, "told", route={"action": "captured"}) == ("told", {})


async def test_spread_parameters_get_route_values_and_captures_only(run: Any) -> None:
    assert await run(Handler, "spread", a=1, self=2, partial=True) == {}
    assert await run(Handler, "everything", route={"b": "x"}, captured=("y",), a=1) == (
        ("y",),
        {"b": "x"},
    )


async def test_a_route_value_never_collides_with_the_method_itself(run: Any) -> None:
    assert await run(Handler, "spread", route={"self": "x", "a": "b"}) == {"a": "b"}
    assert await run(Handler, "only_positional", route={"pk": "5", "a": "b"}) == (5, {"a": "b"})


async def test_captures_without_a_name_fill_the_first_parameters(run: Any) -> None:
    assert await run(Handler, "places", captured=("a",)) == (None, "a", 2, ())
    assert await run(Handler, "places", captured=("a", "b", "c")) == (None, "a", "b", ("c",))
    assert await run(Handler, "places", captured=("a",), first="payload", data=0) == (0, "a", 2, ())
    assert await run(Handler, "two", captured=("1", "2", "3")) == (1, 2)
    assert await run(Handler, "your_custom_action", captured=("5", "6")) == {
        "pk": 5,
        "args": ("6",),
        "kwargs": {},
    }


async def test_captures_without_a_name_leave_out_what_the_route_names(run: Any) -> None:
    assert await run(Handler, "two", route={"first": "1"}, captured=("2",)) == (1, 2)


async def test_a_client_never_sets_what_belongs_to_the_handler(run: Any) -> None:
    forged = dict.fromkeys(["partial", "scope", "handler", "consumer"], "forged")
    assert await run(Handler, "reserved", **forged) == ("own",) * 4
    assert await run(Handler, "reserved", captured=("forged",)) == ("own",) * 4
    assert await run(Handler, "unnamed_self", self="forged") == ("own", "own")


async def test_a_route_may_capture_such_a_name(run: Any) -> None:
    bound = await run(Handler, "reserved", route={"scope": "read"}, scope="forged")
    assert bound == ("own", "read", "own", "own")


NAMES = ["self", "this", "pk", "title", "flag", "data", "action", "partial", "scope", "handler"]
NAMES += ["consumer", "request_id", "args", "kwargs", "first", "second", "__class__"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PAYLOADS = st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=8)

BINDINGS = {
    name: action
    for name, action in aaah_actions(Handler).items()
    if name in {"typed", "told", "spread", "everything", "reserved", "unnamed_self", "two"}
}


async def bind(name: str, payload: dict[str, Any]) -> Any:
    handler = Handler()
    call = Call(name, params=payload, data=payload)
    handler.call = call
    return await BINDINGS[name].run(handler, call)


@given(payload=PAYLOADS)
async def test_no_payload_sets_what_the_action_did_not_name(payload: dict[str, Any]) -> None:
    assert await bind("told", payload) == ("told", {})
    assert await bind("spread", payload) == {}
    assert await bind("everything", payload) == ((), {})
    assert await bind("reserved", payload) == ("own",) * 4
    assert await bind("unnamed_self", payload) == ("own", "own")


@given(payload=PAYLOADS)
async def test_no_payload_raises_anything_but_a_validation_error(payload: dict[str, Any]) -> None:
    names = {"typed": ("pk", "title", "flag"), "two": ("first", "second")}
    defaults = {"title": "none", "flag": False}
    for name, parameters in names.items():
        try:
            bound = await bind(name, payload)
        except ValidationError as error:
            refused = error.field or []
        else:
            refused = []
            assert bound == tuple(payload.get(each, defaults.get(each)) for each in parameters)
        assert set(refused) <= set(parameters)


@pytest.mark.parametrize("name", ["scope", "handler", "consumer", "partial"])
def test_a_consumer_requires_nothing_that_nobody_can_send(name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"async def act(self, {name}): ...\nasync def may(self, {name}=None): ...", space)
    act, may = async_action(space["act"]), async_action(space["may"])
    with pytest.raises(ConfigurationError, match=rf"Chat\.act requires '{name}', which no client"):
        aaah_actions(type("Chat", (AsyncAPIConsumer,), {"act": act}))
    # A default serves, and a route may capture it for a handler.
    assert list(aaah_actions(type("Chat", (AsyncAPIConsumer,), {"may": may}))) == ["may"]
    assert list(aaah_actions(type("Handler", (AsyncActionHandler,), {"act": act}))) == ["act"]
