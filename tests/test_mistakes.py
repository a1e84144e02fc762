"""Every mistake that the author of a plugin can make: its class, and what its message says.

Each says which plugin of which distribution, what was found, what was expected and what to do.
"""

from __future__ import annotations

import itertools
import json
import sys
import textwrap

import pytest
from django.test import override_settings
from django.urls import path

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    Codec,
    ConfigurationError,
    IsAuthenticated,
    OfferedTwice,
    PluginError,
    PluginNotLoaded,
    WrongAnswer,
    WrongCore,
    WrongHook,
    WrongSettings,
    apublish,
    conf,
    errors,
)
from aaah_core import registry as registries
from aaah_core.testing import Refused, connect

HEAD = "from aaah_core import *\n"
HOOK = "@hookimpl\ndef aaah_middleware(): ...\n"

_modules = itertools.count(1)


@pytest.fixture(autouse=True)
def no_declarations(monkeypatch):
    """Forget the settings that plugins of a test declared."""
    monkeypatch.setattr(conf, "declared", dict(conf.declared))


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with one plugin."""
    made = []

    def install(name, source, *, requires="aaah-core>=0.1,<0.2", declared=""):
        module = f"aaah_author_{next(_modules)}"
        made.append(module)
        (tmp_path / f"{module}.py").write_text(HEAD + textwrap.dedent(source))
        folder = tmp_path / f"aaah_{name}_{module}-1.5.dist-info"
        folder.mkdir()
        distribution = f"aaah-{name}-{len(made)}" if len(made) > 1 else f"aaah-{name}"
        head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
        (folder / "METADATA").write_text(f"{head}Requires-Dist: {requires}\n")
        points = f"[aaah]\n{name} = {declared.format(module) or module}\n"
        (folder / "entry_points.txt").write_text(points)
        return module

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    for module in made:
        sys.modules.pop(module, None)


class Leaf(AsyncAPIActionHandler):
    pass


class Chat(AsyncAPIConsumer):
    permission_classes = (IsAuthenticated,)
    routepatterns = [path("leaf/", Leaf.as_aaah())]


def refusal():
    """Return what a start raises, with the plugins that are installed now."""
    with registries.use(registries.build()), pytest.raises(ConfigurationError) as caught:
        Chat.as_asgi()
    return caught.value


def returns(hook, answer, before=""):
    """Return a module whose hook returns this."""
    return f"{before}\n@hookimpl\ndef {hook}():\n    return {answer}\n"


#: By mistake: the class, the module of the plugin, and what the message says.
HOOKS = {
    "a hook that is misspelt": (
        "@hookimpl\ndef aaah_midleware(): ...",
        ["aaah_midleware, which is no hook", "did you mean 'aaah_middleware'?", "aaah_codecs"],
    ),
    "a hook that is misspelt and not marked": (
        "def aaah_midleware(): ...",
        ["aaah_midleware is no hook and has no mark", "did you mean 'aaah_middleware'?"],
    ),
    "a name of a hook that is misspelt": (
        "@hookimpl(specname='aaah_midleware')\ndef audit(): ...",
        ["it implements aaah_midleware, which is no hook", "did you mean 'aaah_middleware'?"],
    ),
    "a middleware for a hook": (
        "@hookimpl\ndef aaah_middleware(call, call_next): ...",
        ["takes 'call'", "A function of (call, call_next) is what it returns: return that one"],
    ),
    "an argument that is misspelt": (
        "@hookimpl\ndef aaah_middleware(handler_clas): ...",
        ["takes 'handler_clas'", "did you mean 'handler_class'?", "handler_class, action"],
    ),
    "an argument of another hook": (
        "@hookimpl\ndef aaah_codecs(consumer_class): ...",
        ["aaah_codecs takes 'consumer_class', which is no argument", "It may take: nothing"],
    ),
    "an argument with a default": (
        "@hookimpl\ndef aaah_middleware(action=None): ...",
        ["takes action=None", "without a default"],
    ),
    "any arguments": (
        "@hookimpl\ndef aaah_middleware(**kwargs): ...",
        ["takes **kwargs, and nothing is ever given so", "handler_class, action"],
    ),
    "a hook that is async": (
        "@hookimpl\nasync def aaah_middleware(): ...",
        ["aaah_middleware is async", "what they return may be async", "Write def"],
    ),
    "a hook that is a wrapper": (
        "@hookimpl(wrapper=True)\ndef aaah_codecs():\n    return (yield)",
        ["aaah_codecs is a wrapper", "Write a plain @hookimpl"],
    ),
    "a forgotten mark": (
        "def aaah_codecs(): ...",
        ["aaah_codecs is not marked with @hookimpl", "Write @hookimpl above it"],
    ),
    "no hook at all": (
        "def helper(): ...",
        ["it implements no hook", "let the entry point lead to the module that has one"],
    ),
    "a class that is never instantiated": (
        "class Audit:\n    @hookimpl\n    def aaah_middleware(self): ...",
        ["a method of the class Audit", "Write `plugin = Audit()`", ":plugin"],
    ),
    "a class with a method that takes no self": (
        "class Audit:\n    @hookimpl\n    def aaah_codecs(): ...\nplugin = Audit()",
        ["a method of the class Audit", "Write `plugin = Audit()`"],
    ),
    "DRF at module level": (
        f"from rest_framework.exceptions import APIException\n{HOOK}",
        ["imports APIException of rest_framework", "Import it inside the hook's body"],
    ),
    "DRF itself at module level": (
        f"import rest_framework.settings\n{HOOK}",
        ["it imports rest_framework at module level", "Import it inside the hook's body"],
    ),
}

CHECK = "class Mine(Check): ..."
CODEC = """
class Tick(Codec):
    name = {name!r}
    frame = {frame!r}
    def encode(self, payload): ...
    def decode(self, frame, limits): ...
"""
ASYNC = "async def mine(*arguments): ..."
RESOLVER = "def mine(route, call): ...\n"
GENERATOR = "def mine(*arguments):\n    yield"
ACTION = "Action('say', run=mine{})"

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

LOADING = {
    "a module that raises": (
        "raise RuntimeError('the moon is full')",
        ["loading it raised RuntimeError: the moon is full", "mend the plugin"],
    ),
    "models at module level": (
        "from django.core.exceptions import AppRegistryNotReady\nraise AppRegistryNotReady('x')",
        ["AppRegistryNotReady", "import what needs settings or models inside the hook's body"],
    ),
    "an attribute that is missing": (
        "import os\nos.nope",
        ["AttributeError: module 'os' has no attribute 'nope'", "mend the plugin"],
    ),
    "a setting that is missing": (
        "from django.conf import settings\nsettings.NO_SUCH",
        ["AttributeError: ", "NO_SUCH", "mend the plugin"],
    ),
    "a mark with a misspelt option": (
        "@hookimpl(first=True)\ndef aaah_codecs(): ...",
        ["unexpected keyword argument 'first'", "write @hookimpl, with tryfirst=True or"],
    ),
    "no Python": (
        "def aaah_codecs(:",
        ["SyntaxError: invalid syntax (aaah_author_", "line 2) in /", "mend the plugin"],
    ),
    "an import that is missing": (
        "import nowhere_at_all",
        ["No module named 'nowhere_at_all'", "mend the plugin"],
    ),
}


def require(error, kind, says, distribution="aaah-moth 1.5"):
    message = str(error)
    assert type(error) is kind, message
    for part in ["Plugin 'moth'", distribution, *says]:
        assert part in message
    assert not any(end in message for end in ("..", "?.", " ,", " . ", "  "))


@pytest.mark.parametrize(("source", "says"), HOOKS.values(), ids=HOOKS)
def test_a_hook_that_would_not_be_asked_is_a_wrong_hook(install, source, says):
    module = install("moth", source)
    require(refusal(), WrongHook, [f"entry point 'moth = {module}'", *says])


def test_an_entry_point_to_a_class_is_a_wrong_hook(install):
    source = "class Audit:\n    @hookimpl\n    def aaah_middleware(self): ..."
    install("moth", source, declared="{}:Audit")
    require(refusal(), WrongHook, ["Audit was never instantiated", "Write `plugin = Audit()`"])


def test_a_method_without_self_is_a_wrong_hook(install):
    source = "class Audit:\n    @hookimpl\n    def aaah_codecs(): ...\nplugin = Audit()"
    install("moth", source, declared="{}:plugin")
    require(refusal(), WrongHook, ["aaah_codecs is a method without self", "Write self first"])


def test_an_object_that_is_made_and_named_by_the_entry_point_is_none(install):
    source = "class Audit:\n    @hookimpl\n    def aaah_codecs(self): ...\nplugin = Audit()"
    install("moth", source, declared="{}:plugin")
    assert registries.build().problems() == []


def test_an_argument_of_the_functions_own_with_a_default_is_none(install):
    install("moth", "@hookimpl\ndef aaah_middleware(action, own=7): ...")
    assert registries.build().problems() == []


def test_a_hook_of_which_the_arguments_cannot_be_told_is_left_to_be_asked(install):
    install("moth", f"{HOOK}\naaah_middleware.__signature__ = 7")
    assert registries.build().problems() == []


@pytest.mark.parametrize(("source", "says"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_of_the_wrong_kind_is_a_wrong_answer(install, source, says):
    install("moth", source)
    require(refusal(), WrongAnswer, says)


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


def mine(answer, before="", kind="async def"):
    return f"{before}\n{kind} mine(*arguments):\n    return {answer}"


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


def test_a_function_of_another_name_answers_the_hook_that_its_mark_names(install):
    install("moth", "@hookimpl(specname='aaah_middleware')\ndef audit(): ...")
    built = registries.build()
    assert built.problems() == []
    assert built.plugins["moth"].hooks == ["aaah_middleware"]


@pytest.mark.parametrize("name", ["aaah_settings", "aaah_middleware_of", "aaah_codec"])
def test_a_helper_that_is_named_like_no_hook_or_like_one_that_is_there_is_none(install, name):
    install("moth", f"{HOOK}\n@hookimpl\ndef aaah_codecs(): ...\ndef {name}(): ...")
    assert registries.build().problems() == []


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


@pytest.mark.parametrize(("source", "says"), LOADING.values(), ids=LOADING)
def test_a_module_that_does_not_load_is_not_loaded(install, source, says):
    install("moth", source)
    require(refusal(), PluginNotLoaded, [*says, "uninstall aaah-moth", "DISABLED_PLUGINS"])


@pytest.mark.parametrize(
    "declared", ["aaah_nowhere.plugin", "{}.plugin", "{}:nothing", "{}:plugin.nothing"]
)
def test_an_entry_point_to_nothing_is_not_loaded(install, declared):
    install("moth", f"{HOOK}\nplugin = 7", declared=declared)
    require(refusal(), PluginNotLoaded, ["mend [project.entry-points.aaah]", "install it again"])


def test_another_core_is_a_wrong_core(install):
    install("moth", HOOK, requires="aaah-core>=9,<10")
    require(refusal(), WrongCore, ["it needs aaah-core<10,>=9", "install versions that fit"])


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (HOOK, "both offer a plugin of this name"),
        (
            returns("aaah_codecs", "[Tick()]", CODEC.format(name="tick", frame="text")),
            "The codec 'tick' is offered twice",
        ),
        (
            returns("aaah_actions", "{'say': " + ACTION.format("") + "}", ASYNC),
            "'say' is offered twice",
        ),
    ],
    ids=["a plugin", "a codec", "an action"],
)
def test_one_name_of_two_plugins_is_offered_twice(install, one, what):
    install("moth", one)
    install("moth" if one is HOOK else "wasp", one)
    says = [what, "aaah-moth-2" if one is HOOK else "aaah-wasp-2", "ninstall"]
    require(refusal(), OfferedTwice, says)


def test_one_name_of_two_codecs_of_one_plugin_is_offered_twice(install):
    before = CODEC.format(name="tick", frame="text")
    install("moth", returns("aaah_codecs", "[Tick(), Tick()]", before))
    says = "is offered twice: by Plugin 'moth' (aaah-moth 1.5). Rename it in 'moth'."
    require(refusal(), OfferedTwice, [says])


@pytest.mark.parametrize("hook", ["aaah_request_parser", "aaah_response_shaper"])
def test_one_wire_of_two_plugins_is_offered_twice(install, hook):
    install("moth", returns(hook, "print"))
    says = [f"The {hook} of the wire 'aaah' is offered twice", "Plugin 'wire' (aaah-core"]
    says.append("Test `consumer_class.wire` in 'moth', or uninstall or disable")
    require(refusal(), OfferedTwice, says)


DECLARED = f"""
{HOOK}
from dataclasses import dataclass

@dataclass
class Settings:
    path: str = "here"
    size: int = 1

settings = plugin_settings("moth", Settings)
"""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"pth": "x"}, ["has no key 'pth'; did you mean 'path'?", "It knows: path, size"]),
        ({"size": "x"}, ["is set wrongly: size is to be int, and not str."]),
        ("x", ["is set wrongly"]),
    ],
)
def test_a_setting_that_cannot_be_is_a_wrong_setting(install, values, says):
    install("moth", DECLARED)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": values}}):
        error = refusal()
    if isinstance(values, dict):
        require(error, WrongSettings, ["AAAH[\"PLUGIN_SETTINGS\"]['moth']", *says])
    else:
        assert type(error) is WrongSettings


@pytest.mark.parametrize("schema", ["dict", "{'path': 'here'}", "type('Settings', (), {})"])
def test_settings_that_are_no_dataclass_are_wrong_settings(install, schema):
    install("moth", f"{HOOK}\nsettings = plugin_settings('moth', {schema})")
    require(refusal(), WrongSettings, ["which is no dataclass", "Write @dataclass above a class"])


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("key: str", "the key 'key' has no default, so that installing the plugin is not enough"),
        ("key: int = 'x'", "the default of key is to be int, and not str. Mend the default"),
        ("key: list[int] = None", "the default of key is to be list, and not None."),
    ],
)
def test_a_setting_without_a_default_that_fits_is_the_plugins_mistake(install, key, says):
    install("moth", DECLARED.replace('path: str = "here"', key) + HOOK)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": {"key": "7"}}}):
        error = refusal()
    require(error, WrongSettings, ["plugin_settings('moth', Settings): ", says, "mend the plugin"])
    assert "inside the hook's body" not in str(error)


def test_settings_of_a_plugin_that_has_none_are_wrong_settings(install):
    install("moth", HOOK)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"moth": {"size": 1}}}):
        error = refusal()
    assert type(error) is WrongSettings
    assert "has 'moth', and that plugin has no settings" in str(error)


@pytest.mark.parametrize("key", ["PLUGINS", "DISABLED_PLUGINS"])
def test_a_plugin_that_is_named_and_not_installed_is_a_wrong_setting(install, key):
    install("moth", HOOK)
    with override_settings(AAAH={key: ["mth"]}):
        error = refusal()
    assert type(error) is WrongSettings
    assert f"AAAH[\"{key}\"] names 'mth'" in str(error)
    assert "did you mean 'moth'?" in str(error)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            {"WIRE": "aah"},
            (
                "AAAH[\"WIRE\"] is 'aah', and no loaded plugin answers aaah_request_parser for it; "
                "did you mean 'aaah'? Known: "
            ),
        ),
        (
            {"CODECS": ["jsn"]},
            (
                "AAAH[\"CODECS\"] names the codec 'jsn', and no loaded plugin offers it; did you "
                "mean 'json'? Offered: "
            ),
        ),
        ({"CODECS": [5]}, 'AAAH["CODECS"] has 5, which is neither the name'),
        ({"CODECS": []}, 'AAAH["CODECS"] has no codec: name one.'),
    ],
)
def test_a_wire_or_codec_of_the_setting_is_not_blamed_on_the_consumer(setting, says):
    with override_settings(AAAH=setting):
        assert says in str(refusal())


@pytest.mark.parametrize("setting", [{"PLUGINS": ["json"]}, {"DISABLED_PLUGINS": ["moth"]}])
def test_a_plugin_that_is_left_out_by_a_setting_is_said_to_be(install, setting):
    install("moth", HOOK)

    class Known(Chat):
        codecs = ("moth",)

    class Allowed(Chat):
        permission_classes = (object,)

    for consumer_class in (Known, Allowed):
        with (
            override_settings(AAAH=setting),
            registries.use(registries.build()),
            pytest.raises(ConfigurationError) as caught,
        ):
            consumer_class.as_asgi()
        said = str(caught.value)
        assert "Installed, and left out by PLUGINS or DISABLED_PLUGINS: " in said
        assert "moth" in said.partition("left out")[2]
        assert "pip install" not in said


def test_a_key_of_the_setting_that_nobody_knows_is_a_wrong_setting():
    with override_settings(AAAH={"PLUGIN": []}):
        error = refusal()
    assert type(error) is WrongSettings
    assert "AAAH has no key 'PLUGIN'; did you mean 'PLUGINS'?" in str(error)


def test_two_mistakes_of_two_kinds_are_told_together(install):
    install("moth", "raise RuntimeError")
    install("wasp", "def helper(): ...")
    error = refusal()
    assert type(error) is PluginError
    assert "aaah-moth 1.5" in str(error)
    assert "aaah-wasp-2 1.5" in str(error)


def test_each_class_of_a_mistake_has_its_test():
    kinds = {PluginNotLoaded, WrongCore, WrongHook, WrongAnswer, OfferedTwice, WrongSettings}
    assert set(PluginError.__subclasses__()) == kinds
    assert {kind.__name__ for kind in kinds} <= set(errors.__all__)
