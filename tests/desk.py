"""A consumer that commands are tried with, and what runs them."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from django.core.management import call_command
from django.urls import path

from aaah_async_action.decorators import async_action
from aaah_core import (
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    IsAuthenticated,
    PermissionDenied,
    Reply,
)
from aaah_core.testing import registry

HERE = __name__


@pytest.fixture
def uncounted(settings):
    """Use the plugins that put nothing around each action."""
    settings.AAAH = {
        "DISABLED_PLUGINS": ["jsonrpc", "opentelemetry", "prometheus"]
    }  # a trace builds a registry of its own
    with registry("async_action", "drf", "msgpack", "rest_framework_channels"):
        yield


@dataclass
class Span:
    begin: int
    end: int


class ChildHandler(AsyncAPIActionHandler):
    permission_classes = (IsAuthenticated,)

    @async_action
    async def rename(self, pk: int, title: str, tags: list[str] | None = None) -> str:
        """Give a book another title.

        And more, which is not in a summary.
        """
        return title


class Desk(AsyncAPIConsumer):
    codecs = ("json", "msgpack")
    routepatterns = (path("books/<int:pk>/", ChildHandler.as_aaah()),)

    @async_action
    async def echo(self, data=None, **kwargs):
        return {"data": data, "request_id": self.call.request_id, **self.call.params}

    @async_action
    async def sort(self, by: Literal["title", "year"], within: Span, on: date):
        pass

    @async_action
    async def headers(self, names: list[str]):
        sent = {name.decode(): value.decode() for name, value in self.scope["headers"]}
        return [sent.get(name) for name in names]

    @async_action
    async def ring(self):
        await self.send_json({"event": "bell", "data": 1, "status": 200})
        return "rung"

    @async_action(mode="broadcast", broadcast_type="news", group="news")
    async def tell(self):
        return "told"

    @async_action
    async def raw(self) -> bytes:
        return b"\x00\xff"

    @async_action
    async def refuse(self):
        raise PermissionDenied

    @async_action
    async def teapot(self):
        return Reply(status=503, errors=[{"code": "tea", "detail": "Short and stout."}])

    @async_action
    async def wait(self):
        await asyncio.Event().wait()

    @async_action
    async def hang_up(self):
        await self.close(4503)
        await asyncio.Event().wait()


class Nobody(BasePermission):
    def can_connect(self, scope, handler, message=None):
        return False


class Closed(AsyncAPIConsumer):
    permission_classes = (Nobody,)


class Broken(AsyncAPIConsumer):
    codecs = ("msgpak",)


def aaah(*arguments):
    """Run in this process, and return what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("aaah", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def shell(*arguments, command=("aaah",), cwd=None, **variables):
    """Run the installed script in a process and an environment of its own."""
    bare = {
        name: value
        for name, value in os.environ.items()
        if name != "DJANGO_SETTINGS_MODULE" and not name.startswith("AAAH_")
    }
    program, *rest = command
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *rest, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**bare, **variables},
    )
