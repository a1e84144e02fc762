from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from aaah_async_action.decorators import async_action
from aaah_core.testing import connect

CODE = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


def run(number: int, **given: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "readme", **given}
    exec(compile(CODE[number], "README.md", "exec", dont_inherit=True), namespace)
    return namespace


async def test_the_examples_let_in_who_brings_a_token_and_no_other(
    emma: User, token: Callable[..., str]
) -> None:
    example = run(1)["Library"]

    class Library(example):  # type: ignore[misc]  # the example's
        @async_action
        async def hello(self) -> str:
            return "hello"

    sockets = run(0, Library=Library)["sockets"]
    subprotocols = ["aaah.json", f"aaah.bearer.{token(emma)}"]
    async with connect(sockets, "/ws/", subprotocols=subprotocols) as client:
        assert client.subprotocol == "aaah.json"
        assert (await client.call("hello"))["data"] == "hello"
    async with connect(sockets, "/ws/") as client:
        assert (await client.call("hello"))["status"] == 401
        reply = await client.call("authenticate", token=token(emma))
        assert reply == {
            "errors": [],
            "data": {"expires_in": reply["data"]["expires_in"]},
            "action": "authenticate",
            "route": "",
            "status": 200,
        }
        assert (await client.call("hello"))["data"] == "hello"


def test_the_tokens_of_the_example_are_of_the_type_that_asks_the_blacklist() -> None:
    example = run(2)
    access = example["Refresh"]().access_token
    assert isinstance(access, example["RevocableToken"])
    assert access["token_type"] == "revocable"
