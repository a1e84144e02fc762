"""What a start asks of plugins, what it refuses, and that a message costs no question."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from django.apps import apps
from django.test import override_settings
from django.urls import include, path, re_path

from aaah_core import (
    ACTION_MARK,
    Action,
    AsyncActionHandler,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    ConfigurationError,
    IsAuthenticated,
    Match,
    checks,
    hookimpl,
)
from aaah_core.defaults.json import JSONCodec
from aaah_core.plan import consumer_plan
from aaah_core.testing import connect, registry
from tests.conftest import action, collector, consumer, plugin, python

pytestmark = pytest.mark.usefixtures("core")


def refusal(consumer_class, *plugins):
    """Return what a start says."""
    with registry(collector(), *plugins), pytest.raises(ConfigurationError) as caught:
        consumer_class.as_asgi()
    return str(caught.value)


async def hello(self):
    return "hello"


hello = action(hello)


class Leaf(AsyncAPIActionHandler):
    hello = hello


class Branch(AsyncAPIActionHandler):
    routepatterns = [path("leaf/", Leaf.as_aaah())]
    hello = hello


class Root(AsyncAPIConsumer):
    routepatterns = [path("branch/", Branch.as_aaah())]
    hello = hello


# Asked once.


class Curious:
    """Counts what it is asked, and answers nothing."""

    def __init__(self):
        self.asked = []

    @hookimpl
    def aaah_route_resolver(self, handler_class):
        self.asked.append(("resolver", handler_class))

    @hookimpl
    def aaah_permission_check(self, handler_class, permission):
        self.asked.append(("check", handler_class, permission))

    @hookimpl
    def aaah_response_shaper(self, consumer_class):
        self.asked.append(("shaper", consumer_class))

    @hookimpl
    def aaah_request_parser(self, consumer_class):
        self.asked.append(("parser", consumer_class))

    @hookimpl
    def aaah_codecs(self):
        self.asked.append(("codecs",))

    @hookimpl
    def aaah_actions(self, handler_class):
        self.asked.append(("actions", handler_class))

    @hookimpl
    def aaah_middleware(self, handler_class, action):
        self.asked.append(("middleware", handler_class, action and action.name))

    @hookimpl
    def aaah_exception_handlers(self, handler_class):
        self.asked.append(("exceptions", handler_class))

    @hookimpl
    def aaah_connection(self, consumer_class):
        self.asked.append(("connection", consumer_class))


async def test_hooks_are_asked_once_a_class_and_never_on_a_message():
    class Guarded(Root):
        permission_classes = (IsAuthenticated,)

    curious = Curious()
    with registry(collector(), curious):
        application = Guarded.as_asgi()
        asked = list(curious.asked)
        for handler_class in (Guarded, Branch, Leaf):
            for hook in ("resolver", "actions", "exceptions"):
                assert asked.count((hook, handler_class)) == 1
            assert asked.count(("middleware", handler_class, "hello")) == 1
        for hook in ("shaper", "parser", "connection"):
            assert asked.count((hook, Guarded)) == 1
        assert asked.count(("middleware", Guarded, None)) == 1
        assert asked.count(("check", Guarded, IsAuthenticated)) == 1
        assert asked.count(("codecs",)) == 1
        assert len(asked) == len(set(asked))

        curious.asked.clear()
        Guarded.as_asgi()
        async with connect(application) as ws:
            assert (await ws.call("hello", route="branch/leaf/"))["status"] == 403
            assert (await ws.call("hello"))["status"] == 403
            assert (await ws.call("nothing"))["status"] == 405
    assert curious.asked == [("codecs",)]  # by the client, for a codec of its own


async def test_an_answer_of_none_leaves_nothing_behind():
    with registry(collector()) as plain:
        Root.as_asgi()
    with registry(collector(), Curious()) as asked:
        Root.as_asgi()
    one, other = plain.plans[Root], asked.plans[Root]
    assert len(one.resolvers) == len(other.resolvers) == 1
    assert one.rejection == other.rejection == ()
    assert one.contexts == other.contexts == ()
    assert one.exception_handlers.keys() == other.exception_handlers.keys()
    assert [answer.hook for answer in one.answers] == [answer.hook for answer in other.answers]
    # Without middleware and checks, nothing stands before the action.
    assert one.ways["hello"].run is one.actions["hello"].run
    assert other.ways["hello"].run is other.actions["hello"].run


def test_the_plan_remembers_who_answered_what():
    class Guarded(Root):
        permission_classes = (IsAuthenticated,)

    found = consumer_plan(Guarded).answers
    answers = {(each.hook, each.subject): each.plugin.name for each in found}
    assert answers["aaah_permission_check", "IsAuthenticated"] == "permissions"
    assert answers["aaah_codecs", "json"] == "json"
    assert answers["aaah_request_parser", "aaah"] == "wire"
    assert answers["aaah_route_resolver", Guarded.__qualname__] == "routes"
    assert answers["aaah_actions", "hello"].startswith("plugin_")


# Wrong answers.


class Wrong:
    def __repr__(self):
        return "<wrong>"


def wrong():
    return Wrong()


WRONG_ANSWERS = {
    "codecs that cannot be gone through": ("aaah_codecs", lambda: 7, "7, which is no Iterable"),
    "codecs that are none": ("aaah_codecs", lambda: [Wrong()], "<wrong>, which is no Codec"),
    "actions without names": ("aaah_actions", lambda: [Wrong()], "which is no Mapping"),
    "actions that are none": (
        "aaah_actions",
        lambda: {"x": Wrong()},
        "<wrong>, which is no Action",
    ),
    "a check that is none": (
        "aaah_permission_check",
        wrong,
        "<wrong>, which is no Check",
    ),
    "a resolver": ("aaah_route_resolver", wrong, "<wrong>, which cannot be called"),
    "a middleware": ("aaah_middleware", wrong, "<wrong>, which cannot be called"),
    "a shaper": ("aaah_response_shaper", wrong, "<wrong>, which cannot be called"),
    "a parser": ("aaah_request_parser", wrong, "<wrong>, which cannot be called"),
    "a context": ("aaah_connection", wrong, "<wrong>, which cannot be called"),
    "handlers of nothing": ("aaah_exception_handlers", wrong, "which is no Mapping"),
    "handlers of no class": (
        "aaah_exception_handlers",
        lambda: {"x": print},
        "'x', which is no class",
    ),
    "a handler": ("aaah_exception_handlers", lambda: {OSError: Wrong()}, "which cannot be called"),
}


@pytest.mark.parametrize(("hook", "answer", "says"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_an_answer_of_the_wrong_kind_is_refused_and_its_plugin_named(hook, answer, says):
    class Guarded(Root):
        permission_classes = (IsAuthenticated,)

    careless = plugin(**{hook: answer})
    message = refusal(Guarded, careless)
    assert f"Plugin {careless.__name__!r}" in message
    assert f"its {hook} returned" in message
    assert says in message


HOOKS = [
    "aaah_codecs",
    "aaah_actions",
    "aaah_permission_check",
    "aaah_route_resolver",
    "aaah_middleware",
    "aaah_response_shaper",
    "aaah_request_parser",
    "aaah_connection",
    "aaah_exception_handlers",
]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_raises_is_refused_with_its_plugin_and_what_it_was_asked_about(hook):
    class Guarded(Root):
        permission_classes = (IsAuthenticated,)

    def raises():
        raise LookupError("the moon is full")

    careless = plugin(**{hook: raises})
    message = refusal(Guarded, careless)
    assert f"Plugin {careless.__name__!r}" in message
    assert f"its {hook} raised LookupError: the moon is full" in message
    assert "Mend the plugin, or disable it" in message
    assert hook == "aaah_codecs" or "Guarded" in message


def test_a_generator_is_an_answer_like_any_other_also_where_it_raises():
    class Tick(JSONCodec):
        name = "tick"

    def ticks():
        yield Tick()

    def broken():
        yield Tick()
        raise LookupError("the moon is full")

    with registry(collector(), plugin(aaah_codecs=ticks)):
        assert list(consumer_plan(consumer(codecs="tick")).codecs) == ["tick"]
    message = refusal(Root, plugin(aaah_codecs=broken))
    assert "its aaah_codecs raised LookupError: the moon is full" in message


def test_what_a_plugin_says_about_the_set_up_is_said_as_it_is():
    def refuses():
        raise ConfigurationError("Set the moon.")

    assert refusal(Root, plugin(aaah_actions=refuses)) == "Set the moon."


def test_a_broken_plugin_stops_every_consumer():
    def aaah_codec(): ...

    message = refusal(Root, plugin(aaah_codec=aaah_codec))
    assert "which is no hook" in message


# Nobody answers.


def test_a_codec_that_nobody_offers_is_refused_with_how_to_get_it():
    message = refusal(consumer(codecs=("json", "msgpck")))
    assert "Chat names the codec 'msgpck', and no loaded plugin offers it." in message
    assert "Offered: json." in message
    assert "pip install aaah-msgpck" in message
    assert "did you mean 'json'?" in refusal(consumer(codecs=["jsom"]))


def test_a_codec_class_in_the_place_of_an_object_is_refused():
    assert "has the class JSONCodec. Write an object, JSONCodec()" in refusal(
        consumer(codecs=(JSONCodec,))
    )


def test_a_consumer_without_codecs_is_refused():
    with override_settings(AAAH={"CODECS": []}):
        assert 'AAAH["CODECS"] has no codec' in refusal(consumer(codecs=()))


def test_a_wire_that_nobody_knows_is_refused():
    message = refusal(consumer(wire="jsonrpc"))
    assert (
        "Chat has the wire 'jsonrpc', and no loaded plugin answers aaah_request_parser" in message
    )
    assert "Install or enable the plugin of that wire" in message
    only_parses = plugin(
        aaah_request_parser=lambda consumer_class: (
            print if consumer_class.wire == "jsonrpc" else None
        )
    )
    assert "answers aaah_response_shaper" in refusal(consumer(wire="jsonrpc"), only_parses)


@pytest.mark.parametrize("permission", [object, "IsAuthenticated", IsAuthenticated & object])
def test_a_permission_that_nobody_answers_for_is_refused_also_as_an_operand(permission):
    message = refusal(consumer(permission_classes=[permission]))
    assert "permission_classes of Chat has " in message
    assert "no loaded plugin knows what it is" in message


def test_a_marked_action_that_nobody_collects_is_refused_in_a_handler_too():
    with registry(), pytest.raises(ConfigurationError) as caught:
        consumer(routepatterns=Root.routepatterns).as_asgi()
    assert "Branch.hello is marked as the action 'hello'" in str(caught.value)


def test_an_action_is_known_by_the_name_of_its_mark():
    async def say(self, call): ...

    setattr(say, ACTION_MARK, "speak")
    collects = plugin(aaah_actions=lambda: {"speak": Action("speak", run=say)})
    with registry(collects):
        assert list(consumer_plan(consumer(say)).actions) == ["speak"]


# The class itself.


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("receive", "write an action"),
        ("receive_json", "a request parser"),
        ("websocket_receive", "a codec"),
        ("websocket_connect", "write connect()"),
        ("websocket_disconnect", "write disconnect()"),
        ("dispatch", "aaah_middleware"),
    ],
)
async def test_a_method_that_nobody_would_call_is_refused_with_what_to_write_instead(name, instead):
    async def method(self, *args): ...

    chat = consumer(**{name: method})
    message = refusal(chat)
    assert f"Chat overrides {name}(), and nobody calls it" in message
    assert instead in message
    # The first use of an instance as an application says so too.
    with pytest.raises(ConfigurationError, match=name.replace("_", ".")):
        await chat()({"type": "websocket"}, None, None)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"deadlin": 1}, "has no key 'deadlin'; did you mean 'deadline'?"),
        ({"deadline": "x"}, "is set wrongly: deadline is to be float, and not str"),
        (7, "Chat.limits is a dict of settings, and not 7"),
    ],
)
def test_wrong_limits_are_refused(limits, says):
    message = refusal(consumer(limits=limits))
    assert "Chat.limits" in message
    assert says in message


def test_the_limits_of_a_consumer_stand_over_those_of_the_settings():
    with override_settings(AAAH={"LIMITS": {"depth": 5, "items": 6}}):
        limits = consumer_plan(consumer(limits={"items": 7})).limits
    assert (limits.depth, limits.items, limits.digits) == (5, 7, 640)


def test_codecs_and_wire_come_from_the_settings_where_a_consumer_names_none():
    class Tick(JSONCodec):
        name = "tick"

    ticks = plugin(aaah_codecs=lambda: [Tick()])
    parses = plugin(
        aaah_request_parser=lambda consumer_class: (
            print if consumer_class.wire == "morse" else None
        ),
        aaah_response_shaper=lambda consumer_class: (
            print if consumer_class.wire == "morse" else None
        ),
    )
    with registry(ticks, parses):
        with override_settings(AAAH={"CODECS": ["tick", "json"], "WIRE": "morse"}):
            plan = consumer_plan(consumer())
            assert (list(plan.codecs), plan.wire) == (["tick", "json"], "morse")
        plan = consumer_plan(consumer())
        assert (list(plan.codecs), plan.wire) == (["json"], "aaah")


def test_a_bare_string_is_one_codec():
    assert list(consumer_plan(consumer(codecs="json")).codecs) == ["json"]


def test_a_codec_may_be_an_object_with_options():
    class Tick(JSONCodec):
        name = "tick"

    tick = Tick()
    assert consumer_plan(consumer(codecs=["json", tick])).codecs["tick"] is tick
    assert consumer_plan(consumer(codecs=tick)).codecs == {"tick": tick}


# Handlers that routes reach.


def test_a_start_compiles_every_handler_that_routes_reach():
    class Bad(AsyncAPIActionHandler):
        permission_classes = ("nobody's",)

    class Middle(AsyncAPIActionHandler):
        routepatterns = [path("bad/", Bad.as_aaah())]

    message = refusal(consumer(routepatterns=[path("middle/", Middle.as_aaah())]))
    assert f'permission_classes of {Bad.__qualname__} has "nobody\'s"' in message


def test_a_handler_at_two_routes_is_compiled_once():
    curious = Curious()
    chat = consumer(routepatterns=[path("a/", Leaf.as_aaah()), path("b/", Leaf.as_aaah())])
    with registry(collector(), curious):
        chat.as_asgi()
    assert curious.asked.count(("actions", Leaf)) == 1


def test_a_circle_of_routes_is_refused():
    class One(AsyncActionHandler):
        pass

    class Two(AsyncActionHandler):
        routepatterns = [path("one/", One.as_aaah())]

    One.routepatterns = [path("two/", Two.as_aaah())]
    message = refusal(consumer(routepatterns=[path("", One.as_aaah())]))
    name = One.__qualname__
    assert f"The routes of {name} lead to {name} again: break the circle." in message


def test_a_route_to_a_consumer_is_refused():
    message = refusal(consumer(routepatterns=[path("x/", Root.as_aaah())]))
    assert "lead to the consumer Root, which owns a socket: route to a handler" in message


def finds(*matches):
    """Return a plugin whose resolver finds these for the consumer, without listing them."""
    found = dict(matches)

    def aaah_route_resolver(handler_class):
        if issubclass(handler_class, AsyncAPIConsumer):
            return lambda route, call: found.get(route)
        return None

    return plugin(aaah_route_resolver=aaah_route_resolver)


async def test_a_handler_that_no_resolver_lists_is_compiled_when_it_is_first_met():
    curious = Curious()
    with registry(collector(), curious, finds(("leaf", Match(Leaf)))):
        application = consumer().as_asgi()
        assert ("actions", Leaf) not in curious.asked
        async with connect(application) as ws:
            for _ in range(2):
                assert (await ws.call("hello", route="leaf"))["data"] == "hello"
    assert curious.asked.count(("actions", Leaf)) == 1


async def test_the_values_of_a_match_may_be_any_mapping():
    with registry(collector(), finds(("leaf", Match(Leaf, (), MappingProxyType({}))))):
        async with connect(consumer().as_asgi()) as ws:
            assert (await ws.call("hello", route="leaf"))["data"] == "hello"


async def test_a_handler_that_is_wrong_and_that_no_resolver_lists_is_a_500(caplog):
    class Bad(AsyncAPIActionHandler):
        permission_classes = ("nobody's",)
        hello = hello

    with registry(collector(), finds(("bad", Match(Bad)))):
        async with connect(consumer(hello).as_asgi()) as ws:
            assert (await ws.call("hello", route="bad"))["status"] == 500
            assert (await ws.call("hello"))["status"] == 200
    assert "no loaded plugin knows what it is" in caplog.text


# Which registry, and when.


def test_a_plan_is_compiled_once_a_registry():
    plan = consumer_plan(Root)
    assert consumer_plan(Root) is plan
    with registry(collector()):
        assert consumer_plan(Root) is not plan
    assert consumer_plan(Root) is plan


async def test_an_instance_as_an_application_compiles_at_its_first_use():
    async with connect(Root()) as ws:
        assert (await ws.call("hello"))["data"] == "hello"


def test_as_asgi_before_setup_says_so_and_spoils_nothing():
    out = python(
        """
        import django
        from aaah_core import AsyncAPIConsumer, ConfigurationError
        from aaah_core import registry

        class Chat(AsyncAPIConsumer):
            pass

        try:
            Chat.as_asgi()
        except ConfigurationError as error:
            print(error)
        django.setup()
        Chat.as_asgi()
        print(registry.current().problems())
        """,
        DJANGO_SETTINGS_MODULE="aaah_core.testing.settings",
        AAAH_PLUGINS="json",
    )
    assert out == (
        "Chat.as_asgi() was called before Django is set up: call django.setup() or "
        "get_asgi_application() first, as in an asgi.py.\n[]\n"
    )


def test_as_asgi_without_any_settings_says_the_same():
    out = python(
        """
        from aaah_core import AsyncAPIConsumer, ConfigurationError
        try:
            AsyncAPIConsumer.as_asgi()
        except ConfigurationError as error:
            print(error)
        """
    )
    assert out.startswith("AsyncAPIConsumer.as_asgi() was called before Django is set up")


def test_as_asgi_without_the_app_says_so():
    out = python(
        """
        import django
        from django.conf import settings
        settings.configure()
        django.setup()
        from aaah_core import AsyncAPIConsumer, ConfigurationError
        try:
            AsyncAPIConsumer.as_asgi()
        except ConfigurationError as error:
            print(error)
        """
    )
    assert out == "AsyncAPIConsumer needs 'aaah_core' in INSTALLED_APPS.\n"


def test_neither_is_said_too_late(monkeypatch):
    """The two above in one process, where their lines are counted."""
    monkeypatch.setattr(apps, "ready", False)
    assert "before Django is set up" in refusal(Root)
    monkeypatch.undo()
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"]):
        assert refusal(Root) == "Root needs 'aaah_core' in INSTALLED_APPS."


# Attributes that somebody was careless with.


class Nameless(JSONCodec):
    name = None


class Frameless(JSONCodec):
    name = "frameless"
    frame = "pigeon"


CARELESS = {
    "a permission class by itself": (
        {"permission_classes": IsAuthenticated},
        ["Chat.permission_classes is <class", "permission_classes = [IsAuthenticated]"],
    ),
    "a composition by itself": (
        {"permission_classes": IsAuthenticated & ~IsAuthenticated},
        ["Chat.permission_classes is ", "a list or tuple"],
    ),
    "permissions as text": (
        {"permission_classes": "IsAuthenticated"},
        ["Chat.permission_classes is 'IsAuthenticated'"],
    ),
    "throttles that are asked for": (
        {"throttle_classes": property(lambda self: [])},
        [
            "Chat.throttle_classes is an object of <class 'property'>",
            "throttle_classes = [UserRateThrottle]",
        ],
    ),
    "a route by itself": (
        {"routepatterns": path("leaf/", Leaf.as_aaah())},
        ["Chat.routepatterns is ", "routepatterns = [path("],
    ),
    "codecs that are a number": ({"codecs": 5}, ["Chat.codecs is 5", 'codecs = ["json"]']),
    "a codec that is a number": ({"codecs": [5]}, ["Chat.codecs has 5", "neither the name"]),
    "a codec that is a list": ({"codecs": [["json"]]}, ["Chat.codecs has ['json']"]),
    "a codec class by itself": ({"codecs": JSONCodec}, ["Chat.codecs is <class"]),
    "a codec without a name": ({"codecs": [Nameless()]}, ["the `name` of a codec", "not None"]),
    "a codec without a frame": ({"codecs": Frameless()}, ["the `frame` of a codec", "'pigeon'"]),
    "no concurrency": ({"concurrency": 0}, ["Chat.concurrency is 0", "1 or more"]),
    "concurrency as text": ({"concurrency": "2"}, ["Chat.concurrency is '2'"]),
    "a group by itself": ({"groups": "news"}, ["Chat.groups is 'news'", 'groups = ["news"]']),
    "groups that are a number": ({"groups": 5}, ["Chat.groups is 5"]),
    "a limit of nothing": ({"limits": {"depth": 0}}, ["Chat.limits", ">= 1", "depth is to be"]),
    "a deadline in the past": ({"limits": {"deadline": -1}}, ["> 0", "deadline is to be"]),
    "a route that is never looked up": (
        {"routepatterns": [path("", Leaf.as_aaah())]},
        ["Chat.routepatterns leads to Leaf by an empty route", "Give the pattern a text"],
    ),
    "the same as a regular expression": (
        {"routepatterns": [re_path("^$", Leaf.as_aaah())]},
        ["Chat.routepatterns leads to Leaf by an empty route"],
    ),
}


@pytest.mark.parametrize(("attributes", "says"), CARELESS.values(), ids=CARELESS)
def test_a_careless_attribute_is_refused_and_the_checks_say_the_same(attributes, says, monkeypatch):
    chat = consumer(**attributes)
    message = refusal(chat)
    for part in says:
        assert part in message
    monkeypatch.setattr(checks, "_children", lambda parent: [chat])
    with registry(collector()):
        assert [(each.id, each.msg) for each in checks.check_consumers()] == [
            ("aaah.E002", message)
        ]


def test_a_careless_handler_is_named():
    class Careless(AsyncAPIActionHandler):
        permission_classes = IsAuthenticated

    message = refusal(consumer(routepatterns=[path("careless/", Careless.as_aaah())]))
    assert f"{Careless.__qualname__}.permission_classes is " in message


def test_what_is_only_unusual_is_not_refused():
    class Asked(AsyncAPIConsumer):
        permission_classes = {IsAuthenticated}
        routepatterns = (
            path("", include([path("leaf/", Leaf.as_aaah())])),
            path("more/", include([path("", Leaf.as_aaah())])),
            path("", Branch.as_aaah()),
        )

        @property
        def groups(self):
            return ["news"]

    with registry(collector()):
        consumer_plan(Asked)
        consumer_plan(consumer(groups=None))


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"inbox": 0}, "inbox is to be int >= 1"), ({"deadline": 0}, "deadline is to be float > 0")],
)
def test_a_limit_of_the_settings_that_is_not_positive_is_refused(limits, says):
    with override_settings(AAAH={"LIMITS": limits}):
        message = refusal(consumer())
    assert 'AAAH["LIMITS"]' in message
    assert says in message


async def runs(handler, call): ...


async def generates(*args):
    yield


def goes_on(call, call_next):
    return call_next(call)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Action("other", run=runs), "named 'other'"),
        (Action("say", run=5), "a `run` that cannot be called"),
        (Action("say", run=runs, sync=True), "sync=True and a `run` that is async"),
        (Action("say", run=generates), "without sync=True, `run` is awaited"),
    ],
)
def test_an_action_that_could_not_run_is_refused_and_its_plugin_named(wrong, says):
    offers = plugin(aaah_actions=lambda: {"say": wrong})
    message = refusal(consumer(), offers)
    for part in [offers.__name__, "the action 'say' of Chat", says]:
        assert part in message


def test_a_codec_of_a_plugin_without_a_name_is_refused_and_the_plugin_named():
    offers = plugin(aaah_codecs=lambda: [Nameless()])
    message = refusal(consumer(), offers)
    assert offers.__name__ in message
    assert "the `name` of a codec" in message


def test_a_middleware_that_generates_is_refused():
    offers = plugin(aaah_middleware=lambda: generates)
    message = refusal(consumer(), offers)
    assert offers.__name__ in message
    assert "a middleware that is awaited" in message


async def test_a_plain_middleware_that_returns_what_is_awaited_is_right():
    with registry(collector(), plugin(aaah_middleware=lambda: goes_on)):
        async with connect(consumer(hello).as_asgi()) as ws:
            assert (await ws.call("hello"))["data"] == "hello"
