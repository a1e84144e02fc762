"""What importing the core costs, and what it must not need."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

import aaah_core
from tests.conftest import python


def imported(*statements):
    """Return the modules that a Python without settings has after these statements."""
    source = "\n".join([*statements, "import json, sys", "print(json.dumps(list(sys.modules)))"])
    return json.loads(python(source))


def test_the_core_is_imported_without_settings_and_without_a_plugin():
    modules = imported("import aaah_core")
    assert "aaah_core" in modules
    for package in ("rest_framework", "django.urls", "msgpack", "aaah_core.defaults"):
        assert package not in modules
    plugins = json.loads(
        python("""
            import importlib_metadata, json
            entry_points = importlib_metadata.entry_points(group="aaah")
            print(json.dumps([entry.module for entry in entry_points]))
        """)
    )
    assert "aaah_core.defaults.json" in plugins
    assert not set(plugins) & set(modules)


def test_a_handler_and_a_permission_are_written_without_settings():
    modules = imported(
        "from aaah_core import *",
        "class Chat(AsyncAPIConsumer): permission_classes = [IsAuthenticated & ~IsOwner]",
        "class Handler(AsyncAPIActionHandler): pass",
        "Handler.as_aaah()",
    )
    assert "django.urls" not in modules


def test_the_pytest_plugin_is_loaded_without_settings():
    assert "rest_framework" not in imported("import aaah_core.testing.pytest_plugin")


def test_a_star_imports_what_the_core_names_and_each_name_is_there():
    for name in aaah_core.__all__:
        assert getattr(aaah_core, name) is not None
    assert len(set(aaah_core.__all__)) == len(aaah_core.__all__)


def test_before_django_is_set_up_an_application_says_what_to_do():
    said = python(
        """
        from aaah_core import AsyncAPIConsumer, ConfigurationError
        class Chat(AsyncAPIConsumer):
            codecs, wire = ["json"], "aaah"
        try:
            Chat.as_asgi()
        except ConfigurationError as error:
            print(error)
        """,
        DJANGO_SETTINGS_MODULE="aaah_core.testing.settings",
    )
    assert "Chat.as_asgi() was called before Django is set up" in said
    assert "django.setup()" in said


def test_a_start_of_django_loads_no_consumer_no_codec_and_no_drf():
    loaded = imported(
        "from django.conf import settings",
        "settings.configure(INSTALLED_APPS=['aaah_core'])",
        "import django",
        "django.setup()",
    )
    assert "aaah_async_action.plugin" in loaded
    for heavy in ("channels.generic", "aaah_core.consumers", "rest_framework", "msgpack"):
        assert heavy not in loaded
    for rare in ("packaging", "zipp", "aaah_core.routing", "aaah_core.django_errors"):
        assert rare not in loaded


@pytest.mark.parametrize("name", aaah_core.__all__)
def test_a_public_name_is_what_its_module_calls_so(name):
    value = getattr(aaah_core, name)
    assert value is getattr(import_module(f"aaah_core.{aaah_core._MODULES[name]}"), name)


def test_the_package_has_its_public_names_and_no_others():
    assert set(aaah_core._MODULES) == set(aaah_core.__all__)
    assert set(aaah_core.__all__) <= set(dir(aaah_core))
    with pytest.raises(AttributeError, match="'aaah_core' has no attribute 'Consumer'"):
        aaah_core.Consumer  # noqa: B018 - that is the question
