"""A plugin that its author got wrong, and what a start says of it."""

from __future__ import annotations

import itertools
import sys
import textwrap

import pytest
from django.urls import path

from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    ConfigurationError,
    IsAuthenticated,
    conf,
)
from aaah_core import registry as registries

HEAD = "from aaah_core import *\n"
HOOK = "@hookimpl\ndef aaah_middleware(): ...\n"
ACTION = "Action('say', run=mine{})"
CODEC = """
class Tick(Codec):
    name = {name!r}
    frame = {frame!r}
    def encode(self, payload): ...
    def decode(self, frame, limits): ...
"""

_modules = itertools.count(1)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with one plugin; the settings that it declares are forgotten."""
    monkeypatch.setattr(conf, "declared", dict(conf.declared))
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


ASYNC = "async def mine(*arguments): ..."


def require(error, kind, says, distribution="aaah-moth 1.5"):
    message = str(error)
    assert type(error) is kind, message
    for part in ["Plugin 'moth'", distribution, *says]:
        assert part in message
    assert not any(end in message for end in ("..", "?.", " ,", " . ", "  "))


def mine(answer, before="", kind="async def"):
    return f"{before}\n{kind} mine(*arguments):\n    return {answer}"
