"""docs/codecs.md: its tables are what each codec does."""

import importlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import nan
from uuid import UUID

import cbor2
import importlib_metadata
import msgpack
import pytest

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, DecodeError, Limits, describe
from aaah_core.testing import Refused, connect
from tests.pages import DOCS, blocks, imported, written

PAGE = DOCS / "codecs.md"
NAMES = ("json", "msgpack", "cbor")


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


def table(head):
    """Return the rows below a head, each as its cells."""
    text = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| *(.*?) *\|$", text[text.index(head) :].split("\n\n")[0], re.MULTILINE)
    return [re.split(r" *\| *", row) for row in rows[2:]]


def code(cell):
    return (re.findall(r"`(.*?)`", cell) or [None])[0]


def python(cell):
    """Return the value that the code of a cell is."""
    names = {"Colour": Colour, "Point": Point, "UTC": UTC, "nan": nan, "null": None}
    kinds = {each.__name__: each for each in (date, datetime, time, timedelta, Decimal, UUID)}
    return eval(code(cell), names | kinds)


def library(folder):
    """Return the consumer of the page."""
    written(PAGE, folder)
    return imported(folder, "letters/consumers.py")


def codecs():
    plan = describe(type("All", (AsyncAPIConsumer,), {"codecs": NAMES}))
    assert plan["codecs"] == list(NAMES)
    modules = {
        "json": ("aaah_core.defaults.json", "JSONCodec"),
        "msgpack": ("aaah_msgpack.codec", "MessagePackCodec"),
        "cbor": ("aaah_cbor.codec", "CBORCodec"),
    }
    return {
        name: getattr(importlib.import_module(module), kind)()
        for name, (module, kind) in modules.items()
    }


READERS = {"json": json.loads, "msgpack": msgpack.unpackb, "cbor": cbor2.loads}
VALUES = table("| an action returns")


@pytest.mark.parametrize("row", VALUES, ids=lambda row: code(row[0]))
async def test_a_value_is_written_and_taken_back_as_the_table_says(row):
    value, expected = python(row[0]), {"json": python(row[1])}
    expected |= dict.fromkeys(("msgpack", "cbor"), python(row[2]))
    kind = python(row[3]) if row[3] else None

    class Echo(AsyncAPIConsumer):
        codecs = NAMES

        @async_action
        async def give(self):
            return [value]

        @async_action
        async def take(self, given: kind):
            assert given == value
            assert type(given) is type(value)

    for name in NAMES:
        async with connect(Echo.as_asgi(), codec=name) as client:
            await client.send({"action": "give"})
            assert READERS[name](await client.receive_frame())["data"] == [expected[name]]
            if kind is not None:
                assert (await client.call("take", given=expected[name]))["status"] == 204


def test_the_codecs_are_those_of_the_plugins():
    rows = table("| distribution | codec")
    assert [code(row[1]) for row in rows] == list(NAMES)
    for distribution, name, subprotocol, frames in rows:
        found = importlib_metadata.distribution(code(distribution)).entry_points.select(
            group="aaah", name=code(name)
        )
        assert len(found) == 1
        codec = codecs()[code(name)]
        assert codec.subprotocol == code(subprotocol)
        assert {"text": "text", "bytes": "binary"}[codec.frame] == frames


async def test_a_client_speaks_what_the_table_says(tmp_path):
    with library(tmp_path) as module:
        for offers, speaks, told in table("| the client offers"):
            offered = re.findall(r"`(.*?)`", offers)
            chosen = connect(module.Letters.as_asgi(), codec=code(speaks), subprotocols=offered)
            if code(speaks) is None:
                with pytest.raises(Refused):
                    await chosen.__aenter__()
                continue
            async with chosen as client:
                assert client.subprotocol == code(told)
                assert (await client.call("count", text="abc"))["data"] == 3


async def test_the_other_kind_of_frame_is_answered_as_shown(tmp_path):
    (shown,) = blocks(PAGE, "text")
    with library(tmp_path) as module:
        async with connect(module.Letters.as_asgi(), codec="msgpack") as client:
            await client.send_frame('{"action": "count"}')
            assert await client.receive() == json.loads(shown.split("←")[1])


def test_each_codec_refuses_what_the_page_says():
    rows = table("| a frame | status")
    assert [row[1] for row in rows[:3]] == ["400", "400", "413"]
    deep = nested = []
    for _ in range(32):
        nested.append([])
        nested = nested[0]
    wrong = {400: [[nan], ["\0"], [2**64]], 413: [deep, [0] * 10_001]}
    writers = {"json": json.dumps, "msgpack": msgpack.packb, "cbor": cbor2.dumps}
    for name, codec in codecs().items():
        for status, payloads in wrong.items():
            for payload in payloads:
                try:
                    frame = writers[name](payload)
                except OverflowError:
                    continue  # MessagePack has no such integer
                with pytest.raises(DecodeError) as refused:
                    codec.decode(frame, Limits())
                assert refused.value.status == status
    limits = Limits()
    for field in ("depth", "items", "digits", "frame_bytes"):
        assert f"`{field}` ({getattr(limits, field):,})" in PAGE.read_text("utf-8")


async def test_the_other_defaults_hold(tmp_path, settings):
    written(PAGE, tmp_path)
    with imported(tmp_path, "letters/settings.py") as module:
        settings.AAAH = module.AAAH
    assert describe(type("Mail", (AsyncAPIConsumer,), {}))["codecs"] == ["msgpack", "json"]
    with imported(tmp_path, "letters/devices.py") as module:
        assert describe(module.Printers)["codecs"] == ["msgpack"]


async def test_a_codec_named_json_stands_in_the_place_of_the_cores(tmp_path):
    written(PAGE, tmp_path)
    with imported(tmp_path, "letters/pretty.py") as module:
        own = type("Own", (module.PrettyJSON,), {"name": "json"})()
        chat = type("Chat", (AsyncAPIConsumer,), {"codecs": (own,)})
        async with connect(chat.as_asgi()) as client:
            await client.send_frame("{}")
            assert (await client.receive_frame()).startswith("{\n")
