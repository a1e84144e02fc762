"""What a consumer says of itself, as plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from django.urls import path

from aaah_core import (
    AllowAny,
    AsyncActionHandler,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    Composition,
    ConfigurationError,
    IsAuthenticated,
    IsOwner,
    Match,
    describe,
)
from aaah_core.cli.way import checks_of
from aaah_core.plan import consumer_plan
from aaah_core.testing import registry
from tests.conftest import action, collector, consumer, plugin


@action(
    doc="Say it.",
    params={"text": {"type": "string"}},
    returns={"type": "null"},
    writes=False,
    mode="none",
)
async def say(self, text):
    pass


@action
async def hello(self):
    return "hello"


class Inner(AsyncActionHandler):
    hello = hello


class Outer(AsyncAPIActionHandler):
    permission_classes = [IsOwner]
    routepatterns = [path("inner/<int:n>/", Inner.as_aaah())]


class Site(AsyncAPIConsumer):
    permission_classes = [IsAuthenticated]
    routepatterns = [path("outer/", Outer.as_aaah())]
    say = say
    hello = hello


HELLO = {
    "name": "hello",
    "doc": "",
    "params": {},
    "returns": {},
    "writes": True,
    "mode": "response",
}
SAY = {
    "name": "say",
    "doc": "Say it.",
    "params": {"text": {"type": "string"}},
    "returns": {"type": "null"},
    "writes": False,
    "mode": "none",
}


def test_everything_a_client_could_be_told_is_there(core):
    assert describe(Site) == {
        "consumer": f"{__name__}.Site",
        "wire": "aaah",
        "codecs": ["json"],
        "subprotocols": ["aaah.json"],
        "routes": [
            {
                "route": "",
                "handler": f"{__name__}.Site",
                "permissions": ["IsAuthenticated"],
                "actions": [HELLO, SAY],
            },
            {
                "route": "outer/",
                "handler": f"{__name__}.Outer",
                "permissions": ["IsAuthenticated", "IsOwner"],
                "actions": [],
            },
            {
                "route": "outer/inner/<int:n>/",
                "handler": f"{__name__}.Inner",
                "permissions": ["IsAuthenticated", "IsOwner"],
                "actions": [HELLO],
            },
        ],
    }


def test_a_description_is_plain_data_of_its_own(core):
    described = describe(Site)
    assert json.loads(json.dumps(described)) == described
    described["routes"][0]["actions"][1]["params"]["more"] = {}
    assert describe(Site)["routes"][0]["actions"][1]["params"] == SAY["params"]


def test_a_composition_and_an_instance_are_named_too(core):
    composed = ~IsOwner & (IsAuthenticated | IsOwner | AllowAny) & ~(IsOwner & AllowAny)
    chat = consumer(permission_classes=[composed, IsOwner | ~IsAuthenticated, AllowAny()])
    first, second, instance = describe(chat)["routes"][0]["permissions"]
    assert first == "(~IsOwner & ((IsAuthenticated | IsOwner) | AllowAny)) & ~(IsOwner & AllowAny)"
    assert second == "IsOwner | ~IsAuthenticated"
    assert instance == "AllowAny"


def test_an_entry_is_named_by_its_class_as_its_repr_may_hold_a_secret(core):
    @dataclass
    class HasHeader(AllowAny):
        value: str

        async def has_permission(self, *args, **kwargs):
            return True

    entry = HasHeader("s3cret")
    chat = consumer(permission_classes=[entry, entry | AllowAny])
    assert describe(chat)["routes"][0]["permissions"] == ["HasHeader", "HasHeader | AllowAny"]
    plan = consumer_plan(chat)
    assert "s3cret" not in str([plan.answers, checks_of(plan)])


@pytest.mark.parametrize(("operator", "name"), [("and", "IsOwner"), ("not", "~IsOwner")])
def test_a_composition_of_one_is_negated_only_by_not(core, operator, name):
    chat = consumer(permission_classes=[Composition(operator, [IsOwner])])
    assert describe(chat)["routes"][0]["permissions"] == [name]


def test_what_a_resolver_does_not_list_is_not_described():
    def resolver(handler_class):
        return (lambda route, call: Match(Inner)) if handler_class.__name__ == "Chat" else None

    with registry(collector(), plugin(aaah_route_resolver=resolver)):
        assert [each["route"] for each in describe(consumer())["routes"]] == [""]


def test_a_consumer_that_cannot_be_compiled_cannot_be_described(core):
    with pytest.raises(ConfigurationError, match="nobodys"):
        describe(consumer(wire="nobodys"))
