"""Answers of hooks that cannot be: what a start says of them."""

from __future__ import annotations

import pytest
from django.test import override_settings

from aaah_core import AsyncAPIConsumer, Codec, ConfigurationError, WrongAnswer
from aaah_core import registry as registries
from tests.moth import ACTION, ASYNC, CODEC, Chat, install, refusal, require, returns

__all__ = ["install"]  # a fixture

CHECK = "class Mine(Check): ..."
RESOLVER = "def mine(route, call): ...\n"
GENERATOR = "def mine(*arguments):\n    yield"
ANSWERS = {
    "codecs that are no list": (returns("aaah_codecs", "7"), ["7, which is no Iterable"]),
    "the name of a codec": (returns("aaah_codecs", "'json'"), ["'json', which is no list"]),
    "codecs by name": (returns("aaah_codecs", "{'a': 7}"), ["{'a': 7}, which is no list"]),
    "a codec that cannot be made": (
        returns("aaah_codecs", "[Codec()]"),
        ["raised TypeError: Can't instantiate abstract class Codec", ". Mend the plugin"],
    ),
    "a hook that yields": (
        "@hookimpl\ndef aaah_middleware():\n    yield",
        ["returned a generator, as it yields what it should return", "return middleware"],
    ),
    "an action whose name is a number": (
        returns("aaah_actions", "{5: Action(5, run=mine)}", ASYNC),
        ["the action 5 of Chat, which is no name: a name is text"],
    ),
    "an object that has an address": (
        returns("aaah_middleware", "object()"),
        ["returned <object object>, which cannot be called"],
    ),
    "a codec that is a class": (
        returns("aaah_codecs", "[Tick]", CODEC.format(name="tick", frame="text")),
        ["Tick'>, which is no Codec", "return [MyCodec()]"],
    ),
    "a codec without a name": (
        returns("aaah_codecs", "[Tick()]", CODEC.format(name="", frame="text")),
        ["the `name` of a codec is text that is not empty"],
    ),
    "a codec with a name that no subprotocol can have": (
        returns("aaah_codecs", "[Tick()]", CODEC.format(name="Tick Tock", frame="text")),
        ["small letters, digits, dots, hyphens and underscores, and not 'Tick Tock'"],
    ),
    "a codec that writes async": (
        returns(
            "aaah_codecs",
            "[Tick()]",
            CODEC.format(name="tick", frame="text").replace("def encode", "async def encode"),
        ),
        ["its encode is async, and is called without `await`"],
    ),
    "a codec that reads async": (
        returns(
            "aaah_codecs",
            "[Tick()]",
            CODEC.format(name="tick", frame="text").replace("def decode", "async def decode"),
        ),
        ["its decode is async, and is called without `await`"],
    ),
    "a codec with a frame of no kind": (
        returns("aaah_codecs", "[Tick()]", CODEC.format(name="tick", frame="binary")),
        ["the `frame` of a codec is 'text' or 'bytes', and not 'binary'"],
    ),
    "a check that is a class": (
        returns("aaah_permission_check", "Mine", CHECK),
        ["Mine'>, which is no Check", "return MyCheck()"],
    ),
    "a check that is a bool": (
        returns("aaah_permission_check", "True"),
        ["True, which is no Check", "an object of a child of Check"],
    ),
    "a resolver that is a list": (
        returns("aaah_route_resolver", "[1]"),
        ["[1], which cannot be called", "(route, call)"],
    ),
    "a resolver with routes that are no pairs": (
        returns("aaah_route_resolver", "mine", f"{RESOLVER}mine.routes = ['a']"),
        ["with the routes ['a'], which are no pairs of a text and a handler class"],
    ),
    "a resolver with routes that are no list": (
        returns("aaah_route_resolver", "mine", f"{RESOLVER}mine.routes = 7"),
        ["with the routes 7, which are no pairs of a text and a handler class"],
    ),
    "a resolver with routes to no handler": (
        returns("aaah_route_resolver", "mine", f"{RESOLVER}mine.routes = [('a', int)]"),
        ["with the routes [('a', <class 'int'>)], which are no pairs"],
    ),
    "a middleware that is a reply": (
        returns("aaah_middleware", "Reply()"),
        ["which cannot be called", "async def middleware(call, call_next)"],
    ),
    "a middleware that is a generator": (
        returns("aaah_middleware", "mine", GENERATOR),
        ["is awaited, and", "is a generator"],
    ),
    "a parser that is a payload": (
        returns("aaah_request_parser", "{}"),
        ["{}, which cannot be called", "a callable (payload) that gives a Call"],
    ),
    "a parser that is async": (
        returns("aaah_request_parser", "mine", ASYNC),
        ["which is async, and is called without `await`"],
    ),
    "a shaper that is async": (
        returns("aaah_response_shaper", "mine", ASYNC),
        ["which is async, and is called without `await`"],
    ),
    "a shaper that is a generator": (
        returns("aaah_response_shaper", "mine", GENERATOR),
        ["which is a generator"],
    ),
    "actions that are a list": (
        returns("aaah_actions", "[1]"),
        ["[1], which is no Mapping", 'return {"ping": Action('],
    ),
    "an action that is a function": (
        returns("aaah_actions", "{'say': mine}", ASYNC),
        ["which is no Action"],
    ),
    "an action of another name": (
        returns("aaah_actions", "{'speak': " + ACTION.format("") + "}", ASYNC),
        ["the action 'speak' of", "named 'say'"],
    ),
    "an async action that is said to be sync": (
        returns("aaah_actions", "{'say': " + ACTION.format(", sync=True") + "}", ASYNC),
        ["with sync=True and a `run` that is async"],
    ),
    "an action that is a generator": (
        returns("aaah_actions", "{'say': " + ACTION.format("") + "}", GENERATOR),
        ["without sync=True, `run` is awaited, and", "is a generator"],
    ),
    "exception handlers that are a list": (
        returns("aaah_exception_handlers", "[LookupError]"),
        ["which is no Mapping", "return {LookupError: not_found}"],
    ),
    "an exception handler of no exception": (
        returns("aaah_exception_handlers", "{'LookupError': print}"),
        ["'LookupError', which is no class of exceptions"],
    ),
    "an exception handler that is a reply": (
        returns("aaah_exception_handlers", "{LookupError: Reply()}"),
        ["which cannot be called"],
    ),
    "a connection without its decorator": (
        returns("aaah_connection", "mine", "async def mine(consumer):\n    yield"),
        ["which is a generator", "with @asynccontextmanager above"],
    ),
    "a connection that is a coroutine": (
        returns("aaah_connection", "mine", ASYNC),
        ["which is async, and is called without `await`", "@asynccontextmanager"],
    ),
    "a middleware that is a class": (
        returns("aaah_middleware", "Reply"),
        ["Reply'>, which is a class", "return middleware"],
    ),
    "a resolver that is a class": (
        returns("aaah_route_resolver", "Match"),
        ["Match'>, which is a class"],
    ),
    "a middleware that takes too little": (
        returns("aaah_middleware", "mine", "async def mine(call: Call): ..."),
        ["which takes (call) and is given (call, call_next)"],
    ),
    "an exception handler that takes too much": (
        returns("aaah_exception_handlers", "{OSError: mine}", "def mine(call, error, more): ..."),
        ["which takes (call, error, more) and is given (call, exception)"],
    ),
    "a parser that takes nothing": (
        returns("aaah_request_parser", "mine", "def mine(): ..."),
        ["which takes () and is given (payload)"],
    ),
    "a connection whose argument has no place": (
        returns("aaah_connection", "mine", "def mine(*, consumer): ..."),
        ["which takes (*, consumer) and is given (consumer)"],
    ),
    "an action that takes too little": (
        returns("aaah_actions", "{'say': " + ACTION.format("") + "}", "async def mine(call): ..."),
        ["the action 'say' of Chat with the `run` <function", "which takes (call) and is given"],
    ),
    "a hook that raises": (
        returns("aaah_actions", "{}['say']"),
        ["its aaah_actions raised KeyError: 'say'", "asked about", "Mend the plugin"],
    ),
}


@pytest.mark.parametrize(("source", "says"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_the_wrong_kind_is_a_wrong_answer(install, source, says):
    install("moth", source)
    require(refusal(), WrongAnswer, says)


FAITHFUL = """
class Tick(Codec):
    name = "json"
    frame = "text"
    def encode(self, payload):
        return {encoded}
    def decode(self, frame, limits):
        return {decoded}
"""


@pytest.mark.parametrize(
    ("encoded", "decoded", "says"),
    [
        ("b'{}'", "{}", "its encode gives str, as its `frame` is 'text', and not bytes"),
        ("None", "{}", "its encode gives str, as its `frame` is 'text', and not NoneType"),
        ("'{}'", "None", "its decode gives back what was encoded, and not NoneType"),
        ("b'{}'", "frame.encode()", "its encode gives str, as its `frame` is 'text'"),
    ],
)
def test_a_codec_that_makes_no_frames_or_reads_none_is_a_wrong_answer(
    install, encoded, decoded, says
):
    source = FAITHFUL.format(encoded=encoded, decoded=decoded)
    install("moth", returns("aaah_codecs", "[Tick()]", source))
    with override_settings(AAAH={"DISABLED_PLUGINS": ["json"]}):
        require(refusal(), WrongAnswer, [says, "return [MyCodec()]"])


def test_a_codec_of_a_consumers_own_that_makes_no_frames_is_told_with_the_consumer():
    class Tick(Codec):
        name, frame = "tick", "bytes"

        def encode(self, payload):
            return "{}"

        def decode(self, frame, limits):
            return {}

    with pytest.raises(ConfigurationError, match=r"Mine\.codecs has .*its encode gives bytes, as"):
        type("Mine", (AsyncAPIConsumer,), {"codecs": [Tick()]}).as_asgi()


@pytest.mark.parametrize(
    ("encoded", "decoded"), [("payload['data']", "{}"), ("'{}'", "frame.nothing")]
)
def test_a_codec_that_cannot_carry_an_empty_payload_is_left_to_its_calls(install, encoded, decoded):
    source = FAITHFUL.format(encoded=encoded, decoded=decoded)
    install("moth", returns("aaah_codecs", "[Tick()]", source))
    with (
        override_settings(AAAH={"DISABLED_PLUGINS": ["json"]}),
        registries.use(registries.build()),
    ):
        Chat.as_asgi()


@pytest.mark.parametrize(
    "source",
    [
        returns("aaah_middleware", "print"),
        returns("aaah_middleware", "mine", "async def mine(call, call_next, own=7): ..."),
        returns("aaah_middleware", "mine", f"{ASYNC}\nmine.__signature__ = 7"),
        returns(
            "aaah_middleware",
            "mine",
            "import functools\n"
            "async def more(call, call_next, own): ...\n"
            "@functools.wraps(more)\nasync def mine(call, call_next): ...",
        ),
        returns(
            "aaah_connection",
            "Mine",
            "class Mine:\n"
            "    def __init__(self, consumer): ...\n"
            "    async def __aenter__(self): ...\n"
            "    async def __aexit__(self, *error): ...",
        ),
    ],
    ids=["built in", "a default of its own", "nothing to be told", "a decorator", "a class"],
)
def test_a_callable_that_may_take_what_it_is_given_starts(install, source):
    install("moth", source)
    with registries.use(registries.build()):
        Chat.as_asgi()


@pytest.mark.parametrize(
    ("hook", "other"),
    [
        ("aaah_request_parser", "aaah_response_shaper"),
        ("aaah_response_shaper", "aaah_request_parser"),
    ],
)
def test_half_a_wire_is_told_with_who_has_the_other_half(install, hook, other):
    source = "@hookimpl\ndef {}(consumer_class):\n    {} if consumer_class.wire == 'mine' else None"
    own = type("Own", (Chat,), {"wire": "mine"})
    install("moth", source.format(hook, "return print"))
    with registries.use(registries.build()), pytest.raises(ConfigurationError) as caught:
        own.as_asgi()
    assert f"no loaded plugin answers {other} for it. Plugin 'moth' (aaah-moth" in str(caught.value)


def test_half_a_wire_that_is_wrong_itself_is_told_first(install):
    install("moth", returns("aaah_response_shaper", "{}"))
    own = type("Own", (Chat,), {"wire": "mine"})
    with registries.use(registries.build()), pytest.raises(WrongAnswer, match="cannot be called"):
        own.as_asgi()
