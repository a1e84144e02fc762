"""The page "Coming from rest_framework_channels": every example of it runs."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User

from aaah_core.testing import connect
from rest_framework_channels.consumers import AsyncAPIConsumer

PAGE = Path(__file__).parents[3] / "docs" / "coming-from-rest-framework-channels.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
USERS = {"ada": User(pk=1, username="ada"), "---": None}


def test_the_page_has_examples_of_each_kind():
    kinds = [kind for kind, _ in BLOCKS]
    assert set(kinds) == {"sh", "python", "text"}
    assert kinds.count("python") == kinds.count("text") > 3


@pytest.mark.django_db(transaction=True)
async def test_every_example_says_what_is_true():
    await Group.objects.acreate(pk=1, name="readers")
    namespace = {"__name__": "page"}
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, PAGE.name, "exec", dont_inherit=True), namespace)
        elif kind == "text":
            await _talk(list(namespace.values())[-1], text)


async def _talk(consumer_class, text):
    assert issubclass(consumer_class, AsyncAPIConsumer)
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(connect(consumer_class.as_asgi(), user=user))
            for name, user in USERS.items()
        }
        for line in text.splitlines():
            name, arrow, message = line.split(" ", 2)
            if arrow == "→":
                await clients[name].send(json.loads(message))
            else:
                assert await clients[name].receive() == json.loads(message)
