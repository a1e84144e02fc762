"""What the callables of a plugin give wrongly, while calls run: what the log says of it."""

from __future__ import annotations

import json

import pytest

from aaah_core import WrongAnswer, apublish
from aaah_core import registry as registries
from aaah_core.testing import Refused, connect
from tests.moth import Chat, install, mine, require, returns

__all__ = ["install"]  # a fixture


@pytest.mark.parametrize("answer", ["'msgpack'", "7", "[]"])
async def test_a_codec_that_is_not_allowed_is_a_wrong_answer_in_the_log(install, caplog, answer):
    install("moth", returns("aaah_select_codec", answer))
    with registries.use(registries.build()):
        application = Chat.as_asgi()
        with pytest.raises(Refused):
            async with connect(application, headers={"Cookie": "sessionid=secret"}):
                raise AssertionError
    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    require(error, WrongAnswer, ["its aaah_select_codec returned", "not among ('json',)"])
    assert "secret" not in caplog.text


async def test_a_choice_of_codec_that_raises_tells_nothing_of_the_handshake(install, caplog):
    install("moth", returns("aaah_select_codec", "{}['key']"))
    with registries.use(registries.build()):
        application = Chat.as_asgi()
        with pytest.raises(Refused):
            async with connect(application, headers={"Cookie": "sessionid=secret"}):
                raise AssertionError
    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    require(error, WrongAnswer, ["its aaah_select_codec raised KeyError: 'key'", "Chat"])
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "plain", ["Reply()", "'a reply'", "None"], ids=["a reply", "text", "nothing"]
)
async def test_a_middleware_that_is_plain_is_a_wrong_answer_in_the_log(install, caplog, plain):
    source = f"def mine(call, call_next):\n    return {plain}"
    install("moth", returns("aaah_middleware", "mine", source))
    with registries.use(registries.build()):
        async with connect(Chat.as_asgi()) as client:
            assert (await client.call("nothing"))["status"] == 500
    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    says = ["which is plain and gave", "async def middleware(call, call_next)"]
    require(error, WrongAnswer, says)


async def test_a_plain_middleware_that_gives_an_awaitable_is_none(install):
    source = "def mine(call, call_next):\n    return call_next(call)"
    install("moth", returns("aaah_middleware", "mine", source))
    with registries.use(registries.build()):
        async with connect(Chat.as_asgi()) as client:
            assert (await client.call("nothing"))["status"] == 405


#: A wire of which the shaper is right, or the plugin's own.
WIRE = """
def mine(call, reply):
    return {"status": 500} if reply.status == 500 else object()

def plain_(call, reply):
    return {"status": reply.status}

@hookimpl
def aaah_response_shaper(consumer_class):
    return plain_ if consumer_class.wire == "mine" else None
"""


PARSE = returns("aaah_request_parser", "parse", "def parse(payload): return Call('say')")
SHOUTS = "async def shout(handler, call): raise LookupError"
SHOUTING = "\n@hookimpl\ndef aaah_actions():\n    return {'shout': Action('shout', run=shout)}\n"


#: By mistake: the module of the plugin, what is called, and what the log says.
AT_RUN_TIME = {
    "an action that is plain without sync=True": (
        returns("aaah_actions", "{'say': Action('say', run=mine)}", mine("'x'", kind="def")),
        {"action": "say"},
        ["without sync=True, `run` is awaited, and <function mine", "is plain and gave str"],
    ),
    "a resolver that gives a class": (
        returns("aaah_route_resolver", "mine", mine("Reply", kind="def")),
        {"action": "say", "route": "leaf/"},
        ["aaah_route_resolver returned <function mine", "which gave StructMeta and no Match"],
    ),
    "a resolver that is async and gives text": (
        returns("aaah_route_resolver", "mine", mine("'leaf'")),
        {"action": "say", "route": "leaf/"},
        ["which gave str and no Match", "(route, call) that gives a Match or None"],
    ),
    "a resolver after one that has to wait": (
        "async def waits(route, call): ...\n"
        + returns("aaah_route_resolver", "mine", mine("7", kind="def")),
        {"action": "say", "route": "leaf/"},
        ["<function mine", "which gave int and no Match"],
    ),
    "a resolver that gives a match with a list for kwargs": (
        returns("aaah_route_resolver", "mine", mine("Match(Reply, kwargs=[1])", kind="def")),
        {"action": "say", "route": "leaf/"},
        ["which gave a Match with list for `kwargs` and no Mapping"],
    ),
    "a resolver that waits and gives a match with nothing for the rest": (
        returns("aaah_route_resolver", "mine", mine("Match(Reply, rest=None)")),
        {"action": "say", "route": "leaf/"},
        ["which gave a Match with NoneType for `rest` and no str"],
    ),
    "a resolver that gives a match with a list for its handler": (
        returns("aaah_route_resolver", "mine", mine("Match([])", kind="def")),
        {"action": "say", "route": "leaf/"},
        ["which gave a Match whose class is no handler"],
    ),
    "a resolver that gives a match with no handler": (
        returns("aaah_route_resolver", "mine", mine("Match(Reply)", kind="def")),
        {"action": "say", "route": "leaf/"},
        ["which gave a Match whose class is no handler"],
    ),
    "an exception handler that gives data": (
        SHOUTS + SHOUTING + returns("aaah_exception_handlers", "{LookupError: mine}", mine("{}")),
        {"action": "shout"},
        ["its aaah_exception_handlers returned", "which gave dict and no Reply"],
    ),
    "a middleware that gives data": (
        returns("aaah_middleware", "mine", mine("{}")),
        {"action": "nothing"},
        ["its aaah_middleware returned <function mine", "which gave dict and no Reply"],
    ),
    "a middleware around an action that gives nothing": (
        SHOUTS + SHOUTING + returns("aaah_middleware", "mine", mine("None")),
        {"action": "shout"},
        ["its aaah_middleware returned <function mine", "which gave NoneType and no Reply"],
    ),
    "a parser that gives the payload": (
        WIRE + returns("aaah_request_parser", "mine", mine("{}", kind="def")),
        {"action": "say"},
        ["its aaah_request_parser returned <function mine", "which gave dict and no Call"],
    ),
    "a parser that gives a list of payloads": (
        WIRE + returns("aaah_request_parser", "mine", mine("[{}]", kind="def")),
        {"action": "say"},
        ["its aaah_request_parser returned <function mine", "which gave dict and no Call"],
    ),
    "a shaper that gives an object": (
        WIRE.replace("return plain_", "return mine") + PARSE,
        {"action": "say"},
        ["its aaah_response_shaper returned <function mine", "which gave object and no payload"],
    ),
    "a shaper that gives the reply": (
        WIRE.replace("return plain_", "return mine").replace("object()", "reply") + PARSE,
        {"action": "say"},
        ["its aaah_response_shaper returned <function mine", "which gave Reply and no payload"],
    ),
    "a parser that gives an empty list": (
        WIRE + returns("aaah_request_parser", "mine", mine("[]", kind="def")),
        {"action": "say"},
        ["its aaah_request_parser returned <function mine", "gave an empty list and no Call"],
    ),
    "a parser that gives an action which is no text": (
        WIRE + returns("aaah_request_parser", "mine", mine("Call(5)", kind="def")),
        {"action": "say"},
        ["returned <function mine", "which gave a Call with int as `action`, and no text"],
    ),
}


FAILING = WIRE.replace("return plain_", "return mine") + PARSE


async def test_a_shaper_that_raises_is_asked_again_and_named_in_the_log(install, caplog):
    install("moth", FAILING.replace("object()", "{}['key']"))
    consumer_class = type("Own", (Chat,), {"permission_classes": (), "wire": "mine"})
    with registries.use(registries.build()):
        async with connect(consumer_class.as_asgi()) as client:
            await client.send_frame("{}")
            assert await client.receive() == {"status": 500}
    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    says = ["its aaah_response_shaper returned <function mine", "raised KeyError: 'key', given a"]
    require(error, WrongAnswer, [*says, "given a reply of 405", "Mend the plugin"])


async def test_a_shaper_that_always_raises_ends_the_connection_and_is_named_in_the_log(
    install, caplog
):
    install(
        "moth", FAILING.replace('{"status": 500} if reply.status == 500 else object()', "1 / 0")
    )
    consumer_class = type("Own", (Chat,), {"permission_classes": (), "wire": "mine"})
    with registries.use(registries.build()):
        async with connect(consumer_class.as_asgi()) as client:
            await client.send_frame("{}")
            with pytest.raises(Refused) as refused:
                await client.receive()
    assert refused.value.code == 4503
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    for error, status in zip(errors, (405, 500), strict=True):
        require(error, WrongAnswer, ["raised ZeroDivisionError", f"given a reply of {status}"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("1 / 0", "which raised ZeroDivisionError: division by zero, given the event 'news'"),
        ("reply", "which gave Event and no payload"),
    ],
)
async def test_an_event_that_a_shaper_fails_of_is_lost_and_named_in_the_log(
    install, caplog, given, says
):
    body = f'{{"status": 200}} if call or reply.name == "good" else {given}'
    failing = FAILING.replace('{"status": 500} if reply.status == 500 else object()', body)
    install("moth", failing)
    own = {"permission_classes": (), "wire": "mine", "groups": ["room"]}
    with registries.use(registries.build()):
        async with connect(type("Own", (Chat,), own).as_asgi()) as client:
            await apublish("room", "news", {})
            await apublish("room", "good", {})
            assert await client.receive() == {"status": 200}
    [record] = [record for record in caplog.records if record.exc_info]
    assert "an event of type 'news' failed in Own" in record.getMessage()
    require(record.exc_info[1], WrongAnswer, ["its aaah_response_shaper", says])


@pytest.mark.parametrize(("source", "request_", "says"), AT_RUN_TIME.values(), ids=AT_RUN_TIME)
async def test_what_a_callable_gives_wrongly_is_a_wrong_answer_in_the_log(
    install, caplog, source, request_, says
):
    own = {"wire": "mine"} if "aaah_response_shaper" in source else {}
    consumer_class = type("Own", (Chat,), {"permission_classes": (), **own})
    install("moth", source)
    with registries.use(registries.build()):
        async with connect(consumer_class.as_asgi()) as client:
            await client.send_frame(json.dumps(request_))
            frame = await client.receive_frame()
    assert "500" in frame
    assert "mine" not in frame
    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    require(error, WrongAnswer, [*says, "Expected: ", "Write for example: "])


async def test_a_connection_that_gives_nothing_to_enter_is_a_wrong_answer_in_the_log(
    install, caplog
):
    install("moth", returns("aaah_connection", "mine", mine("7", kind="def")))
    with registries.use(registries.build()):
        async with connect(Chat.as_asgi()) as client:
            with pytest.raises(Refused):
                await client.receive_frame()
    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    require(error, WrongAnswer, ["<function mine", "gave int and no async context manager"])
