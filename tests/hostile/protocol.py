"""Frames that break a rule of WebSockets (RFC 6455) itself: the server ends the connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True) -> bytes:
    """Return a frame of less than 126 bytes; its mask changes nothing."""
    first = opcode | (0x80 if final else 0)
    mask = b"\x80" if masked else b"\0"
    return bytes([first, len(payload) | mask[0]]) + (bytes(4) if masked else b"") + payload


#: A breach of the protocol, no UTF-8, a frame too large; None where the server just hangs up.
ENDS = (1002, 1007, 1009, None)

#: By rule: what is sent after the handshake.
VIOLATIONS: dict[str, list[bytes]] = {
    "WebSocket: a client's frame is masked": [frame(1, b"{}", masked=False)],
    "WebSocket: no reserved bit is set": [frame(0x41, b"{}"), frame(0x21), frame(0x11)],
    "WebSocket: an opcode is a known one": [frame(3), frame(7), frame(0xB), frame(0xF)],
    "WebSocket: a control frame is not fragmented": [frame(9, final=False), frame(8, final=False)],
    "WebSocket: a control frame has 125 bytes at most": [
        bytes([0x89, 0xFE, 0, 126]) + bytes(4) + bytes(126)
    ],
    "WebSocket: what is continued was begun": [frame(0, b"{}")],
    "WebSocket: what was begun is continued": [frame(1, b"{", final=False) + frame(1, b"}")],
    "WebSocket: a close has a code of two bytes or none": [frame(8, b"\x03")],
    "WebSocket: a close has a code that may be sent": [
        frame(8, code.to_bytes(2, "big")) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 65535)
    ],
    "WebSocket: the reason of a close is UTF-8": [frame(8, b"\x03\xe8\xff")],
    "WebSocket: text is UTF-8": [
        frame(1, each) for each in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82")
    ],
    "WebSocket: a length has no highest bit": [bytes([0x81, 0xFF]) + b"\xff" * 8 + bytes(4)],
}


async def end_of(port: int, sent: bytes) -> int | None:
    """Send bytes after a handshake; return the code the server closes with, if it says one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(sent)
        answer = b""
        with suppress(ConnectionResetError):  # which ends it too
            answer = await reader.read(4)
            while await reader.read(4096):
                pass
    writer.close()
    return (
        int.from_bytes(answer[2:4], "big") if answer[:1] == b"\x88" and len(answer) == 4 else None
    )
