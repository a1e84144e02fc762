"""What the tests of the core share: plugins made on the spot, so that they need no package."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import re
import subprocess
import sys
import textwrap
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from types import ModuleType

import pytest
from channels.layers import get_channel_layer

from aaah_core import ACTION_MARK, Action, AsyncAPIConsumer, ValidationError, hookimpl, watchdog
from aaah_core.registry import use
from aaah_core.testing import registry
from tests.redis_server import LAYERS, NotStarted, layer_of, running

pytest_plugins = ["tests.programme"]

_numbers = itertools.count(1)


def pytest_configure(config):
    """Let hundreds of processes that tests start compile a module once, also where Python may not.

    It may not write beside sources there, but into a folder of the tests' own.
    """
    if sys.dont_write_bytecode and getattr(config, "cache", None) is not None:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(config.cache.mkdir("bytecode"))


@contextmanager
def _redis_or_skip():
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except NotStarted as error:
            pytest.skip(f"no Redis: {error}")  # the end of the run names it, and CI fails of it
        yield server


@pytest.fixture(scope="session")
def redis():
    """A real Redis that all tests share, and that nobody ends."""
    with _redis_or_skip() as server:
        yield server


@pytest.fixture
def own_redis():
    """One more, for a test that wants to crash it."""
    with _redis_or_skip() as server:
        yield server


_prefixes = (f"test{number}" for number in itertools.count(1))


@pytest.fixture(scope="module", params=LAYERS)
def layer(request):
    """The settings of each channel layer in turn; no other test has what is in it."""
    if request.param == "memory":
        return layer_of("memory")
    port = request.getfixturevalue("redis").port
    return layer_of(request.param, port, prefix=next(_prefixes), capacity=1000)


def pytest_terminal_summary(terminalreporter):
    """Say what was not tested for want of Redis."""
    # A worker of pytest-xdist tells its skipped tests and nothing else.
    reasons = [str(report.longrepr) for report in terminalreporter.getreports("skipped")]
    if missing := [reason for reason in reasons if "no Redis: " in reason]:
        terminalreporter.section("Redis did not start", red=True)
        reason = missing[0].partition("no Redis: ")[2]
        terminalreporter.write_line(f"What needs Redis was NOT tested: {reason}")


def plugin(**hooks):
    """Return a plugin object with these hooks: functions of the hooks' arguments."""
    module = ModuleType(f"plugin_{next(_numbers)}")
    for name, function in hooks.items():
        setattr(module, name, hookimpl(function))
    return module


def shown(value):
    """Return an id of a parameter, the same in each process: without addresses."""
    return re.sub(r" at 0x\w+", "", repr(value))


def action(method=None, **options):
    """Mark a method as an action; `options` are the fields of its `Action`."""

    def mark(method):
        setattr(method, ACTION_MARK, options.get("name", method.__name__))
        method.options = options
        return method

    return mark if method is None else mark(method)


def _bound(method, handler, call):
    given = {**call.params, **handler.kwargs}
    bound = {}
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in given:
            bound[name] = given[name]
        elif parameter.default is parameter.empty:
            raise ValidationError("It is missing.", field=[name])
    return bound


def _action(method):
    async def run(handler, call):
        return await method(handler, *handler.args, **_bound(method, handler, call))

    def run_plainly(handler, call):
        return method(handler, *handler.args, **_bound(method, handler, call))

    sync = not inspect.iscoroutinefunction(method)
    options = {"name": method.__name__, "sync": sync, **method.options}
    return Action(run=run_plainly if sync else run, **options)


def _collect(handler_class):
    found = inspect.getmembers(handler_class, lambda each: hasattr(each, ACTION_MARK))
    return {getattr(method, ACTION_MARK): _action(method) for _, method in found}


def collector():
    """Return a plugin that collects what `action` marked."""
    return plugin(aaah_actions=_collect)


@pytest.fixture(scope="session")
def _core():
    with registry(collector()) as isolated:
        pass
    return isolated


@pytest.fixture
def core(_core):
    """Use the core's own plugins, and one for actions."""
    with use(_core):
        yield _core


@pytest.fixture
def quick(monkeypatch):
    """Let the watchdog look often, and return what waits until it has looked so many times."""
    monkeypatch.setattr(watchdog, "INTERVAL", 0.02)
    look, looked = watchdog._look, []

    def noticed(*args):
        look(*args)
        for event in looked:
            event.set()

    async def looks(times):
        looked.append(event := asyncio.Event())
        for _ in range(times):
            await event.wait()
            event.clear()

    monkeypatch.setattr(watchdog, "_look", noticed)
    return looks


@pytest.fixture
async def nothing_stays_behind():
    """After a test the loop has no task but the test's, and the watchdog nobody to watch."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not watchdog._watched.get(asyncio.get_running_loop())
    assert get_channel_layer().groups == {}


def consumer(*actions, **attributes):
    """Return a consumer class with these methods as actions, and these attributes."""
    methods = {each.__name__: each for each in actions}
    return type("Chat", (AsyncAPIConsumer,), {**methods, **attributes})


class InPool(Future):
    """The future of a function that a thread of a pool runs."""

    def __init__(self, pool, function, *args):
        super().__init__()
        self._function = partial(function, *args)
        pool.submit(self)

    def __call__(self):
        if not self.set_running_or_notify_cancel():
            return list
        function, self._function = self._function, None
        try:
            return partial(self.set_result, function())
        except Exception as error:  # noqa: BLE001 - it is for whoever asks for the result
            return partial(self.set_exception, error)


class Socket:
    """One connection as its ASGI server has it: for what a client cannot do.

    Attributes:
        task: What runs the application.
        sent: What it sent, in order.
        on_send: Called with each message before it counts as sent; it may raise.
    """

    def __init__(self, application, **scope):
        self.scope = {"type": "websocket", "path": "/", "headers": [], "subprotocols": [], **scope}
        self.sent = []
        self.on_send = None
        self._application = application
        self._incoming = asyncio.Queue()
        self._news = asyncio.Event()

    async def __aenter__(self):
        self.task = asyncio.create_task(self._application(self.scope, self._receive, self._send))
        self.put({"type": "websocket.connect"})
        return self

    async def __aexit__(self, *error):
        self.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([self.task], timeout=5)
        assert self.task.done()

    def put(self, message):
        """Give the application a message, or a request as text."""
        if isinstance(message, str):
            message = {"type": "websocket.receive", "text": message}
        self._incoming.put_nowait(message)

    async def taken(self):
        """Wait until the application has read whatever was put."""
        async with asyncio.timeout(5):
            await self._incoming.join()

    async def _receive(self):
        message = await self._incoming.get()
        self._incoming.task_done()
        return message

    async def _send(self, message):
        if self.on_send is not None:
            self.on_send(message)
        self.sent.append(message)
        self._news.set()

    async def get(self, index):
        """Return the message with this index, once it was sent."""
        async with asyncio.timeout(5):
            while len(self.sent) <= index:
                self._news.clear()
                await self._news.wait()
        return self.sent[index]


def python(source, **environment):
    """Run source in a Python of its own, and return what it wrote; it must end well."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("AAAH_")}
    known.pop("DJANGO_SETTINGS_MODULE", None)
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        env={**known, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
