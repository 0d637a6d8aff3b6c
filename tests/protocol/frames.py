"""HTTP/2 frames as bytes: written as a test wants them, right or wrong, and read back strictly.

The builders know HPACK literals only, so that a row says what is on the wire.
The reader keeps what a peer was told; a frame that a server may not send is an
`AssertionError`.
"""

from __future__ import annotations

import struct

from attrs import define, field
from hpack import Decoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY, ACK = 0x1, 0x4, 0x8, 0x20, 0x1
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 5, 6, 7, 8, 9
ENHANCE_YOUR_CALM = 11
LARGEST_FRAME = 16_384

Pair = tuple[bytes, bytes]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """One frame; `length` lies about the payload's."""
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A field as HPACK's literal without indexing, both strings shorter than 127 bytes."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


def block(*fields: Pair) -> bytes:
    """A header block of literals."""
    return b"".join(literal(name, value) for name, value in fields)


def pseudo(method: bytes = b"GET", path: bytes = b"/api/livez") -> tuple[Pair, ...]:
    """The four pseudo-fields of a request."""
    return (b":method", method), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", path)


def headers(stream: int, *fields: Pair, flags: int = END_STREAM | END_HEADERS) -> bytes:
    """A HEADERS frame of exactly these fields."""
    return frame(HEADERS, flags, stream, block(*fields))


def get(stream: int = 1, *more: Pair, method: bytes = b"GET", path: bytes = b"/api/livez") -> bytes:
    """A whole request without a body."""
    return headers(stream, *pseudo(method, path), *more)


def post(stream: int = 1, *more: Pair) -> bytes:
    """The head of a request to `/echo` whose body is still to come."""
    return headers(stream, *pseudo(b"POST", b"/echo"), *more, flags=END_HEADERS)


def data(stream: int, payload: bytes = b"", *, end: bool = True) -> bytes:
    """A DATA frame."""
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def setting(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HL", code, value) for code, value in pairs))


def window(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def reset(stream: int, code: int = CANCEL) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


START = PREFACE + setting()
_CLOSERS = frozenset((DATA, HEADERS))


@define
class Told:
    """What a server said, frame by frame; `take` adds bytes."""

    answers: dict[int, int] = field(factory=dict)
    fields: dict[int, list[Pair]] = field(factory=dict)
    bodies: dict[int, bytes] = field(factory=dict)
    informational: dict[int, list[int]] = field(factory=dict)
    ended: set[int] = field(factory=set)
    resets: dict[int, int] = field(factory=dict)
    pongs: list[bytes] = field(factory=list)
    windows: dict[int, int] = field(factory=dict)
    settings: dict[int, int] = field(factory=dict)
    acknowledged: int = 0
    goaway: int | None = None
    last_stream: int = 0
    goaways: int = 0
    order: list[tuple[int, int]] = field(factory=list)
    largest: int = 0
    _rest: bytes = b""
    _decoder: Decoder = field(factory=Decoder)

    def take(self, received: bytes) -> Told:
        """Read what came; the rest of a cut frame waits.  Returns itself."""
        buffer = self._rest + received
        while len(buffer) >= 9:
            length = int.from_bytes(buffer[:3], "big")
            if len(buffer) < 9 + length:
                break
            kind, flags = buffer[3], buffer[4]
            stream = int.from_bytes(buffer[5:9], "big")
            self._frame(kind, flags, stream, buffer[9 : 9 + length])
            buffer = buffer[9 + length :]
        self._rest = buffer
        return self

    @property
    def whole(self) -> bool:
        """No frame is cut at its end."""
        return not self._rest

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self.order or (kind == SETTINGS and not flags), "a server begins with SETTINGS"
        self.order.append((kind, stream))
        assert (stream == 0) == (kind in (SETTINGS, PING, GOAWAY) or (kind == WINDOW_UPDATE and not stream))
        if kind in _CLOSERS:
            assert stream not in self.ended, f"a frame of type {kind} after the end of stream {stream}"
            assert stream not in self.resets, f"a frame of type {kind} after RST_STREAM of stream {stream}"
            self.largest = max(self.largest, len(payload))
        _READERS[kind](self, flags, stream, payload)
        if kind in _CLOSERS and flags & END_STREAM:
            self.ended.add(stream)

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        assert stream in self.answers, "DATA before a head"
        assert not flags & PADDED
        self.bodies[stream] = self.bodies.get(stream, b"") + payload

    def _headers(self, flags: int, stream: int, payload: bytes) -> None:
        assert flags & END_HEADERS
        assert stream not in self.answers, "a second head"
        fields: list[Pair] = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(payload, raw=True)]
        assert fields[0][0] == b":status"
        assert not any(name.startswith(b":") or name != name.lower() for name, _ in fields[1:])
        status = int(fields[0][1])
        if status < 200:
            self.informational.setdefault(stream, []).append(status)
            return
        self.answers[stream], self.fields[stream] = status, fields[1:]

    def _reset(self, flags: int, stream: int, payload: bytes) -> None:
        self.resets[stream] = int.from_bytes(payload, "big")

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & ACK:
            assert not payload
            self.acknowledged += 1
        else:
            self.settings.update(struct.iter_unpack("!HL", payload))

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        assert flags & ACK, "a server need not ping"
        self.pongs.append(payload)

    def _goaway(self, flags: int, stream: int, payload: bytes) -> None:
        self.last_stream, self.goaway = struct.unpack("!LL", payload[:8])
        self.goaways += 1

    def _window(self, flags: int, stream: int, payload: bytes) -> None:
        self.windows[stream] = self.windows.get(stream, 0) + int.from_bytes(payload, "big")


_READERS = {
    DATA: Told._data,
    HEADERS: Told._headers,
    RST_STREAM: Told._reset,
    SETTINGS: Told._settings,
    PING: Told._ping,
    GOAWAY: Told._goaway,
    WINDOW_UPDATE: Told._window,
}
