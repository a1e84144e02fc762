"""What `manage.py check` says before a start would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from channels.layers import channel_layers
from django.core.checks import Error, run_checks
from django.core.checks import Warning as CheckWarning
from django.test import override_settings
from django.urls import include, path, re_path
from importlib_metadata import version

from aaah_core import AsyncActionHandler, AsyncAPIConsumer, backtracking
from aaah_core.testing import registry
from tests.conftest import plugin
from tests.system_checks import found, no_leftovers

__all__ = ["no_leftovers"]  # a fixture that all here use

SQLITE = "django.db.backends.sqlite3"


def nothing():
    """Answer as a hook, of a name that none has."""


def test_nothing_is_said_of_what_is_right(core):
    class Right(AsyncAPIConsumer):
        pass

    with override_settings(DEBUG=True):
        assert run_checks(tags=["aaah"]) == []


# aaah.E001


def test_a_plugin_that_did_not_load_is_e001():
    with registry(plugin(aaah_codec=nothing)):
        (error,) = found("aaah.E001")
    assert isinstance(error, Error)
    assert "aaah_codec" in error.msg
    assert "aaah_codecs" in error.msg


def test_a_wrong_setting_is_e001():
    with override_settings(AAAH={"PLUGIN": []}):
        (error,) = found("aaah.E001")
    assert "did you mean 'PLUGINS'?" in error.msg


def test_each_problem_is_an_error_of_its_own():
    with registry(plugin(aaah_codec=nothing), plugin(aaah_wires=nothing)):
        assert len(found("aaah.E001")) == 2


# aaah.E002


def test_a_consumer_that_cannot_be_compiled_is_e002(core):
    class Wrong(AsyncAPIConsumer):
        codecs = ("jsn",)

    class Inherits(Wrong):
        wire = "nobodys"

    errors = found("aaah.E002")
    assert all(isinstance(error, Error) for error in errors)
    assert [error.msg.partition(" names")[0].rpartition(".")[2] for error in errors] == [
        "Wrong",
        "Inherits",
    ]
    assert "did you mean 'json'?" in errors[0].msg


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"wire": "nobodys"}, "nobodys"),
        ({"permission_classes": [object]}, "permission_classes of Wrong"),
        ({"limits": {"deadlin": 1}}, "did you mean 'deadline'?"),
        ({"receive_json": lambda self: None}, "overrides receive_json()"),
        ({"routepatterns": [object()]}, "Wrong.routepatterns"),
    ],
)
def test_e002_says_what_is_wrong_with_a_consumer(core, attributes, said):
    wrong = type("Wrong", (AsyncAPIConsumer,), attributes)
    (error,) = found("aaah.E002")
    assert said in error.msg
    assert wrong.__name__ in error.msg


def test_where_plugins_are_at_fault_consumers_are_not_blamed():
    class Wrong(AsyncAPIConsumer):
        codecs = ("jsn",)

    with registry(plugin(aaah_codec=nothing)):
        assert found("aaah.E002") == []


# aaah.E003


def databases(**entries):
    return override_settings(DATABASES=entries)


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_an_in_memory_sqlite_is_e003(core):
    memory = {"ENGINE": SQLITE, "NAME": ":memory:"}
    with databases(default=memory, file={"ENGINE": SQLITE, "NAME": "db.sqlite3"}):
        (error,) = found("aaah.E003")
    assert isinstance(error, Error)
    assert "'default'" in error.msg
    assert error.hint == "Give it a file name."


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"ENGINE": SQLITE},
        {"ENGINE": SQLITE, "NAME": Path("db.sqlite3")},
        {"ENGINE": "django.db.backends.postgresql", "NAME": ":memory:"},
    ],
)
def test_any_other_database_is_fine(core, entry):
    with databases(default=entry):
        assert found("aaah.E003") == []


# aaah.W001


def test_an_in_memory_layer_in_production_is_w001(core):
    with override_settings(DEBUG=False):
        (warning,) = found("aaah.W001")
    assert isinstance(warning, CheckWarning)
    assert "'default'" in warning.msg
    assert "channels_redis" in warning.hint


def test_an_in_memory_layer_is_fine_in_development(core):
    with override_settings(DEBUG=True):
        assert found("aaah.W001") == []


def test_another_layer_or_none_is_fine(core):
    with override_settings(CHANNEL_LAYERS={}):
        assert found("aaah.W001") == []
    before = channel_layers["default"]  # made now, if nobody has asked for it yet
    channel_layers.set("default", object())
    try:
        assert found("aaah.W001") == []
    finally:
        channel_layers.set("default", before)


# aaah.W002


@pytest.mark.parametrize("place", ["own", "below", "included"])
def test_a_route_that_backtracks_is_w002_and_is_named(core, place):
    class Leaf(AsyncActionHandler):
        pass

    bad = re_path(r"^shelf/(?P<name>(\w+)+)/$", Leaf.as_aaah())
    fine = path("books/<int:pk>/<slug:name>/", Leaf.as_aaah())

    class Below(AsyncActionHandler):
        routepatterns = [bad]

    class Chat(AsyncAPIConsumer):
        routepatterns = {
            "own": [fine, bad],
            "below": [fine, path("below/", Below.as_aaah())],
            "included": [path("x/", include([fine, bad]))],
        }[place]

    (warning,) = found("aaah.W002")
    assert isinstance(warning, CheckWarning)
    assert r"shelf/(?P<name>(\w+)+)/$" in warning.msg
    assert ("Below" if place == "below" else "Chat") in warning.msg
    assert "characters that begin 'shelf/aaaa" in warning.msg
    assert Below.__name__ == "Below"


def test_a_pattern_is_looked_at_once_wherever_it_stands(core, monkeypatch):
    looked = []

    def look(pattern, matches, longest):
        looked.append((pattern.pattern, longest))

    class Leaf(AsyncActionHandler):
        pass

    class One(AsyncAPIConsumer):
        routepatterns = [path("books/<int:pk>/", Leaf.as_aaah())]

    class Other(One):
        pass

    class Longer(One):
        limits = {"route_length": 300}

    monkeypatch.setattr(backtracking, "backtracks", look)
    assert found("aaah.W002") == []
    assert [longest for _, longest in looked] == [256, 300]
    assert Other.routepatterns is Longer.routepatterns


def test_where_something_is_set_up_wrongly_no_route_is_looked_at(core, monkeypatch):
    class Wrong(AsyncAPIConsumer):
        codecs = ("jsn",)

    monkeypatch.delattr(backtracking, "backtracks")
    assert found("aaah.W002") == []
    with registry(plugin(aaah_codec=nothing)):
        assert found("aaah.W002") == []
    assert Wrong.codecs


# aaah.W003


def redis_layers(**host):
    """Return settings of both layers of channels_redis; nothing has to serve there."""
    config = {"hosts": [{"host": "127.0.0.1", "port": 1, **host}]}
    return {
        name: {"BACKEND": f"channels_redis.{backend}", "CONFIG": config}
        for name, backend in (
            ("core", "core.RedisChannelLayer"),
            ("pubsub", "pubsub.RedisPubSubChannelLayer"),
        )
    }


@pytest.mark.parametrize("seconds", [2, 5.0])
def test_a_redis_that_is_given_up_while_a_message_is_waited_for_is_w003(seconds):
    with override_settings(CHANNEL_LAYERS=redis_layers(socket_timeout=seconds)):
        (warning,) = found("aaah.W003")
    assert warning.msg.startswith("The channel layer 'core': redis-py gives Redis up after")
    assert '"socket_timeout": 15' in warning.msg


@pytest.mark.parametrize("seconds", [6, 15, None])
def test_a_redis_that_is_waited_for_longer_is_not(seconds):
    with override_settings(CHANNEL_LAYERS=redis_layers(socket_timeout=seconds)):
        assert found("aaah.W003") == []


def test_what_redis_py_does_where_nothing_is_set_is_w003_from_its_version_8_on():
    with override_settings(CHANNEL_LAYERS=redis_layers()):
        messages = found("aaah.W003")
    assert bool(messages) is (int(version("redis").partition(".")[0]) >= 8)
