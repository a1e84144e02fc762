"""Permissions of DRF's and native ones in one tree, asked at all four moments over the socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.urls import path
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import permissions as drf

from aaah_async_action.decorators import async_action
from aaah_core import (
    AllowAny,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Call,
    apublish,
)
from aaah_core.testing import Refused, connect

#: Seconds to wait for a reply: how long it takes is not asked here, and a machine may be busy.
WAIT = 60.0

#: What a leaf overrides, by moment.
DRF = {"call": "has_permission", "object": "has_object_permission"}
NATIVE = {**DRF, "connect": "can_connect", "event": "can_receive"}


def method(answer: bool, *, awaited: bool) -> Any:
    if awaited:

        async def ask(self: Any, *args: Any, **kwargs: Any) -> bool:
            return answer
    else:

        def ask(self: Any, *args: Any, **kwargs: Any) -> bool:
            return answer

    return ask


@dataclass(frozen=True)
class Leaf:
    """A class that overrides some methods; an answer of None is that it does not."""

    kind: str
    awaited: bool
    answers: Mapping[str, bool | None]

    def build(self, moments: Any) -> Any:
        names = NATIVE if self.kind == "native" else DRF
        overridden = {
            names[moment]: method(answer, awaited=self.awaited)
            for moment, answer in self.answers.items()
            if answer is not None and moment in names and moment in moments
        }
        if self.kind == "native" and not overridden:
            return AllowAny  # another class that overrides nothing is refused
        base: Any = BasePermission if self.kind == "native" else drf.BasePermission
        return type(base)(f"{self.kind.title()}Leaf", (base,), overridden)

    def says(self, moment: str) -> bool | None:
        if self.kind == "drf":
            # It has no say at connect, and always one of calls and objects.
            if moment == "connect":
                return None
            answer = self.answers["call" if moment == "event" else moment]
            return True if answer is None else answer
        answer = self.answers[moment]
        if moment == "event" and answer is None:
            return self.answers["call"]  # who may run an action gets what it broadcasts
        return answer


def build(tree: Any, moments: Any = tuple(NATIVE)) -> Any:
    match tree:
        case Leaf():
            return tree.build(moments)
        case ("not", inner):
            return ~build(inner, moments)
        case ("and", left, right):
            return build(left, moments) & build(right, moments)
        case ("or", left, right):
            return build(left, moments) | build(right, moments)
    raise AssertionError(tree)


def says(tree: Any, moment: str) -> bool | None:
    """What logic makes of a tree; None where nothing in it has a say."""
    match tree:
        case Leaf():
            return tree.says(moment)
        case ("not", inner):
            answer = says(inner, moment)
            if answer is None:
                # Who lets every call pass, negated, lets none.
                return False if moment in ("call", "event") else None
            return not answer
        case ("and", *operands):
            return every(says(each, moment) for each in operands)
        case ("or", *operands):
            answers = [says(each, moment) for each in operands]
            if moment == "object" and answers != [None, None]:
                # An operand that refused the call grants no object.
                answers = [every((says(each, "call"), says(each, moment))) for each in operands]
            return None if None in answers else any(answers)
    raise AssertionError(tree)


def every(answers: Any) -> bool | None:
    known = [each for each in answers if each is not None]
    return all(known) if known else None


def passes(trees: Any, moment: str) -> bool:
    return all(says(tree, moment) is not False for tree in trees)


maybe = st.sampled_from([True, False, None])
leaves = st.builds(
    Leaf,
    st.sampled_from(["drf", "native"]),
    st.booleans(),
    st.fixed_dictionaries(dict.fromkeys(NATIVE, maybe)),
)


def nested(inner: Any) -> Any:
    return st.one_of(
        inner,
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    )


trees = nested(nested(nested(leaves)))
one = st.lists(trees, min_size=1, max_size=1)
few = st.lists(trees, max_size=2)
#: The entries of the consumer and of a handler; a tree mostly stands alone, so that it decides.
places = st.one_of(st.tuples(one, st.just([])), st.tuples(st.just([]), one), st.tuples(few, few))


def room(above: Any, below: Any, moments: Any = tuple(NATIVE)) -> Any:
    class Handler(AsyncAPIActionHandler):
        permission_classes = [build(tree, moments) for tree in below]

        @async_action
        def run(self) -> bool:
            return True

        @async_action
        def take(self) -> bool:
            self.check_object_permissions("an object")
            return True

        @async_action
        async def take_async(self) -> bool:
            await self.acheck_object_permissions("an object")
            return True

    class Room(AsyncAPIConsumer):
        groups = ["room"]
        permission_classes = [build(tree, moments) for tree in above]
        routepatterns = (path("handler/", Handler.as_aaah()),)

        async def end(self, event: Any) -> None:
            await self.send_json({"event": "end"})

    return Handler, Room.as_asgi()


async def received(client: Any, handler_class: Any = None) -> bool:
    """Whether the client gets an event, broadcast by the consumer or by a handler."""
    call = handler_class and Call("run", handler=handler_class())
    await apublish("room", "news", call=call)
    # Events come in order: this one, which asks nobody, ends the wait for the other.
    await get_channel_layer().group_send("room", {"type": "end"})  # type: ignore[union-attr]  # there is one
    first = (await client.receive())["event"]
    if first == "news":
        assert (await client.receive())["event"] == "end"
    return bool(first == "news")


async def connects(application: Any) -> bool:
    try:
        async with connect(application, timeout=WAIT):
            return True
    except Refused:
        return False


async def assert_logical(above: Any, below: Any) -> None:
    """Rule: all entries of a handler and of its parents hold, at each moment as logic has it."""
    # What a handler's permissions say at connect is of no concern: only the consumer connects.
    assert await connects(room(above, below)[1]) is passes(above, "connect")
    # The same trees without a say there, so that the other moments are asked.
    handler_class, application = room(above, below, ("call", "object", "event"))
    both = [*above, *below]
    call = passes(both, "call")
    obj = call and passes(both, "object")
    async with connect(application, timeout=WAIT) as client:
        found = [
            (await client.call(name, route="handler/"))["status"]
            for name in ("run", "take", "take_async")
        ]
        assert found == [200 if each else 403 for each in (call, obj, obj)]
        assert await received(client) is passes(above, "event")
        assert await received(client, handler_class) is passes(both, "event")


@settings(deadline=None, max_examples=60)
@given(place=places)
async def test_rule_all_entries_hold_at_every_moment_as_logic_has_it(place: Any) -> None:
    await assert_logical(*place)


@pytest.mark.programme(seconds=15)
@settings(deadline=None, max_examples=1000)
@given(place=places)
async def test_rule_all_entries_hold_for_a_thousand_trees(place: Any) -> None:
    await assert_logical(*place)
