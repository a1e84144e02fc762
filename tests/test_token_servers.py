"""Tokens in two processes that share a Redis and nothing else that tells of changes."""

from __future__ import annotations

import json
from contextlib import ExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.redis_server import layer_of
from tests.servers import COMMANDS, ROOT, serving

pytestmark = pytest.mark.programme

FOLDER = ROOT / "plugins" / "simplejwt" / "tests"


@asynccontextmanager
async def opened(server, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options = {"additional_headers": headers, "proxy": None, "open_timeout": 60}
    async with connect(f"{server.uri}{path}/", **options) as socket:
        yield socket


async def call(socket, action, **params):
    await socket.send(json.dumps({"action": action, **params}))
    reply = json.loads(await socket.recv())
    assert reply["status"] < 300, reply
    return reply["data"]


async def tool(server, action, **params):
    async with opened(server, "tools") as socket:
        return await call(socket, action, **params)


async def code_of_end(socket):
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    return socket.close_code


@pytest.mark.parametrize("layer", ["core", "pubsub"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_token_that_is_blacklisted_and_a_user_who_is_deleted_end_in_every_process_at_once(
    name, layer, redis, tmp_path
):
    environment = {
        "PYTHONPATH": f"{ROOT}:{FOLDER}",
        "DATABASE": str(tmp_path / "db.sqlite3"),
        "INTERVAL": "3600",
        "LAYER": json.dumps(layer_of(layer, redis.port)),
    }
    with ExitStack() as stack:
        folders = [tmp_path / "here", tmp_path / "elsewhere"]
        for folder in folders:
            folder.mkdir()
        serve = [name, "project:application"]
        here = stack.enter_context(serving(*serve, folders[0], MIGRATE="1", **environment))
        kinds = ("revocable", "sliding", "access")
        tokens = {
            (user, kind): await tool(here, "token", user=user, kind=kind)
            for user in ("emma", "bert")
            for kind in kinds
        }
        elsewhere = stack.enter_context(serving(*serve, folders[1], **environment))
        async with (
            opened(elsewhere, "ws", tokens["emma", "revocable"]) as revocable,
            opened(elsewhere, "ws", tokens["emma", "sliding"]) as sliding,
            opened(elsewhere, "ws", tokens["emma", "access"]) as access,
            opened(elsewhere, "ws", tokens["bert", "access"]) as other,
        ):
            for socket in (revocable, sliding, access):
                assert await call(socket, "who") == "emma"
            for kind, socket in (("revocable", revocable), ("sliding", sliding)):
                await tool(here, "blacklist", token=tokens["emma", kind], kind=kind)
                assert await code_of_end(socket) == 4401
            assert await call(access, "who") == "emma"
            await tool(here, "delete", user="emma")
            assert await code_of_end(access) == 4401
            assert await call(other, "who") == "bert"
        logs = here.log.read_text() + elsewhere.log.read_text()
    for token in tokens.values():
        assert token.split(".")[2] not in logs
    assert "Traceback" not in logs
