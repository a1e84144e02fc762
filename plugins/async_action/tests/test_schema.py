from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from aaah_async_action.decorators import async_action
from aaah_async_action.plugin import aaah_actions
from aaah_core import AsyncActionHandler, Reply


@dataclass
class Item:
    price: int
    pause: timedelta | None = None


class Handler(AsyncActionHandler):
    @async_action
    def none(self, *args: int, **kwargs: int) -> None: ...

    @async_action
    def some(
        self,
        pk,  # type: ignore[no-untyped-def]
        title: str,
        items: list[Item],
        data: dict[str, object],
        /,
        action: str,
        request_id: str,
        partial: bool = False,
        wait: Annotated[timedelta, msgspec.Meta(description="how long")] = timedelta(),
        *,
        scope: Any = None,
        flag: bool,
    ) -> list[Item]:
        raise NotImplementedError

    @async_action
    def pair(self) -> tuple[list[int], int]:
        raise NotImplementedError

    @async_action
    def triple(self) -> tuple[int, int, int]:
        raise NotImplementedError

    @async_action
    def reply(self) -> Reply:
        raise NotImplementedError

    @async_action
    def unknown(self) -> AsyncActionHandler:
        raise NotImplementedError

    @async_action
    def silent(self):  # type: ignore[no-untyped-def]
        raise NotImplementedError


ACTIONS = aaah_actions(Handler)
ITEM = {
    "title": "Item",
    "type": "object",
    "properties": {
        "price": {"type": "integer"},
        "pause": {
            "anyOf": [{"type": "number", "description": "seconds"}, {"type": "null"}],
            "default": None,
        },
    },
    "required": ["price"],
}


def test_the_parameters_are_described_as_a_client_may_send_them() -> None:
    assert ACTIONS["none"].params == {"type": "object", "properties": {}, "required": []}
    assert ACTIONS["some"].params == {
        "type": "object",
        "properties": {
            "pk": {},
            "title": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
            "data": {
                "type": "object",
                "additionalProperties": {"description": "anything"},
            },
            "wait": {"type": "number", "description": "how long"},
            "flag": {"type": "boolean"},
        },
        "required": ["pk", "title", "items", "data", "flag"],
        "$defs": {"Item": ITEM},
    }


def test_what_an_action_returns_is_described_where_the_annotation_tells() -> None:
    assert ACTIONS["some"].returns == {
        "type": "array",
        "items": {"$ref": "#/$defs/Item"},
        "$defs": {"Item": ITEM},
    }
    assert ACTIONS["none"].returns == {"type": "null"}
    assert ACTIONS["triple"].returns["type"] == "array"


def test_a_pair_of_data_and_status_returns_its_data() -> None:
    assert ACTIONS["pair"].returns == {"type": "array", "items": {"type": "integer"}}


def test_where_the_annotation_does_not_tell_there_is_nothing() -> None:
    assert ACTIONS["reply"].returns == {}
    assert ACTIONS["unknown"].returns == {}
    assert ACTIONS["silent"].returns == {}
