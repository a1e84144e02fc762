"""The page about actions, and the names that code of rest_framework_channels imports."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import aaah_core
from aaah_core.testing import connect
from rest_framework_channels import consumers, generics, handlers

PAGE = """
from rest_framework_channels.handlers import AsyncAPIActionHandler
from rest_framework_channels.decorators import async_action
from rest_framework_channels.consumers import AsyncAPIConsumer
from django.urls import re_path

class ChildActionHandler(AsyncAPIActionHandler):

    @async_action()
    def your_custom_action(self, pk, *args, **kwargs):
        # Note: you should return the data and status code.
        return {
            'message': 'your_custom_action will be handled',
            'model_id': pk
        }, 200

class ParentConsumer(AsyncAPIConsumer):
    codecs = ('json', 'msgpack')
    routepatterns = [
        re_path(
            r'test_child_route/(?P<pk>[-\\w]+)/$',
            ChildActionHandler.as_aaah(),
        ),
    ]
"""


def run(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "page", "exec", dont_inherit=True), namespace)
    return namespace


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_a_handler_written_for_these_paths_answers_as_it_always_did(codec: str) -> None:
    consumer_class = run(PAGE)["ParentConsumer"]
    async with connect(consumer_class.as_asgi(), codec=codec) as client:
        reply = await client.call("your_custom_action", route="test_child_route/5/")
    assert reply == {
        "errors": [],
        "action": "your_custom_action",
        "data": {"message": "your_custom_action will be handled", "model_id": 5},
        "route": "test_child_route/5/",
        "status": 200,
    }


async def test_the_example_of_the_readme_answers() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    async with connect(run(code)["Library"].as_asgi()) as client:
        reply = await client.call("hello")
    assert (reply["status"], reply["data"]) == (200, {"message": "hello"})


GENERICS = [
    "GenericAsyncAPI",
    "CreateAPI",
    "ListAPI",
    "RetrieveAPI",
    "UpdateAPI",
    "DestroyAPI",
    "ListCreateAPI",
    "RetrieveUpdateAPI",
    "RetrieveDestroyAPI",
    "RetrieveUpdateDestroyAPI",
]
#: The public names of rest_framework_channels 0.0.7.
NAMES = {
    "handlers": "APIActionHandlerMetaclass AsyncActionHandler AsyncAPIActionHandler "
    "ActionMissingException ActionNotAllowed RouteMissingException BasePermission "
    "WrappedDRFPermission RoutingManager",
    "consumers": "AsyncAPIConsumerBase AsyncAPIConsumer AsyncAPIActionHandler",
    "decorators": "async_action",
    "exceptions": "ActionMissingException RouteMissingException ActionNotAllowed "
    "debug_exception_handlers production_exception_handlers",
    "generics": " ".join(f"{name}ActionHandler {name}Consumer" for name in GENERICS),
    "mixins": "CreateModelMixin ListModelMixin RetrieveModelMixin UpdateModelMixin "
    "DestroyModelMixin",
    "permissions": "OperationHolderMixin SingleOperandHolder OperandHolder AND OR NOT "
    "BasePermissionMetaclass BasePermission AllowAny IsAuthenticated IsAuthenticatedStrictly "
    "IsOwner WrappedDRFPermission",
    "routings": "RoutingEntry RoutingManager",
    "settings": "DEFAULTS IMPORT_STRINGS APISettings api_settings reload_api_settings",
    "utils": "ensure_async request_from_scope",
    "testing.websocket": "ExtendedWebsocketCommunicator AuthCommunicator",
}


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_where_it_was(module: str) -> None:
    found = importlib.import_module(f"rest_framework_channels.{module}")
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", [handlers, consumers, generics])
def test_everything_here_is_an_action_handler(module: ModuleType) -> None:
    for name in module.__all__:
        assert issubclass(getattr(module, name), handlers.AsyncActionHandler), name


def test_the_generic_classes_are_among_the_handlers_and_the_consumers() -> None:
    for name in generics.__all__:
        module = handlers if name.endswith("Handler") else consumers
        assert getattr(module, name) is getattr(generics, name)
        assert name in module.__all__


def test_its_classes_are_the_cores_too() -> None:
    for name in ("AsyncActionHandler", "AsyncAPIActionHandler"):
        assert issubclass(getattr(handlers, name), getattr(aaah_core, name))
    assert issubclass(consumers.AsyncAPIConsumer, aaah_core.AsyncAPIConsumer)


def test_the_plugin_is_light_to_import() -> None:
    code = """
import sys, django.conf
django.conf.settings.configure()
import rest_framework_channels.plugin
heavy = {"rest_framework", "rest_framework_channels.handlers", "django.db.models"}
print(*heavy & {*sys.modules})
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_project_without_such_classes_does_not_load_drf_for_this_plugin() -> None:
    code = """
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["aaah_core"], AAAH={"DISABLED_PLUGINS": ["drf"]})
django.setup()
from aaah_core import AsyncAPIConsumer
AsyncAPIConsumer.as_asgi()
print(*{"rest_framework", "django.contrib.auth.models"} & {*sys.modules})
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
