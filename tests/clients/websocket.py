"""WebSocket (RFC 6455) as a test client speaks it, over HTTP/1.1 or an HTTP/2 stream.

Frames are written here, so that a wrong one can be; wsproto reads what comes
back.  The opening handshake is an ordinary request: `handshake()` makes it.
"""

from __future__ import annotations

import base64
import hashlib
import struct

import wsproto.events
from attrs import define, field, frozen
from wsproto.connection import Connection, ConnectionState, ConnectionType

from .messages import Answer, Outgoing, Pairs

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_MASK = b"\x0b\x1e\x2d\x3c"


def accept_token(key: str) -> str:
    """The `sec-websocket-accept` that proves that `key` was read (RFC 6455, 4.2.2)."""
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


def handshake(target: str, version: str, fields: Pairs = (), drop: tuple[str, ...] = ()) -> Outgoing:
    """The opening request over HTTP `version`; `fields` replace or join its own, `drop` leaves some out."""
    own: dict[str, str] = {"sec-websocket-version": "13"}
    if version == "1.1":
        own |= {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": KEY}
    given = {name.lower() for name, _ in fields} | set(drop)
    kept = tuple((name, value) for name, value in own.items() if name not in given)
    if version == "1.1":
        return Outgoing(target=target, fields=(*kept, *fields))
    return Outgoing(method="CONNECT", target=target, fields=(*kept, *fields), protocol="websocket", finished=False)


def accepted(answer: Answer, version: str) -> str:
    """Why `answer` is not a good opening over `version`; empty when it is."""
    expected = 101 if version == "1.1" else 200
    if answer.status != expected:
        return f"handshake answered {answer.status}"
    if version == "1.1" and answer.get("sec-websocket-accept") != accept_token(KEY):
        return "sec-websocket-accept is wrong"
    return ""


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0, length: int | None = None
) -> bytes:
    """One frame; `length` lies about the payload's."""
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + _MASK + _masked(payload) if masked else head + payload


def _masked(payload: bytes) -> bytes:
    size = len(payload)
    mask = (_MASK * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def fragments(opcode: int, payload: bytes, count: int) -> list[bytes]:
    """`payload` as one message of `count` frames."""
    step = max(1, -(-len(payload) // count))
    parts = [payload[index * step : (index + 1) * step] for index in range(count)]
    return [
        frame(opcode if index == 0 else CONTINUATION, part, fin=index == count - 1) for index, part in enumerate(parts)
    ]


@frozen
class Text:
    """A whole text message."""

    text: str


@frozen
class Binary:
    """A whole binary message."""

    data: bytes


@frozen
class Pinged:
    """A Ping (the client has queued its Pong already)."""

    payload: bytes


@frozen
class Ponged:
    """A Pong."""

    payload: bytes


@frozen
class Closed:
    """The peer's Close frame, or with code None the end of the stream without one."""

    code: int | None
    reason: str


Message = Text | Binary | Pinged | Ponged | Closed


@define
class WebSocketClient:
    """The frames of one WebSocket: `receive(data)` gives messages, `outgoing()` what to write.

    A server that breaks RFC 6455 is an `AssertionError`.
    """

    answers_pings: bool = True
    closing: bool = False
    closed: Closed | None = None
    _reader: Connection = field(factory=lambda: Connection(ConnectionType.CLIENT))
    _text: list[str] = field(factory=list)
    _data: bytearray = field(factory=bytearray)
    _out: bytearray = field(factory=bytearray)

    def send_raw(self, data: bytes) -> None:
        """Queue bytes as they are."""
        self._out += data

    def send(self, message: str | bytes) -> None:
        """Queue one whole message."""
        text = isinstance(message, str)
        self.send_raw(frame(TEXT if text else BINARY, message.encode() if isinstance(message, str) else message))

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Queue a Close frame; without a code it is empty."""
        self.closing = True
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
        self.send_raw(frame(CLOSE, payload))

    def outgoing(self) -> bytes:
        """The bytes to write now."""
        data, self._out = bytes(self._out), bytearray()
        return data

    def receive(self, data: bytes) -> list[Message]:
        """Read `data`; b"" says that the server will send no more."""
        if self.closed is not None:
            return []
        if not data:
            self.closed = Closed(None, "")
            return [self.closed]
        messages: list[Message] = []
        self._reader.receive_data(data)
        for event in self._reader.events():
            self._translate(event, messages)
        return messages

    def _translate(self, event: wsproto.events.Event, messages: list[Message]) -> None:
        if isinstance(event, wsproto.events.TextMessage):
            self._text.append(event.data)
            if event.message_finished:
                messages.append(Text("".join(self._text)))
                self._text.clear()
        elif isinstance(event, wsproto.events.BytesMessage):
            self._data += event.data
            if event.message_finished:
                messages.append(Binary(bytes(self._data)))
                self._data.clear()
        elif isinstance(event, wsproto.events.Ping):
            if self.answers_pings:
                self.send_raw(frame(PONG, bytes(event.payload)))
            messages.append(Pinged(bytes(event.payload)))
        elif isinstance(event, wsproto.events.Pong):
            messages.append(Ponged(bytes(event.payload)))
        elif isinstance(event, wsproto.events.CloseConnection):
            self._peer_closes(event, messages)

    def _peer_closes(self, event: wsproto.events.CloseConnection, messages: list[Message]) -> None:
        # wsproto tells a fault of the peer as a close, too, but one that leaves the connection open.
        if self._reader.state is ConnectionState.OPEN:
            raise AssertionError(f"the server broke RFC 6455: {event.reason}")
        code = None if event.code == 1005 else int(event.code)
        self.closed = Closed(code, event.reason or "")
        if not self.closing:
            self.close(1000 if code is None else code)
        messages.append(self.closed)
