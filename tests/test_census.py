"""How many connections may be: of a process, of a user, from an address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.utils.functional import SimpleLazyObject

from aaah_core import BasePermission, census
from aaah_core.limits import Limits
from aaah_core.testing import Refused, connect
from tests.conftest import Socket, action, consumer

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture(autouse=True)
def nobody_stays_counted():
    yield
    assert census._counts == {}


@dataclass
class User:
    pk: Any


@action
async def hello(self):
    return "hello"


def socket(chat, *, host=None, **scope):
    """Return a connection from an address."""
    return Socket(chat.as_asgi(), **({} if host is None else {"client": (host, 5000)}), **scope)


async def is_let_in(chat, **scope):
    async with socket(chat, **scope) as one:
        first = await one.get(0)
        assert first["type"] == "websocket.accept" or first == REFUSED
        return first != REFUSED


REFUSED = {"type": "websocket.close", "code": 4429}


async def test_one_more_than_the_process_may_have_is_refused_before_accept(caplog):
    caplog.set_level("INFO", "aaah")
    chat = consumer(limits={"connections": 2})
    async with connect(chat.as_asgi()), connect(chat.as_asgi()):
        with pytest.raises(Refused) as caught:
            async with connect(chat.as_asgi()):
                pass
        assert caught.value.code == 4429
        assert "Chat refuses a connection: the limit 'connections' is reached" in caplog.text
    assert await is_let_in(chat)


async def test_who_is_refused_is_asked_nothing_and_changes_no_count():
    asked = []

    class Asks(BasePermission):
        async def can_connect(self, scope, handler, message=None):
            asked.append(True)
            return True

    chat = consumer(limits={"connections_per_user": 1}, permission_classes=[Asks])
    async with connect(chat.as_asgi(), user=User(1)):
        before = dict(census._counts)
        assert not await is_let_in(chat, user=User(1))
        assert census._counts == before
    assert asked == [True]


async def test_the_connections_of_all_consumers_count():
    one, other = consumer(limits={"connections": 1}), consumer()
    async with connect(other.as_asgi()):
        assert await is_let_in(other)
        assert not await is_let_in(one)


async def test_a_user_is_counted_by_primary_key_and_nobody_is_not():
    chat = consumer(limits={"connections_per_user": 1})
    async with connect(chat.as_asgi(), user=User(1)), connect(chat.as_asgi(), user=User(None)):
        assert not await is_let_in(chat, user=User(1))
        assert await is_let_in(chat, user=User(2))
        assert await is_let_in(chat, user=User(None))
        assert await is_let_in(chat, user=None)
        assert await is_let_in(chat)


async def test_an_address_is_counted_whatever_its_port():
    chat = consumer(limits={"connections_per_address": 1})
    async with socket(chat, host="192.0.2.1") as one:
        await one.get(0)
        assert not await is_let_in(chat, client=("192.0.2.1", 5001))
        assert await is_let_in(chat, host="192.0.2.2")
        assert await is_let_in(chat)
        assert await is_let_in(chat, client=None)


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:0:ffff::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("unix:/run/site.sock", "unix:/run/site.sock", True),
        ("testclient", "other", False),
    ],
)
async def test_of_ipv6_a_whole_64_is_one_address(host, other, same):
    chat = consumer(limits={"connections_per_address": 1})
    async with socket(chat, host=host) as one:
        await one.get(0)
        assert await is_let_in(chat, host=other) is not same


async def test_a_limit_may_be_none_and_a_consumer_may_have_its_own(settings):
    limits = ["connections", "connections_per_user", "connections_per_address"]
    settings.AAAH = {"LIMITS": dict.fromkeys(limits, 1)}
    strict, lax = consumer(), consumer(limits=dict.fromkeys(limits))
    async with socket(strict, host="192.0.2.1", user=User(1)) as one:
        await one.get(0)
        assert not await is_let_in(strict, host="192.0.2.1", user=User(1))
        assert await is_let_in(lax, host="192.0.2.1", user=User(1))


def test_the_defaults_leave_a_tenth_for_everybody_else():
    limits = Limits()
    assert limits.connections_per_address == limits.connections * 0.9
    assert limits.connections_per_user == limits.connections * 0.1


async def test_a_lazy_user_who_needs_the_database_is_asked_in_a_thread():
    def load():
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return User(1)
        raise SynchronousOnlyOperation

    chat = consumer(limits={"connections_per_user": 1})
    async with connect(chat.as_asgi(), user=User(1)):
        assert not await is_let_in(chat, user=SimpleLazyObject(load))


async def test_a_user_who_cannot_be_counted_is_refused_and_logged(caplog):
    with pytest.raises(Refused) as caught:
        async with connect(consumer().as_asgi(), user=User([])):
            pass
    assert caught.value.code == 4403
    assert "unhashable" in caplog.text


async def test_who_changes_the_user_gives_back_what_was_counted():
    @action
    async def log_in(self):
        self.scope["user"] = User(2)

    async with connect(consumer(log_in).as_asgi(), user=User(1)) as ws:
        await ws.call("log_in")
        assert census._counts == {("connections", None): 1, ("connections_per_user", 1): 1}


class Nobody(BasePermission):
    async def can_connect(self, scope, handler, message=None):
        return False


class Raises(BasePermission):
    async def can_connect(self, scope, handler, message=None):
        raise LookupError


async def raises(self, code=None):
    raise LookupError


async def cancelled(self, code=None):
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "attributes",
    [
        {"permission_classes": [Nobody]},
        {"permission_classes": [Raises]},
        {"codecs": ["json"], "limits": {"connections_per_user": 1}},
        {"connect": raises},
        {"connect": cancelled},
        {"disconnect": raises},
        {"disconnect": cancelled},
    ],
    ids=["refused", "raises", "lets in", "connect", "connect cancelled", "disconnect", "both"],
)
async def test_whatever_happens_the_counts_are_given_back(attributes):
    async with socket(consumer(**attributes), host="192.0.2.1", user=User(1)) as one:
        news = asyncio.create_task(one.get(0))
        await asyncio.wait([one.task, news], return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
    if not one.task.cancelled():
        one.task.exception()
    assert census._counts == {}


@pytest.mark.parametrize("waits", ["connect", "disconnect", "neither"])
async def test_a_server_that_stops_gets_the_counts_back(waits, monkeypatch):
    monkeypatch.setattr("aaah_core.cleanup.CLEANUP", 0.01)
    begun = asyncio.Event()

    async def forever(self, code=None):
        begun.set()
        await asyncio.Event().wait()

    attributes = {} if waits == "neither" else {waits: forever}
    async with socket(consumer(**attributes)) as one:
        if waits == "connect":
            await begun.wait()
        else:
            await one.get(0)
        assert census._counts == {("connections", None): 1}
        one.task.cancel()
        await asyncio.wait([one.task], timeout=5)
        assert one.task.cancelled()
        assert census._counts == {}
