"""What the log holds of a failure, and what it never holds: anything that a client sent."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from aaah_async_action.decorators import async_action
from aaah_core import BasePermission, databases, log_error, logs
from aaah_core.logs import printable
from aaah_core.testing import connect, registry
from tests.conftest import Socket, action, consumer
from tests.hostile.application import Hostile
from tests.hostile.rules import broken

ROOT = Path(__file__).parents[1]

#: What moves a cursor, ends a line or turns the direction of a text.
FORGED = "x\n2026 ERROR root: all is lost\r\x1b[2J\u202e\u2028\u0085\x00\x7f\ud800"


async def failed(error, payload, **scope):
    """Return the reply of an action that raises what `error` makes of its data."""

    @action
    async def fail(self):
        raise error(self.call.data)

    async with Socket(consumer(fail).as_asgi(), **scope) as socket:
        await socket.get(0)
        socket.put(json.dumps({"action": "fail", "data": payload}))
        return json.loads((await socket.get(1))["text"])


pytestmark = pytest.mark.usefixtures("core")


async def test_the_id_of_a_500_is_in_the_log_with_the_place_and_what_was_said(caplog):
    reply = await failed(lambda data: KeyError("no such shelf"), "5")
    assert f"Error {reply['errors'][0]['id']} in action 'fail' of Chat" in caplog.text
    assert "KeyError: 'no such shelf'" in caplog.text
    assert "raise error(self.call.data)" in caplog.text
    [record] = caplog.records
    assert record.exc_info[0] is KeyError  # for tools that group by it


async def test_a_text_of_a_client_forges_no_line(caplog):
    await failed(lambda data: ValueError(f"bad: {FORGED}"), "5")
    text = caplog.text
    assert (
        r"ValueError: bad: x\n2026 ERROR root: all is lost\r\x1b[2J\u202e\u2028\x85\x00\x7f\ud800"
        in text
    )
    assert not re.search(r"[^\n\x20-\x7e]", text)


SENT = ["a secret of mine", {"card": "4111111111111111"}, [["deep", 12345678]], "line\nline two"]


@pytest.mark.parametrize("payload", SENT, ids=str)
async def test_what_a_call_carried_is_removed_from_what_its_error_says(payload, caplog):
    def error(data):
        inner = ValueError(f"invalid: {data!r}")
        inner.add_note(f"noted {data}")
        inner.__cause__ = LookupError(json.dumps(data))
        return ExceptionGroup("several", [inner, KeyError(data)]) if data != SENT[0] else inner

    await failed(error, payload)
    assert "LookupError: " in caplog.text
    assert "[removed]" in caplog.text
    for secret in ("secret of mine", "4111111111111111", "deep", "12345678", "line two"):
        assert secret not in caplog.text


async def test_what_is_quoted_in_part_is_removed_in_part(caplog):
    await failed(lambda data: ValueError(f"begins with {data[:20]}..."), "0123456789" * 10)
    assert "ValueError: begins with [removed]..." in caplog.text


SCOPE = {
    "query_string": b"token=queried%20token&x=1",
    "headers": [
        (b"cookie", b"sessionid=cooked-session; csrftoken=cooked-csrf"),
        (b"authorization", b"Bearer borne-token"),
        (b"x-api-key", b"keyed-api"),
        (b"host", b"example.org"),
    ],
    "subprotocols": ["aaah.json", "token.of.subprotocol"],
}


async def test_what_the_handshake_carried_is_removed_too_and_the_host_is_not(caplog):
    said = (
        "queried token, queried%20token, cooked-session, cooked-csrf, borne-token, keyed-api, "
        "token.of.subprotocol at example.org"
    )
    await failed(lambda data: ValueError(said), "5", **SCOPE)
    assert "ValueError: " + "[removed], " * 6 + "[removed] at example.org" in caplog.text


async def test_a_part_of_a_token_is_removed_as_the_whole_is(caplog):
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiNyJ9MA.c2lnbmF0dXJlLW9mLWl0"
    _, claims, signature = token.split(".")
    headers = [(b"authorization", b"Bearer " + token.encode())]
    await failed(lambda data: ValueError(f"bad {signature} of {claims}"), "5", headers=headers)
    await failed(lambda data: ValueError(f"bad {signature} of {claims}"), token)
    await failed(lambda data: ValueError("of www.example.org"), "www.example.com")
    assert caplog.text.count("ValueError: bad [removed] of [removed]") == 2
    assert "ValueError: of www.example.org" in caplog.text


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiNyJ9MA.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize(
    "sent", [f"Bearer {TOKEN}", {"from": f"https://a.example/?token={TOKEN}&x=1"}, "5"], ids=repr
)
async def test_a_token_is_removed_that_came_within_something_else(sent, caplog):
    offered = {"headers": [(b"sec-websocket-protocol", b"aaah.json, jwt." + TOKEN.encode())]}
    signature = TOKEN.split(".")[2]
    said = f"bad {signature} of {TOKEN}"
    await failed(lambda data: ValueError(said), sent, **(offered if sent == "5" else {}))
    assert "ValueError: bad [removed] of [removed]" in caplog.text


def test_what_is_removed_from_a_long_text_takes_no_long_text_to_be_copied():
    secrets = ["0123456789" * 5, "short-one", "abcd"]
    quoted = "abcd" * 100_000
    assert logs._without(quoted, secrets).startswith("[removed]" * 100)
    # Wherever a text is cut, nothing of a secret is left at its end.
    for secret in secrets:
        for before in range(logs._READ - len(secret), logs._READ):
            told = logs._without("." * before + secret + "." * 100, secrets)
            assert set(told.replace("[removed]", "")) == {"."}


def test_what_a_database_driver_raises_forges_no_line(caplog):
    def fail(connection):
        raise OSError(f"away: {FORGED}")

    connection = SimpleNamespace(alias="nowhere", queries_log=[], connection=object())
    databases._tend(connection, fail)
    assert r"OSError: away: x\n2026 ERROR" in caplog.text
    assert connection.connection is None


class Quotes(BasePermission):
    def can_connect(self, scope, handler, message=None):
        if scope.get("user") is not None:
            raise ValueError(f"Invalid token: {scope['query_string'].decode()}\nforged")
        return True


async def test_a_check_that_quotes_the_handshake_to_another_user_leaks_nothing(caplog):
    @action
    async def become(self):
        await self.set_user(SimpleNamespace(pk=1, is_authenticated=True))

    chat = consumer(become, permission_classes=(Quotes,))
    async with Socket(chat.as_asgi(), **SCOPE) as socket:
        await socket.get(0)
        socket.put('{"action": "become"}')
        await asyncio.wait([socket.task], timeout=5)
    assert "Chat ends a connection" in caplog.text
    assert "Invalid token: [removed]" in caplog.text
    assert "queried" not in caplog.text


@pytest.mark.parametrize("moment", ["connect", "disconnect"])
async def test_a_consumer_that_quotes_its_handshake_leaks_nothing(moment, caplog):
    async def fails(self, *code):
        await self.accept() if not code else None
        raise ValueError(f"Invalid token: {self.scope['query_string'].decode()}")

    async with Socket(consumer(**{moment: fails}).as_asgi(), **SCOPE) as socket:
        await socket.get(0)
        socket.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([socket.task], timeout=5)
    assert f"Chat could not {moment}" in caplog.text
    assert "Invalid token: [removed]" in caplog.text
    assert "queried" not in caplog.text


async def test_a_long_text_is_cut_and_says_by_how_much(caplog):
    await failed(lambda data: ValueError("y" * 10_000), "5")
    assert "y" * 500 + "… (9500 more)" in caplog.text
    assert "y" * 501 not in caplog.text
    assert printable("ä漢 x", 3) == "ä漢 … (1 more)"


class Unshowable(Exception):
    def __str__(self):
        raise RuntimeError


async def test_an_exception_that_cannot_be_shown_or_has_no_end_is_written_all_the_same(caplog):
    await failed(lambda data: Unshowable(), "5")
    assert "Unshowable: (an exception that cannot be shown)" in caplog.text
    errors = [ValueError(number) for number in range(100)]
    for one, other in zip(errors, [*errors[1:], errors[0]], strict=True):
        one.__context__ = other
    await failed(lambda data: errors[0], "5")
    assert caplog.text.count("ValueError: ") == 10


async def test_a_failure_again_and_again_is_written_ten_times_a_minute(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])

    @action
    async def fail(self):
        raise ValueError(self.call.request_id)

    async with connect(consumer(fail).as_asgi()) as client:
        ids = [(await client.call("fail"))["errors"][0]["id"] for _ in range(30)]
        written = [record.args[0] for record in caplog.records]
        assert len(written) == 10
        assert ids == [*written, *[written[-1]] * 20]
        now[0] = 60.0
        last = (await client.call("fail"))["errors"][0]["id"]
        assert f"Error {last} in action 'fail' of Chat (and 20 times before" in caplog.text
    async with connect(consumer(fail).as_asgi()) as client:
        await client.call("fail")  # another connection has a count of its own
    assert len(caplog.records) == 12


async def test_a_client_who_names_ever_new_things_is_written_no_more_often(caplog):
    logger, owner = logging.getLogger("aaah.calls"), consumer()()
    for number in range(1_000):
        log_error(logger, ValueError(), "Error %s in %r", number, consumer=owner)
    assert len(caplog.records) == 110


def test_without_an_owner_everything_is_written(caplog):
    for _ in range(20):
        log_error(logging.getLogger("aaah.workers"), ValueError(), "Error %s")
    assert len(caplog.records) == 20


def test_a_logger_that_is_off_gets_no_record_and_the_error_an_id(caplog):
    logger = logging.getLogger("aaah.calls")
    caplog.set_level(logging.CRITICAL, "aaah")
    assert len(log_error(logger, ValueError(), "Error %s")) == 12
    assert caplog.records == []


def test_every_logger_is_below_one_and_none_has_a_handler_or_a_level():
    names = {
        name
        for path in [*ROOT.glob("aaah_core/**/*.py"), *ROOT.glob("plugins/*/*/**/*.py")]
        if "tests" not in path.parts
        for name in re.findall(r'getLogger\("?([^")]*)"?\)', path.read_text())
    }
    # Whoever comes from the library of that name has it in his settings.
    assert {name for name in names if not name.startswith("aaah.")} == {"rest_framework_channels"}
    for name in names:
        logger = logging.getLogger(name)
        assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True)


# The hostile frames, with secrets in all of them.

SENTINEL = "s3cr3t-of-a-client"
HANDSHAKE = "h4ndsh4ke-of-a-client"


def with_secret(value):
    """Return a payload with a secret in all of its texts, but for the names that it is read by."""
    if isinstance(value, dict):
        kept = ("action", "route", "request_id")
        return {
            key: item if key in kept and isinstance(item, (str, int)) else with_secret(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [with_secret(item) for item in value]
    return f"{SENTINEL}{value}"[:60] if isinstance(value, str) else value


def secret_frames():
    for _, frames, _ in broken("json"):
        for frame in frames:
            try:
                payload = with_secret(json.loads(frame))
            except (ValueError, RecursionError, TypeError):
                yield f'{{"action": "take", "value": "{SENTINEL}' if len(frame) < 1000 else frame
            else:
                yield json.dumps(payload)


class Quoting(Hostile):
    """Fails in every way that quotes what it was given."""

    limits = {"bad_messages": 10_000}

    @property
    def quoted(self):
        return f"{self.call.data!r} {self.call.params!r} {self.scope!r}"

    async def connect(self):
        logging.getLogger("tests").info("somebody connects")
        await self.accept()

    async def disconnect(self, code):
        raise ValueError(self.quoted)

    @async_action
    async def fail(self, value=None):
        raise ValueError(self.quoted)

    @async_action
    def fail_in_thread(self, value=None):
        raise ValueError(self.quoted)

    @async_action
    async def unsendable(self, value=None):
        return {value: object()}


async def test_no_secret_of_a_client_is_in_a_log_and_none_of_its_handshake_in_a_reply(caplog):
    caplog.set_level(logging.INFO)
    scope = {
        "query_string": f"token={HANDSHAKE}".encode(),
        "headers": [
            (b"cookie", f"sessionid={HANDSHAKE}".encode()),
            (b"authorization", f"Bearer {HANDSHAKE}".encode()),
        ],
    }
    frames = [
        *secret_frames(),
        *(
            json.dumps({"action": name, "value": SENTINEL, "data": [SENTINEL]})
            for name in ("fail", "fail_in_thread", "unsendable")
        ),
    ]
    with registry("async_action", "drf", "msgpack"):
        async with Socket(Quoting.as_asgi(), **scope) as socket:
            await socket.get(0)
            for number, frame in enumerate(frames, 1):
                socket.put(frame)
                reply = await socket.get(number)
                assert reply["type"] == "websocket.send", (frame, reply)
    assert len(frames) > 150
    assert HANDSHAKE not in str(socket.sent)
    assert caplog.text.count("Traceback") >= 4
    for secret in (SENTINEL, HANDSHAKE):
        assert secret not in caplog.text
        assert not [record for record in caplog.records if secret in str(record.args)]
