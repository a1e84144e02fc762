"""Values that break the type of a parameter, of a field of a serializer, or what a row can hold."""

from __future__ import annotations

from typing import Any

TEXTS = ("x", "", "5")
CONTAINERS = ([], {}, [5], {"value": 5})


def given(name: str, *values: Any) -> list[Any]:
    return [{"action": f"take_{name}", "value": value} for value in values]


#: By rule: a status, and payloads. The actions are `Typed`'s.
TYPES: dict[str, tuple[int, list[Any]]] = {
    "a parameter of type int is an integer": (
        400,
        given("int", *TEXTS, 1.5, None, True, *CONTAINERS),
    ),
    "a parameter of type float is a number": (400, given("float", *TEXTS, None, True, *CONTAINERS)),
    "a parameter of type bool is a bool": (400, given("bool", *TEXTS, 0, 1, None, *CONTAINERS)),
    "a parameter of type str is text": (400, given("str", 5, 1.5, None, True, *CONTAINERS)),
    "a parameter of type date is a date": (
        400,
        given("date", *TEXTS, 5, None, "2026-02-30", "2026-13-01", "2026-1-1", "0000-01-01", []),
    ),
    "a parameter of type datetime is one": (
        400,
        given("datetime", *TEXTS, None, "2026-01-01T25:00", "2026-01-01T00:00:00+99:00", []),
    ),
    "a parameter of type UUID is one": (
        400,
        given("uuid", *TEXTS, 5, None, "g" * 32, "0" * 31, []),
    ),
    "a parameter of type Decimal is a number": (
        400,
        given("decimal", "", "x", "1,5", None, True, [], {}, "--1"),
    ),
    "a parameter of an enum is one of its values": (400, given("enum", "", "RED", 5, None, [], {})),
    "a parameter of a Literal is one of its values": (
        400,
        given("literal", "", "c", 1, None, ["a"]),
    ),
    "a parameter of a list of integers has nothing else": (
        400,
        given("list", None, 5, "5", {}, ["5"], [1.5], [None], [[1]]),
    ),
    "a parameter of a dict has values of its type": (
        400,
        given("dict", None, [], "x", {"a": "b"}, {"a": None}),
    ),
    "a parameter of a dataclass is an object": (400, given("item", None, [], "x", 5)),
    "a parameter of a dataclass has its fields": (400, given("item", {}, {"tags": []})),
    "a field of a dataclass has its type": (
        400,
        given("item", {"price": "5"}, {"price": 5, "tags": "x"}, {"price": 5, "tags": [1]}),
    ),
    "what a dataclass refuses is refused": (400, given("item", {"price": -1})),
    "a parameter with a bound keeps to it": (400, given("bounded", 0, 11, -(2**63), 2**64 - 1)),
    "a parameter with a pattern matches it": (400, given("pattern", "", "a b", "a" * 9, "é")),
    "a parameter of a union is one of its types": (400, given("union", 1.5, [], {}, True)),
}


def saved(**fields: Any) -> dict[str, Any]:
    good = {"name": "x", "number": 1, "state": "new"}
    return {"action": "save", "data": {**good, **fields}}


#: The serializer is `Fields`.
FIELDS: dict[str, tuple[int, list[Any]]] = {
    "data of a serializer is an object": (
        400,
        [{"action": "save", "data": each} for each in ([], None, "x", 5, True, [[]])],
    ),
    "a required field is there": (400, [{"action": "save", "data": {}}]),
    "a field is not null unless it may be": (400, [saved(name=None), saved(number=None)]),
    "a field of text is not blank unless it may be": (400, [saved(name=""), saved(name="  ")]),
    "a field of text holds text": (400, [saved(name=each) for each in (True, [], {})]),
    "a field of text is as long as it may be": (400, [saved(name="x" * 11), saved(name="é" * 11)]),
    "a field of an integer holds one": (
        400,
        [saved(number=each) for each in ("x", "", 1.5, [], {}, "1" * 2_000)],
    ),
    "a field of an integer keeps to its bounds": (400, [saved(number=11), saved(number=2**64 - 1)]),
    "a field of a choice is one of them": (400, [saved(state=each) for each in ("NEW", [], {}, 5)]),
    "a field of a date holds one": (400, [saved(day=each) for each in ("x", 5, [], "2026-02-30")]),
    "a field of a decimal holds one": (
        400,
        [saved(price=each) for each in ("x", [], {}, "NaN", "Infinity", "1e999", "9" * 1_001)],
    ),
    "a field of a decimal has the digits it may have": (
        400,
        [saved(price="1.234"), saved(price=1e9)],
    ),
    "a field of a bool holds one": (400, [saved(active=each) for each in ("x", 5, [], {}, [True])]),
    "a field of a UUID holds one": (
        400,
        [saved(mark=each) for each in ("x", 1.5, [], {}, "g" * 32)],
    ),
    "a field of an e-mail address holds one": (
        400,
        [saved(mail=each) for each in ("x", "@", "a@b")],
    ),
    "a field of a URL holds one": (
        400,
        [saved(link=each) for each in ("x", "http://[", "http://")],
    ),
    "a field of an IP address holds one": (
        400,
        [saved(ip=each) for each in ("x", "1.2.3.999", ":")],
    ),
    "a field of a duration holds one": (400, [saved(pause=each) for each in ("x", [], "9" * 40)]),
    "a field of a list holds one": (400, [saved(tags=each) for each in ("x", 5, {}, [None], [[]])]),
    "a field of a list is as long as it may be": (400, [saved(tags=["x"] * 4)]),
    "a nested serializer holds an object": (400, [saved(inner=each) for each in ([], "x", 5, {})]),
}

#: A key of a row, as one may come: none of these rows is there.
ROWS: dict[str, tuple[int, list[Any]]] = {
    "a row that is not there is not found": (
        404,
        [
            {"action": "retrieve", "route": "things/99/"},
            {"action": "destroy", "route": "things/0/"},
        ],
    ),
    "a key beyond what a database counts to is not found": (
        404,
        [
            {"action": "retrieve", "route": f"things/{each}/"}
            for each in (2**31, 2**63, 2**64, 10**30, "9" * 200)
        ],
    ),
}
