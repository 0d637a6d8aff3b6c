"""The WebSocket machine: wsproto's frames over the bytes of one stream, with limits.

wsproto checks frames, masks and UTF-8 as they arrive, but bounds nothing; a
limit extension refuses a message from the frame header on, before its payload
comes.  Whole messages that are one whole frame are read without it, at a tenth
of the cost (`ws_frames`); it has the say on everything else, and on every fault.
Control frames are answered here, in order.  It offers no permessage-deflate:
inflating has no bound yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from attrs import define
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits
from wsproto.utilities import LocalProtocolError

from ..http.websocket import Message, PeerClosed
from .ws_frames import BINARY, PING, PONG, TEXT, Follower, whole_frame

_FRAME_OVERHEAD = 32
"""What a frame costs beside its payload, in bytes, for `overhead`."""
_NO_BITS = RsvBits(False, False, False)
_REASON_BYTES = 123
"""A control frame holds 125 bytes, two of them the code (RFC 6455 5.5)."""
_PARTS_MOST = 1024


@define
class Fault:
    """The peer broke the protocol: answer Close with `code` once earlier messages are answered."""

    code: int


class _Bound(Extension):
    """Counts the bytes of a message, and refuses by a frame's header what would be too many (RFC 6455 10.4).

    A header that arrives in pieces is shown more than once, so it only compares;
    payloads and ends of frames are what counts.

    `limit` bounds the payload, `overhead` what the frames of one message cost:
    a message in a million empty fragments is small and still no good.
    """

    name = "fanlight-bound"

    def __init__(self, limit: int, overhead: int) -> None:
        self.limit = limit
        self.overhead = overhead
        self._bytes = 0
        self._frames = 0
        self._control = False

    def offer(self) -> bool:
        return False  # nothing to negotiate: this is a bound of ours, not an extension on the wire

    def enabled(self) -> bool:
        return True

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        # Control frames may stand between fragments and belong to no message; wsproto bounds them.
        self._control = opcode.iscontrol()
        if self._control:
            return _NO_BITS
        if opcode is not Opcode.CONTINUATION:
            self._bytes = self._frames = 0
        if self._bytes + payload_length > self.limit or self._frames * _FRAME_OVERHEAD >= self.overhead:
            return CloseReason.MESSAGE_TOO_BIG
        return _NO_BITS

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes:
        if not self._control:
            self._bytes += len(data)
        return data

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> None:
        self._frames += not self._control


Item = Message | PeerClosed | Fault


def _join(event: TextMessage | BytesMessage, parts: list[str | bytes]) -> Message:
    """One message of its parts, which are all of the event's type."""
    return "".join(parts) if isinstance(event, TextMessage) else b"".join(parts)  # type: ignore[arg-type]


_SHORT_HEADS = tuple(bytes((0x81, size)) for size in range(126))


def _text_head(size: int) -> bytes:
    """The header of an unmasked text frame that is a whole message (RFC 6455 5.2)."""
    if size < 126:
        return _SHORT_HEADS[size]
    return b"\x81\x7e" + size.to_bytes(2) if size < 65536 else b"\x81\x7f" + size.to_bytes(8)


class WebSocket:
    """One WebSocket.  `receive` bytes, take items with `next_item`; output collects in `out`.

    Bytes that were received and not read weigh on nobody's count: give more only when `unread` is False.

    `limit` and `overhead` bound one message in bytes.  `over`: nothing more is
    read, because the peer has closed or broken the rules.
    """

    def __init__(self, *, limit: int, overhead: int) -> None:
        self.out: list[bytes] = []
        self.over = False
        self._overhead = overhead
        self._bound = _Bound(limit, overhead)
        self._frames = Connection(ConnectionType.SERVER, extensions=[self._bound])
        self._items: deque[Item] = deque()
        self._parts: list[str | bytes] = []
        self._joined: list[str | bytes] = []
        self._data = b""  # received, and not given to wsproto
        self._at = 0  # how far it was read
        self._follower: Follower | None = None  # while wsproto reads
        self.unread = False
        self._refusal: str | None = None

    def bound(self, limit: int, fragments: int | None, refusal: str | None = None) -> None:
        """Bound the messages to come: their bytes, and their frames (None: as at first).

        With `refusal`, a fault in them that is none of size is answered with 1002 and this reason.
        """
        self._refusal = refusal
        self._bound.limit = limit
        self._bound.overhead = self._overhead if fragments is None else fragments * _FRAME_OVERHEAD

    @property
    def closing(self) -> bool:
        """Whether a Close was sent or received."""
        return self._frames.state is not ConnectionState.OPEN

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; `b""` is the end of them (wsproto says None)."""
        if self.over:
            return
        if self._follower is None and data:
            self._data, self._at = self._data[self._at :] + data, 0
        else:
            self._leave_to_library().follow(data)
            self._frames.receive_data(data or None)
        self.unread = True

    def _leave_to_library(self) -> Follower:
        """What was not read is wsproto's, and so is what comes, until it has read a whole message."""
        if self._follower is None:
            rest, self._data = self._data[self._at :], b""
            self._follower = Follower()
            self._follower.follow(rest)
            if rest:
                self._frames.receive_data(rest)
        return self._follower

    def next_item(self, most: int) -> tuple[Item | None, int]:
        """`(item, events read)`: reads at most `most` frames; `(None, n)` when no item is whole.

        `unread` says that there may be more to read of what was received.
        """
        if self.over or not self.unread:
            return None, 0
        count = 0
        while self._follower is None:
            if self._at == len(self._data):
                self._data, self.unread = b"", False
                return None, count
            frame = whole_frame(self._data, self._at, self._bound.limit) if not self.closing else None
            message = False if frame is None else self._taken(*frame)
            if message is False:
                self._leave_to_library()
                break
            count += 1
            if message is not None or count >= most:
                return message, count
        return self._read_by_library(count, most)

    def _taken(self, first: int, payload: bytes, end: int) -> Message | Literal[False] | None:
        """Take a frame: its message, None for a control frame, False if it needs the library after all."""
        message: Message | None = None
        if first == TEXT:
            try:
                message = payload.decode()
            except UnicodeDecodeError:
                return False
        elif first == BINARY:
            message = payload
        elif first == PING:
            self.out.append(bytes((PONG, len(payload))) + payload)
        self._at = end
        return message

    def _read_by_library(self, count: int, most: int) -> tuple[Item | None, int]:
        # Stopped in the middle, it goes on from there: wsproto keeps what it has not parsed.
        for event in self._frames.events():
            count += 1
            item: Item | None = None
            if isinstance(event, (TextMessage, BytesMessage)):
                item = self._message(event)
            elif isinstance(event, Ping):
                self._send(event.response())
            elif isinstance(event, CloseConnection):
                item = self._closed(event)
            if item is not None or count >= most:
                return item, count
        self.unread = False
        if self._follower is not None and self._follower.between:
            self._follower = None
        return None, count

    def _message(self, event: TextMessage | BytesMessage) -> Message | None:
        """Collect a frame's payload; the whole message with the last of them."""
        data = event.data
        if data:
            self._parts.append(data if isinstance(data, str) else bytes(data))
        if len(self._parts) >= _PARTS_MOST:  # an object for each byte would weigh far more than the message
            self._joined.append(_join(event, self._parts))
            self._parts.clear()
        if not event.message_finished:
            return None
        parts, self._joined, self._parts = self._joined + self._parts, [], []
        return parts[0] if len(parts) == 1 else _join(event, parts)

    def _closed(self, event: CloseConnection) -> Item:
        """The peer's end: its own Close, or a fault that it is answered with."""
        self.over = True
        if self._frames.state is ConnectionState.OPEN:
            # wsproto tells a fault as a close of the peer's with the code to answer.
            return Fault(int(event.code))
        return PeerClosed(int(event.code), event.reason or "")

    def answer_close(self, item: PeerClosed | Fault) -> PeerClosed:
        """Answer the end of the peer's messages, now that all before it are answered."""
        if isinstance(item, Fault):
            large = item.code == CloseReason.MESSAGE_TOO_BIG
            if self._refusal is None or large:
                self.close(item.code, "")
            else:
                self.close(CloseReason.PROTOCOL_ERROR, self._refusal)
            return PeerClosed(item.code, fault=True)
        if self._frames.state is ConnectionState.REMOTE_CLOSING:
            code = None if item.code == CloseReason.NO_STATUS_RCVD else item.code
            self._send(CloseConnection(code or CloseReason.NO_STATUS_RCVD, item.reason or None))
        return item

    def send(self, data: Message) -> None:
        """Send one message, unfragmented; nothing after a Close."""
        self._send(TextMessage(data) if isinstance(data, str) else BytesMessage(data))

    def send_texts(self, texts: Sequence[bytes]) -> None:
        """Send text messages that are UTF-8 already; nothing after a Close.

        The frames are made here: a result has a message for each row.
        """
        if not self.closing:
            self.out.append(b"".join([_text_head(len(text)) + text for text in texts]))

    def ping(self, payload: bytes) -> None:
        """Send a Ping, of at most 125 bytes; nothing after a Close."""
        if not self.closing:
            self.out.append(bytes((PING, len(payload))) + payload)

    def close(self, code: int, reason: str) -> None:
        """Send Close once; `reason` is cut to what a control frame holds."""
        cut = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self._send(CloseConnection(code, cut or None))

    def _send(self, event: TextMessage | BytesMessage | CloseConnection | object) -> None:
        """Add a frame to `out`; nothing once the state forbids it."""
        try:
            self.out.append(bytes(self._frames.send(event)))  # type: ignore[arg-type]
        except LocalProtocolError:
            pass  # closed meanwhile
