"""`protect`: which web pages may open a socket."""

from __future__ import annotations

import functools
import ipaddress
import logging
import string
import sys
from types import ModuleType

import pytest
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path
from hypothesis import given
from hypothesis import strategies as st

from aaah_core import ConfigurationError, checks, conf
from aaah_core.checks import check_origins
from aaah_core.security import permits, protect
from aaah_core.testing import Refused, connect
from tests.conftest import action, consumer, python

pytestmark = pytest.mark.usefixtures("core")


async def hello(self):
    return "hello"


Chat = consumer(action(hello))


@pytest.fixture
def origins(settings):
    def allow(*listed, hosts=("example.com", ".example.org"), debug=False):
        settings.AAAH = {"ALLOWED_ORIGINS": list(listed)} if listed else {}
        settings.ALLOWED_HOSTS = list(hosts)
        settings.DEBUG = debug

    return allow


def handshake(*origins, host="example.com", scheme="ws", cookie=None):
    headers = [(b"origin", each if type(each) is bytes else each.encode()) for each in origins]
    headers += [(b"host", host.encode())] if host is not None else []
    headers += [(b"cookie", cookie.encode())] if cookie is not None else []
    return {"type": "websocket", "scheme": scheme, "headers": headers}


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "HTTPS://Example.COM",
        "https://example.com:443",
        "http://other.example:8123",
        "https://[2001:DB8::0:1]:8443",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_what_is_listed_may_whatever_the_host(origin, origins):
    origins(
        "https://example.com",
        "http://other.example:8123",
        "https://[2001:db8::1]:8443",
        "chrome-extension://abcdefghijklmnop",
    )
    assert permits(handshake(origin, host="elsewhere.net", cookie="sessionid=1"))


@pytest.mark.parametrize(
    "origin",
    [
        "http://example.com",
        "https://example.com:8443",
        "https://www.example.com",
        "https://example.com.evil.com",
        "https://evilexample.com",
        "https://example.com.",
        "wss://example.com",
        "//example.com",
        "example.com",
        "*",
    ],
)
def test_what_is_not_listed_may_not_though_it_is_the_host(origin, origins):
    origins("https://example.com")
    assert not permits(handshake(origin))


MALFORMED = [
    "",
    "null",
    "NULL",
    "http://[",
    "http://]",
    "http://[::1",
    "http://[::zz]",
    "http://[::1%25lo]",
    "https://example.com:99999",
    "https://example.com:-1",
    "https://example.com:0443",
    "https://example.com:",
    "https://example.com:443:443",
    "https://example.com/",
    "https://example.com?x",
    "https://example.com#x",
    "https://user@example.com",
    "https://user:pw@example.com",
    "https://evil.com\\@example.com",
    "https://example.com https://evil.com",
    "https://example.com,https://evil.com",
    "https://example.com\n",
    " https://example.com",
    "https://",
    "https://.example.com",
    "://example.com",
    "https:example.com",
    "https:///example.com",
    "https://ex\x00ample.com",
    "https://exämple.com",
    "https://" + "a" * 400 + ".com",
    b"\xff\xfe",
    b"https://example.com\xff",
]


@pytest.mark.parametrize("origin", MALFORMED)
@pytest.mark.parametrize("listed", [(), ("https://example.com",)])
async def test_what_is_no_origin_is_refused_without_a_word_too_many(
    origin, listed, origins, caplog
):
    origins(*listed, debug=not listed)
    caplog.set_level(logging.WARNING)
    called = []

    async def inside(scope, receive, send):
        called.append(scope)

    async def receive():
        return {"type": "websocket.connect"}

    sent = []

    async def send(message):
        sent.append(message)

    await protect(inside)(handshake(origin, scheme="wss"), receive, send)
    assert sent == [{"type": "websocket.close", "code": 4403}]
    assert not called
    assert not caplog.records


def test_two_origins_are_one_too_many(origins):
    origins("https://example.com")
    assert not permits(handshake("https://example.com", "https://example.com"))


def test_without_an_origin_cookies_are_refused_and_tokens_are_not(origins):
    for listed in ((), ("https://example.com",)):
        origins(*listed)
        assert permits(handshake())
        assert not permits(handshake(cookie="sessionid=1"))
        assert not permits(handshake(cookie=""))


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("http://example.com", "example.com", "ws"),
        ("http://example.com", "example.com:80", "ws"),
        ("http://example.com:8000", "example.com:8000", "ws"),
        ("https://example.com", "example.com", "wss"),
        ("https://example.com", "EXAMPLE.com:443", "wss"),
        ("https://www.example.org", "www.example.org", "wss"),
        ("https://example.com", "example.com", "ws"),  # TLS ends at a proxy
    ],
)
def test_without_a_list_a_page_may_call_the_host_it_came_from(origin, host, scheme, origins):
    origins()
    assert permits(handshake(origin, host=host, scheme=scheme, cookie="sessionid=1"))


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("http://evil.com", "example.com", "ws"),
        ("http://www.example.com", "example.com", "ws"),
        ("http://example.com:8123", "example.com", "ws"),
        ("http://example.com", "example.com:8123", "ws"),
        ("http://example.com", "example.com", "wss"),  # whoever sits between could be that page
        ("http://evil.com", "evil.com", "ws"),  # a name that leads here, but is none of ours
        ("http://example.com", None, "ws"),
        ("http://example.com", "example.com@evil.com", "ws"),
        ("http://example.com", "", "ws"),
        ("ftp://example.com", "example.com", "ws"),
        ("http://localhost", "example.com", "ws"),
    ],
)
def test_without_a_list_no_other_page_may(origin, host, scheme, origins):
    origins()
    assert not permits(handshake(origin, host=host, scheme=scheme))


def test_two_hosts_are_nobodys_home(origins):
    origins()
    twice = handshake("http://example.com")
    twice["headers"].append((b"host", b"example.com"))
    assert not permits(twice)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "app.localhost"])
def test_with_debug_pages_of_this_machine_may_and_no_others(host, origins):
    origins(hosts=(), debug=True)
    assert permits(handshake(f"http://{host}:5173", host="127.0.0.1:8000", cookie="sessionid=1"))
    assert permits(handshake("http://localhost:8000", host="localhost:8000"))
    assert not permits(handshake("http://example.com", host="example.com"))
    assert not permits(handshake("http://localhost.evil.com", host="127.0.0.1:8000"))
    origins(hosts=(), debug=False)
    assert not permits(handshake(f"http://{host}:5173", host="127.0.0.1:8000"))
    origins("https://example.com", debug=True)
    assert not permits(handshake(f"http://{host}:5173", host="127.0.0.1:8000"))


# Whatever a header holds, there is an answer; and it is a yes for nothing but what is listed.

LISTED = ("https://example.com", "http://example.com:8000")
PIECES = """
    http https HTTPS ws :// : / // example .com example.com evil . @ :443 :80 :8000 :08000 [ ] ::1
    \\ null %2e # ? xn-- , *
"""
pieces = [*PIECES.split(), " ", "\t", "\u0131", "\u212a"]
near = st.lists(st.sampled_from(pieces), max_size=8).map("".join)
characters = st.text(st.sampled_from(string.printable + "é\x00\u2028"), max_size=40)


def same(text):
    """Return whether a browser would mean one of `LISTED` by a text, told without our parser."""
    lowered = text.lower()
    return lowered in {*LISTED, "https://example.com:443"}


@given(near | characters | st.sampled_from([*LISTED, *map(str.upper, LISTED)]))
def test_only_the_very_origins_that_are_listed_may(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conf, "current", lambda: LISTS)
        assert permits(handshake(text, cookie="sessionid=1")) is same(text)


LISTS = conf.Settings(ALLOWED_ORIGINS=list(LISTED))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_of_a_client_raise(origin, host):
    headers = [(b"origin", origin), (b"host", host), (b"cookie", b"sessionid=1")]
    scope = {"type": "websocket", "scheme": "ws", "headers": headers}
    for listed in (None, list(LISTED)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                conf, "current", lambda listed=listed: conf.Settings(ALLOWED_ORIGINS=listed)
            )
            assert permits(scope) in (True, False)


@given(st.ip_addresses(v=6), st.integers(1, 65535))
def test_an_address_is_the_same_however_it_is_written(address, port):
    listed = conf.Settings(ALLOWED_ORIGINS=[f"http://[{address.exploded}]:{port}"])
    other = ipaddress.IPv6Address(int(address) ^ 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conf, "current", lambda: listed)
        assert permits(handshake(f"http://[{address.compressed}]:{port}"))
        assert not permits(handshake(f"http://[{other}]:{port}"))


@pytest.mark.parametrize(
    "listed",
    ["example.com", "https://*.example.com", "null", "*", "https://é.com", "https://a.com:70000"],
)
def test_a_list_with_what_is_no_origin_stops_the_start(listed, origins):
    origins("https://example.com", listed)
    with pytest.raises(ConfigurationError, match="which is no origin"):
        protect(Chat.as_asgi())


async def test_over_a_socket_who_is_let_in_is_served_and_who_is_not_gets_nothing(origins):
    origins("https://example.com")
    chat = protect(Chat.as_asgi())
    async with connect(chat, headers={"Origin": "https://example.com"}) as client:
        assert (await client.call("hello"))["data"] == "hello"
    with pytest.raises(Refused) as refused:
        async with connect(chat, headers={"Origin": "https://evil.com"}):
            pass
    assert refused.value.code == 4403


async def test_what_is_no_websocket_passes():
    passed = []

    async def inside(scope, receive, send):
        passed.append(scope["type"])

    for kind in ("http", "lifespan"):
        await protect(inside)({"type": kind}, None, None)
    assert passed == ["http", "lifespan"]


async def test_why_is_in_the_log_at_info_and_cut(origins, caplog):
    caplog.set_level(logging.INFO, "aaah")
    origins("https://example.com")
    with pytest.raises(Refused):
        async with connect(protect(Chat.as_asgi()), headers={"Origin": "https://evil.com" * 50}):
            pass
    assert "evil.com" in caplog.text
    assert len(caplog.messages[0]) < 200


def test_importing_it_loads_no_consumer_and_no_orm():
    python("""
        import sys
        import aaah_core.security
        for name in ("aaah_core.consumers", "channels", "django.db", "django.http"):
            assert name not in sys.modules, name
    """)


# The system check.


def exposed(application, settings):
    module = ModuleType("some_asgi")
    module.application = application
    settings.ASGI_APPLICATION = "some_asgi.application"
    sys.modules["some_asgi"] = module
    try:
        return [(each.id, each.msg.split()[8]) for each in check_origins()]
    finally:
        del sys.modules["some_asgi"]


def routed():
    return URLRouter([path("ws/", Chat.as_asgi()), re_path("also/", Chat.as_asgi())])


def wrapped(inner):
    async def middleware(scope, receive, send):
        await inner(scope, receive, send)

    return middleware


class Kept:
    def __init__(self, app):
        self.app = app


WAYS = [
    Chat.as_asgi,
    routed,
    lambda: AuthMiddlewareStack(routed()),
    lambda: ProtocolTypeRouter({"http": None, "websocket": AuthMiddlewareStack(routed())}),
    lambda: ProtocolTypeRouter({"websocket": AllowedHostsOriginValidator(routed())}),
    lambda: URLRouter([path("below/", URLRouter([path("ws/", Chat.as_asgi())]))]),
    lambda: Kept(wrapped(Chat.as_asgi())),
    lambda: functools.partial(AuthMiddlewareStack(routed())),
]


@pytest.fixture
def no_leftovers(monkeypatch):
    """Hide the consumers of other tests, wrong ones among them."""
    monkeypatch.setattr(checks, "_children", lambda parent: iter([Chat]))


@pytest.mark.usefixtures("no_leftovers")
@pytest.mark.parametrize("number", range(len(WAYS)))
def test_w004_names_each_consumer_that_is_reached_past_protect(number, settings):
    assert exposed(WAYS[number](), settings) == [("aaah.W004", "Chat,")]
    assert exposed(protect(WAYS[number]()), settings) == []
    assert exposed(ProtocolTypeRouter({"websocket": protect(WAYS[number]())}), settings) == []


def test_w004_says_nothing_where_there_is_nothing_to_say(settings):
    settings.ASGI_APPLICATION = None
    assert check_origins() == []
    settings.ASGI_APPLICATION = "no_such_module.application"
    assert check_origins() == []
    assert exposed(ProtocolTypeRouter({"http": object()}), settings) == []
