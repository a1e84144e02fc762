"""The walk of a real client: every frame is shown, every reply is compared."""

from __future__ import annotations

import json
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types
from django.core.management.color import color_style
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from aaah_demo.scenes import SCENES, Scene

__all__ = ["show"]

# What any client would use: nothing here is AAAH's own.
_CODECS = {"json": (json.dumps, json.loads), "msgpack": (msgpack.packb, msgpack.unpackb)}


def show(url: str) -> list[str]:
    """Play every scene and print its frames.

    Returns:
        The titles of the scenes whose reply was not as it must be.

    Raises:
        OSError: Nobody listens there.
        WebSocketException: The connection was refused.
    """
    # Two clients at once of one consumer. No proxy stands between us and our own machine.
    with (
        connect(url, subprotocols=["aaah.json"], proxy=None) as json_client,  # type: ignore[list-item]  # a NewType of str
        connect(url, subprotocols=["aaah.msgpack"], proxy=None) as msgpack_client,  # type: ignore[list-item]  # as above
    ):
        clients = {"json": json_client, "msgpack": msgpack_client}
        return [scene.title for scene in SCENES if not _play(scene, clients[scene.codec])]


def _play(scene: Scene, client: ClientConnection) -> bool:
    style = color_style()
    encode, decode = _CODECS[scene.codec]
    print(f"\n{style.MIGRATE_HEADING(scene.title)}")
    frame = scene.request if isinstance(scene.request, str) else encode(scene.request)
    print(f"  → {_shown(frame)}")
    try:
        client.send(frame)
        answer = client.recv(timeout=5)
        print(f"  ← {_shown(answer)}")
        reply = decode(answer)
    except (WebSocketException, TimeoutError, ValueError) as error:
        reply = f"nothing that can be read ({type(error).__name__}: {error})"
    if _same(reply, scene.reply):
        print(style.SUCCESS("  ✓ as it must be"))
        return True
    print(style.ERROR(f"  ✗ it must be {scene.reply}\n    and it is   {reply}"))
    return False


def _shown(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else f"{len(frame)} bytes {frame!r}"


def _same(one: Any, other: Any) -> bool:
    """Compare without Python's 1 == 1.0 == True."""
    texts = [json.dumps(each, sort_keys=True, default=repr) for each in (one, other)]
    return texts[0] == texts[1]
