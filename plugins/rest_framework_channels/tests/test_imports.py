from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import aaah_async_action.decorators
import aaah_core
import aaah_crud.consumers
import aaah_crud.handlers
from aaah_core import AsyncActionHandler
from aaah_core.testing import connect, registry
from rest_framework_channels import consumers, decorators, handlers

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
    with registry("async_action", "drf", "msgpack"):
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
    with registry("async_action", "drf"):
        async with connect(run(code)["Library"].as_asgi()) as client:
            reply = await client.call("hello")
    assert (reply["status"], reply["data"]) == (200, {"message": "hello"})


@pytest.mark.parametrize("module", [handlers, consumers])
def test_everything_here_is_an_action_handler(module: ModuleType) -> None:
    for name in module.__all__:
        assert issubclass(getattr(module, name), AsyncActionHandler), name


@pytest.mark.parametrize(
    ("module", "ours"), [(handlers, aaah_crud.handlers), (consumers, aaah_crud.consumers)]
)
def test_every_generic_class_is_here(module: ModuleType, ours: ModuleType) -> None:
    for name in ours.__all__:
        assert getattr(module, name) is getattr(ours, name)
        assert name in module.__all__


def test_the_base_classes_are_the_cores() -> None:
    assert handlers.AsyncActionHandler is aaah_core.AsyncActionHandler
    assert handlers.AsyncAPIActionHandler is aaah_core.AsyncAPIActionHandler
    assert consumers.AsyncAPIConsumer is aaah_core.AsyncAPIConsumer
    assert decorators.async_action is aaah_async_action.decorators.async_action
