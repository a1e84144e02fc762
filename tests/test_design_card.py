"""What the project was asked to be: a core that only dispatches, and plugins for all the rest."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import importlib_metadata
import pytest
from django.urls import path
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import aaah_core
from aaah_async_action.decorators import async_action
from aaah_core import (
    Action,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    Call,
    Check,
    Codec,
    ConfigurationError,
    DecodeError,
    IsAuthenticated,
    MalformedRequest,
    Match,
    PluginError,
    Reply,
    hookimpl,
    hookspecs,
    publish,
    run_sync,
)
from aaah_core.testing import Refused, connect, registry

TESTS = Path(__file__).parent
CORE = Path(aaah_core.__file__).parent
DEFAULTS = sorted(CORE.glob("defaults/[!_]*.py"))
PROBE = TESTS / "design_card" / "probe.py"


# The three features are distributions of their own.


def _installed():
    found = importlib_metadata.distributions()
    return {name: each for each in found if (name := canonicalize_name(each.name))[:5] == "aaah-"}


def _needs(distribution):
    needs = map(Requirement, distribution.requires or ())
    return {canonicalize_name(need.name) for need in needs if not need.marker}


def _entry_points():
    found = importlib_metadata.entry_points(group="aaah")
    return {each.name: (canonicalize_name(each.dist.name), each.value) for each in found}


def test_the_features_are_separate_distributions_in_the_installed_metadata():
    assert set(_installed()) >= {
        "aaah-core",
        "aaah-async-action",
        "aaah-drf",
        "aaah-crud",
        "aaah-msgpack",
        "aaah-rest-framework-channels",
        "aaah-demo",
    }


def test_the_core_needs_no_other_of_them_and_nothing_it_does_not_use():
    needs = _needs(_installed()["aaah-core"])
    assert needs == {"pluggy", "importlib-metadata", "channels", "django", "msgspec", "packaging"}


def test_async_action_and_drf_need_only_the_core_and_crud_stands_on_both():
    installed = _installed()
    assert _needs(installed["aaah-async-action"]) & set(installed) == {"aaah-core"}
    assert _needs(installed["aaah-drf"]) & set(installed) == {"aaah-core"}
    assert {"aaah-async-action", "aaah-drf"} <= _needs(installed["aaah-crud"])


def test_what_hooks_into_the_core_is_found_through_entry_points():
    found = _entry_points()
    assert found["async_action"] == ("aaah-async-action", "aaah_async_action.plugin")
    assert found["drf"] == ("aaah-drf", "aaah_drf.plugin")
    assert found["msgpack"] == ("aaah-msgpack", "aaah_msgpack.plugin")
    assert found["simplejwt"] == ("aaah-simplejwt", "aaah_simplejwt.plugin")


def test_each_feature_is_imported_from_a_package_of_its_own():
    from aaah_crud import mixins
    from aaah_drf import permissions

    for each, package in (
        (async_action, "aaah_async_action"),
        (permissions.check_of, "aaah_drf"),
        (mixins.ListModelMixin, "aaah_crud"),
    ):
        assert each.__module__.split(".")[0] == package
    # The generic actions have no hook: they are methods that `@async_action` marked.
    assert "aaah-crud" not in {distribution for distribution, _ in _entry_points().values()}


# With each of them absent the rest works.


FEATURE_OF = {
    "aaah-core": "core",
    "aaah-async-action": "async_action",
    "aaah-drf": "drf",
    "aaah-crud": "crud",
    "aaah-msgpack": "msgpack",
    "aaah-rest-framework-channels": "rest_framework_channels",
}

STRANGER = """
from aaah_core import Action, Reply, hookimpl


async def ping(handler, call):
    return Reply({"pong": True})


@hookimpl
def aaah_actions(handler_class):
    return {"ping": Action("ping", ping)}
"""


def _install(folder, name, version, module, code, requires=()):
    """Put a distribution with one plugin into a folder, as an installer would."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    )
    (info / "entry_points.txt").write_text(f"[aaah]\n{module} = {module}\n")
    (folder / f"{module}.py").write_text(code)


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A folder with the distribution of somebody else's plugin, which offers the action `ping`."""
    folder = tmp_path / "stranger"
    _install(folder, "stranger", "1.0", "stranger", STRANGER)
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    monkeypatch.syspath_prepend(folder)
    return folder


def _dependents(name):
    """Return a distribution and all that cannot do without it."""
    installed, gone = _installed(), {name}
    while more := {each for each in installed if _needs(installed[each]) & gone} - gone:
        gone |= more
    return gone


def _environment(tmp_path, gone):
    """Return an environment in which some distributions are not installed."""
    site = Path(importlib_metadata.__file__).parents[1]
    absent = [importlib_metadata.distribution(name) for name in gone]
    hidden = {Path(str(file)).parts[0] for each in absent for file in each.files}
    farm = tmp_path / "site-packages"
    farm.mkdir()
    for entry in site.iterdir():
        if entry.name not in hidden:
            (farm / entry.name).symlink_to(entry)
    # An editable install is a file that names a folder: python -S does not read it.
    links = [
        site / str(file)
        for name, each in _installed().items()
        if name not in gone
        for file in each.files
        if file.suffix == ".pth"
    ]
    folders = [line for link in links for line in link.read_text().splitlines()]
    paths = [str(farm), *folders, str(tmp_path / "stranger")]
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("AAAH_")},
        "DJANGO_SETTINGS_MODULE": "aaah_core.testing.settings",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _report(environment):
    done = subprocess.run(
        [sys.executable, "-S", PROBE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("name", [name for name in FEATURE_OF if name != "aaah-core"])
def test_without_one_distribution_all_that_do_not_need_it_work(name, tmp_path):
    gone = _dependents(name)
    report = _report(_environment(tmp_path, gone))
    works = {feature for feature, found in report.items() if found == "works"}
    assert works == {feature for each, feature in FEATURE_OF.items() if each not in gone}, report


@pytest.mark.usefixtures("stranger")
def test_the_core_works_alone_and_without_drf_and_msgpack(tmp_path):
    gone = {*FEATURE_OF, "aaah-demo", "djangorestframework", "msgpack"} - {"aaah-core"}
    report = _report(_environment(tmp_path, gone))
    assert {feature for feature, found in report.items() if found == "works"} == {"core"}, report
    assert "pip install aaah-msgpack" in report["msgpack"]


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize(
    ("disabled", "lost"),
    [
        (None, set()),
        ("async_action", {"async_action", "crud"}),
        ("rest_framework_channels", {"rest_framework_channels"}),
        ("drf", {"drf", "crud"}),
        ("msgpack", {"msgpack"}),
    ],
)
async def test_what_needs_a_disabled_plugin_is_refused_at_start_and_the_rest_works(
    disabled, lost, settings
):
    settings.AAAH = {"DISABLED_PLUGINS": [disabled] if disabled else []}
    report = await runpy.run_path(str(PROBE))["report"]()
    broken = {feature: found for feature, found in report.items() if found != "works"}
    assert set(broken) == lost, report
    assert all(found.startswith("ConfigurationError: ") for found in broken.values())


def test_a_consumer_that_names_a_missing_codec_is_refused_at_start_with_the_command_that_helps():
    class Named(AsyncAPIConsumer):
        codecs = ("json", "msgpack")

    with (
        registry(),
        pytest.raises(ConfigurationError, match=r"Named .*'msgpack'.*pip install aaah-msgpack"),
    ):
        Named.as_asgi()
    with registry("msgpack"):
        Named.as_asgi()


def test_a_decorated_method_that_nobody_collects_is_refused_at_start_and_no_silent_405(settings):
    class Handler(AsyncAPIActionHandler):
        @async_action(name="rent")
        def lend(self): ...

    class Parent(AsyncAPIConsumer):
        routepatterns = [path("books/", Handler.as_aaah())]

    settings.AAAH = {"DISABLED_PLUGINS": ["async_action"]}
    with pytest.raises(ConfigurationError, match=r"Handler\.lend is marked as the action 'rent'"):
        Parent.as_asgi()
    settings.AAAH = {}
    Parent.as_asgi()


@pytest.mark.parametrize(
    ("disabled", "message"),
    [
        ("json", r"names the codec 'json'"),
        ("wire", r"AAAH\[\"WIRE\"\] is 'aaah', and no loaded plugin answers aaah_request_parser"),
        ("permissions", r"permission_classes of .*Consumer has .*IsAuthenticated"),
    ],
)
def test_the_dispatcher_has_no_default_of_its_own(disabled, message, settings):
    class Consumer(AsyncAPIConsumer):
        permission_classes = (IsAuthenticated,)

    settings.AAAH = {"DISABLED_PLUGINS": [disabled]}
    with pytest.raises(ConfigurationError, match=message):
        Consumer.as_asgi()


async def test_without_the_default_router_no_route_leads_anywhere(settings):
    class Handler(AsyncAPIActionHandler):
        pass

    class Consumer(AsyncAPIConsumer):
        routepatterns = [path("child/", Handler.as_aaah())]

    settings.AAAH = {"DISABLED_PLUGINS": ["routes"]}
    async with connect(Consumer.as_asgi()) as client:
        assert (await client.call("any", route="child/"))["status"] == 404


# A stranger's plugin stands in for each of the four hooks of the dispatcher.


class Echo(AsyncAPIConsumer):
    @async_action
    async def echo(self, **kwargs):
        return {"handler": "consumer", **kwargs}


async def test_codec_selection_is_a_strangers_to_replace():
    class ByQuery:
        @hookimpl
        def aaah_select_codec(self, consumer_class, scope, allowed):
            asked = dict(parse_qsl(scope["query_string"].decode())).get("codec")
            return asked if consumer_class is Consumer else None

    class Consumer(Echo):
        codecs = ("json", "msgpack")

    with registry("async_action", "msgpack", ByQuery()):
        application, others = Consumer.as_asgi(), Echo.as_asgi()
        # The client says only in the query what it wants, and no subprotocol.
        async with connect(application, "/?codec=msgpack", codec="msgpack", subprotocols=()) as c:
            assert (await c.call("echo"))["status"] == 200
        async with connect(application, "/?codec=json") as client:
            assert (await client.call("echo"))["status"] == 200
        # None is "not mine": the default answers.
        async with connect(application, codec="msgpack") as client:
            assert client.subprotocol == "aaah.msgpack"
        async with connect(others, "/?codec=msgpack") as client:
            assert (await client.call("echo"))["status"] == 200


async def test_a_codec_outside_the_consumers_list_cannot_be_selected():
    class Always:
        @hookimpl
        def aaah_select_codec(self):
            return "msgpack"

    with registry("async_action", "msgpack", Always()), pytest.raises(Refused) as refused:
        async with connect(Echo.as_asgi()):
            pass
    assert refused.value.code == 4403


async def test_route_resolution_is_a_strangers_to_replace():
    class Shelf(AsyncAPIActionHandler):
        @async_action
        async def echo(self, *args, **kwargs):
            return {"handler": "shelf", "args": args, **kwargs}

    class Dotted:
        """Resolves `shelf.<name>.<rest>`, and looks as if it asked a database."""

        @hookimpl
        def aaah_route_resolver(self, handler_class):
            async def resolve(route, call):
                await asyncio.sleep(0)
                kind, _, name = route.partition(".")
                if kind != "shelf":
                    return None
                return Match(Shelf, kwargs={"name": name, "of": call.action})

            return resolve if handler_class is Consumer else None

    class Consumer(Echo):
        routepatterns = [path("table/<int:pk>/", Shelf.as_aaah())]

    with registry("async_action", Dotted()):
        async with connect(Consumer.as_asgi()) as client:
            reply = await client.call("echo", route="shelf.crime")
            assert reply["data"] == {"handler": "shelf", "args": [], "name": "crime", "of": "echo"}
            assert reply["route"] == "shelf.crime"
            # The default is the last that is asked.
            reply = await client.call("echo", route="table/7/")
            assert reply["data"] == {"handler": "shelf", "args": [], "pk": 7}
            assert (await client.call("echo", route="floor.crime"))["status"] == 404
            assert (await client.call("echo"))["data"] == {"handler": "consumer"}


async def test_permission_checks_are_a_strangers_to_replace():
    class Scoped(Check):
        def __init__(self, needed):
            self.needed = needed

        def connect(self, scope, consumer):
            return "banned" not in scope.get("user", ())

        async def call(self, call):
            return self.needed in call.user

        def object(self, call, obj):
            return obj in call.user

        async def event(self, subscription, event):
            return event.data in subscription.user

    class Scopes:
        @hookimpl
        def aaah_permission_check(self, handler_class, permission):
            return Scoped(permission) if isinstance(permission, str) else None

    class Consumer(AsyncAPIConsumer):
        permission_classes = ("read",)
        groups = ["news"]

        @async_action
        def get(self, name: str):
            self.check_object_permissions(name)
            return name

    with registry("async_action"), pytest.raises(ConfigurationError, match="'read'"):
        Consumer.as_asgi()
    with registry("async_action", Scopes()):
        application = Consumer.as_asgi()
        async with connect(application, user=("read", "Emma", "told")) as client:
            assert (await client.call("get", name="Emma"))["status"] == 200
            assert (await client.call("get", name="Persuasion"))["status"] == 403
            await run_sync(publish, "news", "event", "kept from")
            await run_sync(publish, "news", "event", "told")
            assert (await client.receive())["data"] == "told"
        async with connect(application, user=("write", "Emma")) as client:
            assert (await client.call("get", name="Emma"))["status"] == 403
        with pytest.raises(Refused):
            async with connect(application, user=("read", "banned")):
                pass


class Terse:
    """A wire of lists: `[number, action, arguments]` is answered with `[number, status, data]`."""

    @hookimpl
    def aaah_request_parser(self, consumer_class):
        return self.parse if consumer_class.wire == "terse" else None

    @hookimpl
    def aaah_response_shaper(self, consumer_class):
        return self.shape if consumer_class.wire == "terse" else None

    def parse(self, payload):
        if not isinstance(payload, list) or len(payload) != 3:
            raise MalformedRequest
        if isinstance(payload[0], list):
            return [self.parse(each) for each in payload]
        number, action, arguments = payload
        return Call(action, "", params=arguments, meta=number)

    def shape(self, call, message):
        if not isinstance(message, Reply):
            return None  # this wire has no events
        return [call.meta, message.status, [e["code"] for e in message.errors] or message.data]


class OverTerse(Echo):
    wire = "terse"
    groups = ["news"]

    @async_action
    async def add(self, a: int, b: int):
        return a + b


async def test_response_shaping_is_a_strangers_to_replace():
    with registry("async_action", Terse()):
        async with connect(OverTerse.as_asgi()) as client:
            await client.send([1, "add", {"a": 1, "b": 2}])
            assert await client.receive() == [1, 200, 3]
            await client.send([2, "add", {"a": 1}])
            assert await client.receive() == [2, 400, ["required"]]
            await client.send({"action": "add"})
            assert await client.receive() == [None, 400, ["malformed"]]
            await run_sync(publish, "news", "event")  # shaped to nothing, so nothing is sent
            await client.send([3, "add", {"a": 2, "b": 2}])
            assert await client.receive() == [3, 200, 4]
        async with connect(Echo.as_asgi()) as client:  # another wire, beside it
            assert (await client.call("echo"))["action"] == "echo"


def test_two_shapers_for_one_wire_are_refused_at_start_and_both_are_named():
    class Another:
        @hookimpl
        def aaah_response_shaper(self, consumer_class):
            return lambda call, message: None

    with registry("async_action", Another()), pytest.raises(PluginError) as refused:
        Echo.as_asgi()
    assert "'Another'" in str(refused.value)
    assert "aaah-core" in str(refused.value)


# And each of the six that they need.


async def test_a_request_parser_may_take_several_calls_from_one_frame():
    with registry("async_action", Terse()):
        async with connect(OverTerse.as_asgi()) as client:
            one, two, three = ([n, "add", {"a": n, "b": n}] for n in (1, 2, 3))
            await client.send([one, two, three])
            assert await client.receive() == [[1, 200, 2], [2, 200, 4], [3, 200, 6]]


class Form(Codec):
    """What an HTML form would send: `action=echo&name=Emma`."""

    name = "form"
    frame = "text"

    def decode(self, frame, limits):
        try:
            return dict(parse_qsl(frame, strict_parsing=True))
        except ValueError as error:
            raise DecodeError from error

    def encode(self, payload):
        return urlencode({**payload, "data": json.dumps(payload["data"])})


class Forms:
    @hookimpl
    def aaah_codecs(self):
        return [Form()]


async def test_a_codec_is_offered_by_name_and_by_subprotocol():
    class Consumer(Echo):
        codecs = ("json", "form")

    with registry("async_action", Forms()):
        async with connect(Consumer.as_asgi(), codec=Form()) as client:
            assert client.subprotocol == "aaah.form"
            await client.send_frame("action=echo&request_id=1")
            reply = dict(parse_qsl(await client.receive_frame()))
            assert json.loads(reply["data"]) == {"handler": "consumer"}
            assert (reply["status"], reply["request_id"]) == ("200", "1")
            await client.send_frame("%%%")
            assert "status=400" in await client.receive_frame()


def test_a_codec_that_two_plugins_offer_is_refused_at_start_and_both_are_named():
    class MoreForms(Forms):
        pass

    with registry(Forms(), MoreForms()), pytest.raises(PluginError) as refused:
        AsyncAPIConsumer.as_asgi()
    for name in ("'form'", "'Forms'", "'MoreForms'"):
        assert name in str(refused.value)


async def test_actions_may_come_from_anywhere():
    class Introspect:
        @hookimpl
        def aaah_actions(self, handler_class):
            async def name(handler, call):
                return {"name": type(handler).__name__, "asked": dict(call.params)}

            def thread(handler, call):
                return threading.current_thread() is threading.main_thread()

            async def silent(handler, call):
                return "nobody hears this"

            return {
                "name": Action("name", name),
                "thread": Action("thread", thread, sync=True),
                "silent": Action("silent", silent, mode="none"),
            }

    with registry(Introspect()):
        async with connect(AsyncAPIConsumer.as_asgi()) as client:
            await client.send({"action": "silent"})
            reply = await client.call("name", who=1)
            assert reply["data"] == {"name": "AsyncAPIConsumer", "asked": {"who": 1}}
            assert (await client.call("thread"))["data"] is False


async def test_middleware_stands_around_every_outcome_and_the_first_is_the_outermost():
    outcomes = []

    class Watch:
        def __init__(self, name):
            self.__name__ = name

        @hookimpl
        def aaah_middleware(self, handler_class, action):
            async def watch(call, call_next):
                reply = await call_next(call)
                outcomes.append((self.__name__, action and action.name, reply.status))
                return reply

            return watch

    class Never(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            return action != "echo"

    class Consumer(Echo):
        permission_classes = (Never,)

        @async_action
        async def broken(self):
            raise LookupError

    with registry("async_action", Watch("outer"), Watch("inner")):
        async with connect(Consumer.as_asgi()) as client:
            await client.call("echo")
            await client.call("broken")
            await client.call("unknown")
            await client.call("echo", route="nowhere/")
            await client.send_frame("{")
            await client.receive()
    assert outcomes == [
        (name, action, status)
        for action, status in (
            ("echo", 403),
            ("broken", 500),
            (None, 405),
            (None, 404),
            (None, 400),
        )
        for name in ("inner", "outer")
    ]


async def test_an_exception_handler_answers_for_the_nearest_class():
    class Answers:
        @hookimpl
        def aaah_exception_handlers(self, handler_class):
            async def lookup(call, error):
                return Reply(status=410, errors=[{"code": "gone", "detail": str(error)}])

            return {
                LookupError: lookup,
                Exception: lambda call, error: Reply(status=418, errors=[{"code": "other"}]),
            }

    class Consumer(AsyncAPIConsumer):
        @async_action
        def lose(self):
            return {}["Emma"]

        @async_action
        async def divide(self):
            return 1 / 0

    with registry("async_action", Answers()):
        async with connect(Consumer.as_asgi()) as client:
            reply = await client.call("lose")
            assert (reply["status"], reply["data"]) == (410, None)
            assert reply["errors"] == [{"code": "gone", "detail": "'Emma'"}]
            assert (await client.call("divide"))["status"] == 418


async def test_a_connection_context_stands_around_each_accepted_connection_and_no_other():
    steps = []

    class Presence:
        @hookimpl
        def aaah_connection(self, consumer_class):
            @contextlib.asynccontextmanager
            async def present(consumer):
                steps.append(("came", consumer.user))
                try:
                    yield
                finally:
                    steps.append(("left", consumer.user))

            return present

    class NotBob(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            return scope["user"] != "Bob"

    class Consumer(Echo):
        permission_classes = (NotBob,)

    with registry("async_action", Presence()):
        application = Consumer.as_asgi()
        async with connect(application, user="Ada") as client:
            assert (await client.call("echo"))["status"] == 200
            assert steps == [("came", "Ada")]
        with pytest.raises(Refused):
            async with connect(application, user="Bob"):
                pass
    assert steps == [("came", "Ada"), ("left", "Ada")]


# The hooks, the defaults, the dispatcher.


def test_there_are_exactly_ten_hooks_with_these_arguments():
    hooks = {
        name: list(inspect.signature(each).parameters)
        for name, each in vars(hookspecs).items()
        if name.startswith("aaah_")
    }
    assert hooks == {
        "aaah_select_codec": ["consumer_class", "scope", "allowed"],
        "aaah_route_resolver": ["handler_class"],
        "aaah_permission_check": ["handler_class", "permission"],
        "aaah_response_shaper": ["consumer_class"],
        "aaah_request_parser": ["consumer_class"],
        "aaah_codecs": [],
        "aaah_actions": ["handler_class"],
        "aaah_middleware": ["handler_class", "action"],
        "aaah_exception_handlers": ["handler_class"],
        "aaah_connection": ["consumer_class"],
    }
    four = ["Codec selection", "Route resolution", "Permission checks", "Response shaping"]
    assert [
        inspect.getdoc(getattr(hookspecs, name)).split("**")[1] for name in list(hooks)[:4]
    ] == [f"{words}." for words in four]


def test_the_defaults_are_found_through_the_cores_own_entry_points():
    own = {name: value for name, (owner, value) in _entry_points().items() if owner == "aaah-core"}
    assert own == {path.stem: f"aaah_core.defaults.{path.stem}" for path in DEFAULTS}
    assert set(own) == {"json", "routes", "permissions", "wire"}


@pytest.mark.parametrize("path", DEFAULTS, ids=lambda path: path.stem)
def test_a_default_is_a_file_one_could_copy(path):
    assert len(path.read_text().splitlines()) < 80
    for module, name in _imports(path):
        if module.split(".")[0] == "aaah_core":
            assert name in sys.modules[module].__all__, f"{module}.{name} is private"


@pytest.mark.parametrize("path", DEFAULTS, ids=lambda path: path.stem)
def test_a_default_is_asked_last(path):
    module = sys.modules[f"aaah_core.defaults.{path.stem}"]
    marked = [each.aaah_impl for each in vars(module).values() if hasattr(each, "aaah_impl")]
    assert marked
    assert all(options["trylast"] for options in marked)


def test_the_dispatcher_imports_neither_pluggy_nor_channels():
    files = [CORE / f"{name}.py" for name in ("dispatch", "lookup", "outcome", "way")]
    packages = {module.split(".")[0] for file in files for module, _ in _imports(file)}
    assert {"asyncio", "aaah_core"} <= packages
    assert not packages & {"pluggy", "channels"}


def _imports(path):
    """Return (module, name) of every import, at any depth; the name is None for a module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module, alias.name) for alias in node.names]
    return found


def test_importing_the_core_is_light():
    """It works before settings exist, and loads no plugin, no DRF and no part of Channels and
    Django that takes long."""
    code = "import sys; old = {*sys.modules}; from aaah_core import *; print(*{*sys.modules} - old)"
    environment = {key: each for key, each in os.environ.items() if "DJANGO" not in key}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = done.stdout.split()
    assert "aaah_core.dispatch" in loaded
    assert not {each.split(".")[0] for each in loaded} & {
        "rest_framework",
        "msgpack",
        "uvicorn",
        "aaah_async_action",
        "aaah_drf",
        "aaah_crud",
        "aaah_msgpack",
        "aaah_simplejwt",
        "aaah_cbor",
        "aaah_opentelemetry",
        "aaah_jsonrpc",
        "cbor2",
        "pytest",
    }
    heavy = ("aaah_core.defaults", "aaah_core.testing", "aaah_core.cli", "django.contrib")
    heavy += tuple(f"channels.{each}" for each in ("auth", "routing", "security", "sessions"))
    assert [each for each in loaded if each.startswith((*heavy, "channels.testing"))] == []
    assert "django.urls" not in loaded
