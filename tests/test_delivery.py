"""docs/delivery.md: its tables are what the code has, and what it names proves what it says."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections import Counter
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from aaah_core import AsyncAPIConsumer, CloseCode, Limits, errors, group_name, run_sync
from aaah_core.plan import consumer_plan
from aaah_core.testing import connect
from tests.conftest import Socket, action, consumer

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "delivery.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def table(heading):
    """Return the rows below a heading, each as a list of cells."""
    section = PAGE[PAGE.index(f"## {heading}\n") :].split("\n## ")[0]
    rows = re.findall(r"^\| *(.*?) *\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows[1:] if "---" not in row]


def names_of_tests():
    """Return the names of all tests, of the plugins too."""
    names = set()
    for path in [*ROOT.glob("tests/**/*.py"), *ROOT.glob("plugins/*/tests/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(node.name)
    return {name for name in names if name.startswith("test_")}


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named - names_of_tests() == set()


@pytest.mark.parametrize("heading", ["What is promised", "Limits", "Close codes"])
def test_every_row_names_a_test(heading):
    rows = table(heading)
    assert rows
    assert [row for row in rows if not re.fullmatch(r"`test_\w+`(, `test_\w+`)*", row[-1])] == []


def test_the_table_of_limits_has_each_limit_with_its_default():
    rows = {name.strip("`"): default for name, default, *_ in table("Limits")}
    assert rows.pop("concurrency") == str(AsyncAPIConsumer.concurrency)
    read = {name: None if value == "None" else float(value) for name, value in rows.items()}
    assert read == {field.name: field.default for field in fields(Limits)}


def test_each_limit_says_which_status_or_code_there_is_beyond_it():
    statuses = {getattr(errors, name).status for name in errors.__all__ if _has_status(name)}
    for name, _, beyond, _ in table("Limits"):
        codes = set(map(int, re.findall(r"\b(?<!`)[345]\d\d\d?\b", beyond)))
        assert codes <= statuses | set(CloseCode), name
        assert codes or name in {"`concurrency`", "`inbox_bytes`"}, name


def _has_status(name):
    return issubclass(getattr(errors, name), errors.RequestError)


def test_the_table_of_close_codes_has_each_code_with_whether_to_retry():
    rows = table("Close codes")
    assert [(int(code), name.strip("`")) for code, name, *_ in rows] == [
        (code.value, code.name) for code in CloseCode
    ]
    assert [re.match(r"no$|later|yes", row[3])[0] for row in rows] == [
        "no",
        "no",
        "no",
        "no",
        "later",
        "yes",
    ]


def test_the_blocks_are_settings_and_a_consumer_that_can_be_compiled(core, settings):
    _, given, code = BLOCKS
    namespace = {"__name__": "consumers"}
    exec(given, namespace)
    settings.AAAH = namespace["AAAH"]
    exec(code, namespace)
    limits = consumer_plan(namespace["Uploads"]).limits
    assert (limits.rate, limits.age, limits.deadline, limits.frame_bytes) == (
        20,
        None,
        60,
        1_048_576,
    )


@action
async def hello(self):
    return "hello"


async def test_the_block_of_a_signal_publishes_to_the_group_of_its_value(core):
    namespace = {"__name__": "signals"}
    exec(BLOCKS[0], namespace)
    chat = consumer(hello, groups=[group_name("shelf", "novels")])
    async with connect(chat.as_asgi()) as client:
        await client.call("hello")
        await run_sync(namespace["book_saved"], SimpleNamespace(shelf="novels", pk=5))
        event = {"event": "book.saved", "data": {"id": 5}, "status": 200, "seq": 1}
        assert await client.receive() == event


def test_the_readme_leads_here():
    assert "docs/delivery.md" in (ROOT / "README.md").read_text("utf-8")


# What no other test says.


ENDS = {
    "left": lambda socket, connection: socket.put({"type": "websocket.disconnect", "code": 1001}),
    "is old": lambda socket, connection: setattr(connection, "_until", 0.0),
    "is cancelled": lambda socket, connection: socket.task.cancel(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_request_runs_twice_however_its_connection_ends(core, quick, concurrency, end):
    ran, connections, begun = Counter(), [], asyncio.Event()

    async def connect(self):
        connections.append(self._connection)
        await self.accept()

    @action
    async def act(self, number, wait):
        ran[number] += 1
        if wait:
            begun.set()
            await asyncio.Event().wait()
        return number

    chat = consumer(act, connect=connect, concurrency=concurrency, limits={"deadline": 1})
    async with Socket(chat.as_asgi()) as socket:
        for number in range(40):
            # All with one id: it is nobody's business whether a client uses one again.
            request = {"action": "act", "number": number, "request_id": 1}
            socket.put(json.dumps({**request, "wait": 20 <= number < 20 + concurrency}))
        await begun.wait()
        await quick(2)  # until it reads ahead
        end(socket, connections[0])
        await asyncio.wait([socket.task], timeout=10)
        assert socket.task.done()
    assert set(ran) >= set(range(20))
    assert set(ran.values()) == {1}
    replies = [json.loads(message["text"]) for message in socket.sent if "text" in message]
    answered = Counter(reply["data"] for reply in replies if reply["status"] == 200)
    assert set(answered.values()) == {1}
    assert set(answered) <= set(ran)
