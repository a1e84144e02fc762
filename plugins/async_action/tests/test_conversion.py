from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aaah_async_action.decorators import async_action
from aaah_async_action.plugin import aaah_actions
from aaah_core import AsyncActionHandler, ConfigurationError, ValidationError

if TYPE_CHECKING:
    from collections import OrderedDict as Unimported


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@dataclass
class Item:
    price: int
    tags: list[str] = field(default_factory=list)


@dataclass
class Span:
    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError("start must not be after end")


@dataclass
class Faulty:
    value: int

    def __post_init__(self) -> None:
        len(self.value)  # type: ignore[arg-type]  # the bug


@dataclass
class Timed:
    pause: timedelta


@dataclass
class Unresolved:
    other: Unimported


class Order(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Item]
    notes: dict[str, Item] = {}
    renamed: int = msgspec.field(default=0, name="re-named")


class Filter(TypedDict):
    year: int
    title: NotRequired[str]


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    tricks: int


class Custom:
    pass


def handler_of(annotation: Any, default: Any = ...) -> type[AsyncActionHandler]:
    def take(self: Any, value: Any) -> Any:
        return value

    take.__annotations__ = {"value": annotation}
    take.__defaults__ = None if default is ... else (default,)
    return type("Taker", (AsyncActionHandler,), {"take": async_action(take)})


ROUTE_UUID = UUID("f999573b-35e8-46ec-86d3-a8188a2167fe")

CONVERTED = [
    (int, 5, 5),
    (int, 2**63, 2**63),
    (float, 5, 5.0),
    (bool, True, True),
    (str, "5", "5"),
    (Decimal, "1.50", Decimal("1.50")),
    (Decimal, 1.5, Decimal("1.5")),
    (Decimal, 2, Decimal(2)),
    (UUID, str(ROUTE_UUID), ROUTE_UUID),
    (date, "2020-02-29", date(2020, 2, 29)),
    (datetime, "2020-01-02T03:04:05Z", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
    (time, "12:00:00", time(12)),
    (timedelta, 90, timedelta(seconds=90)),
    (timedelta, 1.5, timedelta(seconds=1.5)),
    (timedelta, "PT5S", timedelta(seconds=5)),
    (timedelta | None, 90, timedelta(seconds=90)),
    (list[timedelta], [90], [timedelta(seconds=90)]),
    (Timed, {"pause": 2}, Timed(timedelta(seconds=2))),
    (Colour, "red", Colour.RED),
    (Level, 1, Level.LOW),
    (Literal["a", "b"], "a", "a"),
    (Item, {"price": 1}, Item(1)),
    (Item, {"price": 1, "more": 2}, Item(1)),
    (Filter, {"year": 1, "more": 2}, {"year": 1}),
    (Filter, {"year": 1, "title": "t"}, {"year": 1, "title": "t"}),
    (Order, {"items": [{"price": 1}]}, Order([Item(1)])),
    (Cat | Dog, {"type": "dog", "tricks": 3}, Dog(3)),
    (Annotated[int, msgspec.Meta(gt=1)], 2, 2),
    (int | None, None, None),
    (int | str, "5", "5"),
    (list[int], [1], [1]),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[int, int], {"1": 1}, {1: 1}),
    (dict[str, object], {"a": [1]}, {"a": [1]}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2], (1, 2)),
    (set[int], [1, 1], {1}),
    (Any, {"a": 1}, {"a": 1}),
    (object, [1], [1]),
    (bytes, b"raw", b"raw"),
    ("list[Item]", [{"price": 1}], [Item(1)]),
    (list["Item"], [{"price": 1}], [Item(1)]),
]


@pytest.mark.parametrize(("annotation", "sent", "bound"), CONVERTED)
async def test_a_payload_value_is_converted_to_its_annotation(
    run: Any, annotation: Any, sent: Any, bound: Any
) -> None:
    value = await run(handler_of(annotation), "take", value=sent)
    assert value == bound
    assert type(value) is type(bound)


@pytest.mark.parametrize(
    ("annotation", "sent"),
    [
        (int, "5"),
        (int, 5.0),
        (int, True),
        (bool, 1),
        (bool, "true"),
        (float, "5"),
        (str, 5),
        (int | None, "null"),
        (datetime, 5),
        (Level, "1"),
        (Decimal, True),
        (list[int], "5"),
    ],
)
async def test_payload_values_are_typed_already_and_taken_strictly(
    run: Any, annotation: Any, sent: Any
) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(handler_of(annotation), "take", value=sent)
    assert refused.value.code == "invalid"
    assert refused.value.field == ["value"]


@pytest.mark.parametrize(
    ("annotation", "captured", "bound"),
    [
        (int, "5", 5),
        (int, 5, 5),
        (float, "1.5", 1.5),
        (bool, "true", True),
        (Decimal, "1.5", Decimal("1.5")),
        (UUID, str(ROUTE_UUID), ROUTE_UUID),
        (UUID, ROUTE_UUID, ROUTE_UUID),
        (date, "2020-02-29", date(2020, 2, 29)),
        (timedelta, "90", timedelta(seconds=90)),
        (Colour, "red", Colour.RED),
        (Level, "1", Level.LOW),
        (Literal[1, 2], "1", 1),
        (str, "5", "5"),
        (int | None, "5", 5),
    ],
)
async def test_a_route_value_is_text_and_read_as_its_annotation(
    run: Any, annotation: Any, captured: Any, bound: Any
) -> None:
    by_name = await run(handler_of(annotation), "take", route={"value": captured})
    by_place = await run(handler_of(annotation), "take", captured=(captured,))
    assert by_name == by_place == bound
    assert type(by_name) is type(bound)


PLACES = [
    (list[Item], [{"price": 1}, {"price": "x"}], ["value", 1, "price"]),
    (Order, {"items": [{"price": "x"}]}, ["value", "items", 0, "price"]),
    (Order, {"items": [], "re-named": "x"}, ["value", "re-named"]),
    (dict[str, Item], {"a": {"price": "x"}}, ["value"]),
    (Order, {"items": [], "notes": {"a": {"price": "x"}}}, ["value", "notes"]),
    (dict[int, int], {"a": 1}, ["value"]),
    (tuple[int, str], [1, 2], ["value", 1]),
    (set[Any], [[]], ["value"]),
    (Timed, {"pause": math.inf}, ["value", "pause"]),
]


@pytest.mark.parametrize(("annotation", "sent", "place"), PLACES)
async def test_what_is_wrong_is_named_by_its_path(
    run: Any, annotation: Any, sent: Any, place: list[str | int]
) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(handler_of(annotation), "take", value=sent)
    assert refused.value.errors[0]["code"] == "invalid"
    assert refused.value.errors[0]["field"] == place


async def test_a_missing_field_within_a_value_is_required_by_its_path(run: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(handler_of(Order), "take", value={"items": [{}]})
    assert refused.value.errors == [
        {
            "code": "required",
            "detail": "Object missing required field `price`",
            "field": ["value", "items", 0, "price"],
        }
    ]


@pytest.mark.parametrize(
    ("annotation", "sent", "detail"),
    [
        (Colour, "secret", "Invalid enum value"),
        (Literal["a", "b"], "secret` - at `$.forged", "Invalid enum value"),
        (Order, {"items": [], "secret": 1}, "Object contains unknown field"),
        (Order, {"items": [], "x` - at `$.secret": 1}, "Object contains unknown field"),
        (Cat | Dog, {"type": "secret"}, "Invalid value"),
        (UUID, "secret", "Invalid UUID"),
        (Decimal, "secret", "Invalid decimal string"),
        (date, "secret", "Invalid RFC3339 encoded date"),
        (set[Any], [["secret"]], "A parameter is not valid."),
        (Faulty, {"value": 1}, "A parameter is not valid."),
    ],
)
async def test_the_detail_says_what_was_expected_and_repeats_nothing(
    run: Any, annotation: Any, sent: Any, detail: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(handler_of(annotation), "take", value=sent)
    assert refused.value.detail == detail
    assert (refused.value.field or [])[0] == "value"
    assert "secret" not in str(refused.value.errors).replace("forged", "")


async def test_what_a_class_says_of_its_own_values_reaches_the_client(run: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        await run(handler_of(list[Span]), "take", value=[{"start": 2, "end": 1}])
    assert refused.value.detail == "start must not be after end"
    assert refused.value.field == ["value", 0]


async def test_a_default_is_used_as_it_is(run: Any) -> None:
    default = object()
    assert await run(handler_of(int, default), "take") is default


@pytest.mark.parametrize(
    "annotation", [Custom, list[Custom], str | date, complex, "Callable[[], int]", Literal[1.5], 5]
)
def test_an_annotation_that_nothing_can_be_converted_to_is_refused_at_start(
    annotation: Any,
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        aaah_actions(handler_of(annotation))
    assert "Taker.take, parameter 'value': the annotation" in str(refused.value)
    assert "typing.Any" in str(refused.value)


@pytest.mark.parametrize(
    "annotation", ["Unimported", "Unimported[int]", "list[Nowhere]", Unresolved]
)
def test_an_annotation_that_cannot_be_resolved_is_refused_at_start(annotation: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        aaah_actions(handler_of(annotation))
    assert "Taker.take, parameter 'value': the annotation" in str(refused.value)
    assert "cannot be resolved" in str(refused.value)
    assert "TYPE_CHECKING" in str(refused.value)


def test_a_return_annotation_that_cannot_be_resolved_is_no_error() -> None:
    class Returning(AsyncActionHandler):
        @async_action
        def take(self, value: int) -> Unimported[int, int]:
            raise NotImplementedError

    assert aaah_actions(Returning)["take"].returns == {}


ANNOTATIONS = [annotation for annotation, _, _ in CONVERTED]
HANDLERS = [handler_of(annotation) for annotation in ANNOTATIONS]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["price", "items", "type", "a", "pause"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(value=VALUES, number=st.integers(0, len(HANDLERS) - 1), routed=st.booleans())
async def test_no_value_raises_anything_but_a_validation_error_that_names_the_parameter(
    run: Any, value: Any, number: int, routed: bool
) -> None:
    where = {"route": {"value": value}} if routed else {"value": value}
    place: Any = ["value"]
    try:
        await run(HANDLERS[number], "take", **where)
    except ValidationError as refused:
        place = refused.field
    assert place[0] == "value"
