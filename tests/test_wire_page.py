"""docs/wire.md: its messages are what is sent, its table has every code, its clients work."""

from __future__ import annotations

import asyncio
import json
import re
import shutil

import pytest

from aaah_core import errors
from aaah_core.testing import connect, live_server
from tests.pages import DOCS, ROOT, blocks, imported, written

PAGE = DOCS / "wire.md"
#: Ends with what it has seen, as one line of JSON.
SCRIPT = """
import { Client } from "./client.mjs";
const events = [], told = [];
const next = () => events.length ? events.shift() : new Promise((resolve) => told.push(resolve));
const onEvent = (event) => told.length ? told.shift()(event) : events.push(event);
let end;
const ended = new Promise((resolve) => { end = resolve; });
const seen = [];
const client = new Client(process.argv[2], onEvent, end, 10);
await client.call("search").catch((error) => seen.push(error.message));
seen.push(await next());
const all = [client.call("search", "", { word: "mm" }), client.call("retrieve", "books/2/")];
for (const reply of await Promise.all(all)) seen.push(reply.data);
seen.push((await client.call("go_away")).status, await next());
client.call("end", "", { code: 4503 }).catch(() => {});
seen.push(await next());
client.call("end", "", { code: 4401 }).catch(() => {});
seen.push(await ended);
console.log(JSON.stringify(seen));
process.exit(); // nobody closes the socket that it left
"""


def _exchanges():
    for text in blocks(PAGE, "text"):
        for exchange in text.split("→")[1:]:
            sent, *received = exchange.split("←")
            yield sent.strip(), [json.loads(each) for each in received]


def _codes(folder):
    """Return the codes that the modules of a folder name."""
    code = re.compile(r"""(?:\bcode(?:: str)? ?= ?|"code": )"([a-z_]+)\"""")
    return {
        found
        for path in folder.glob("**/*.py")
        if not {"tests", "testing", "cli"} & set(path.relative_to(folder).parts)
        for found in code.findall(path.read_text("utf-8"))
    }


async def test_each_message_of_the_page_is_answered_as_it_says(tmp_path):
    written(PAGE, tmp_path)
    exchanges = list(_exchanges())
    assert len(exchanges) == 13
    with imported(tmp_path, "wire_page/consumers.py") as module:
        async with connect(module.Library.as_asgi(), user=None) as client:
            for sent, replies in exchanges:
                await client.send_frame(sent)
                received = [await client.receive() for _ in replies]
                # The order of a reply and an event is not promised.
                assert sorted(received, key=str) == sorted(replies, key=str)


def test_the_table_has_every_code_with_its_status():
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    table = {code: int(status) for code, status in rows}
    assert len(table) == len(rows)
    known = {
        each.code: each.status
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.RequestError)
    }
    assert known.items() <= table.items()
    plugins = ("async_action", "crud", "drf", "simplejwt")
    folders = [ROOT / "aaah_core", *(ROOT / "plugins" / name for name in plugins)]
    assert set().union(*map(_codes, folders)) == set(table)


async def test_the_client_in_javascript_does_what_the_one_in_python_does(tmp_path):
    node = shutil.which("node")
    if node is None:  # nothing else here needs it, and nobody has to install it for this
        pytest.skip("no Node.js")
    written(PAGE, tmp_path)
    (client,) = blocks(PAGE, "js")
    (tmp_path / "client.mjs").write_text(client, "utf-8")
    (tmp_path / "script.mjs").write_text(SCRIPT, "utf-8")
    with imported(tmp_path, "wire_page/test_client.py") as module:
        async with live_server(module.Leaving.as_asgi()) as server:
            # Before its version 22, Node.js has WebSocket behind this option only.
            process = await asyncio.create_subprocess_exec(
                node,
                "--experimental-websocket",
                tmp_path / "script.mjs",
                f"{server.url}/",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, complaint = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, complaint.decode()
    resync = {"event": "aaah.resync"}
    assert json.loads(output) == [
        "Not connected: it has not run.",
        resync,
        ["Emma"],
        {"pk": 2, "title": "Persuasion"},
        204,
        resync,
        resync,
        4401,
    ]
