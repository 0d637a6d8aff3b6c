"""The HTTP/2 machine: h2 behind a frame gate, seen as streams of the one event shape.

h2 keeps the protocol state, HPACK and both directions of flow control.  Here
are the bounds it lacks, per-stream buffers that are acknowledged only when a
routine takes the bytes, and errors turned into the right RST_STREAM or GOAWAY.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error, ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import HPACKError
from hyperframe.frame import GoAwayFrame

from ..config.limits import Limits
from ..http.response import Fields
from .body import BrokenBody
from .events import Arrived, Event, Finished, Refused, Reset, Started, Writable
from .h2_frames import GOAWAY, BadFrame, Flood, FrameGate
from .h2_head import H2HeadReader, StreamProtocolError, check_trailers
from .h2_hpack import RememberingDecoder, RememberingEncoder
from .head import Malformed
from .heads import encode_field

if TYPE_CHECKING:
    from h2.events import Event as H2Event

_CONFIG = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
)
"""h2's own checks are off: `h2_head` checks what comes in, by stream, and what goes out is ours."""
_CONNECTION_WINDOW = 1 << 20
"""Bytes by which the window of the whole connection is opened, beside the 64 KiB it begins with."""
_GOAWAY_BYTES = 17
"""A GOAWAY without debug data: nine bytes of header, last stream, code."""
_FRAMES_PER_EVENT = 4
"""Frames read for one event at most: a flood of idle ones must not hold the host's loop."""
_HEADS_MOST = 512
_HEADS: dict[tuple[int, Fields], tuple[tuple[bytes, bytes], ...]] = {}
"""Status and fields as h2 takes them; emptied when `_HEADS_MOST` are in it."""
_UNSHARED = frozenset({"set-cookie"})
"""Fields whose values are somebody's secret: never remembered."""


class _Connection(H2Connection):
    """h2 remembers how the last 65,536 streams ended, which is seven megabytes a connection: far fewer will do."""

    MAX_CLOSED_STREAMS = 1024


class _Inbound:
    """The receiving half of a stream: bytes not taken yet and how many they cost the window.

    `cost` counts padding too, as flow control does.  `ended`: the peer has sent
    END_STREAM.  `head_only`: the request was a HEAD, so no body is answered.
    `expects`: `100 Continue` is awaited.  `missing`: bytes of the announced
    length that have not come; None when no length was announced.
    """

    __slots__ = ("cost", "data", "ended", "expects", "head_only", "missing")

    def __init__(self, ended: bool, head_only: bool = False, expects: bool = False, missing: int | None = None) -> None:
        self.expects = expects
        self.missing = missing
        self.data = bytearray()
        self.cost = 0
        self.ended = ended
        self.head_only = head_only


class H2Wire:
    """One HTTP/2 connection, server side, from the preface on.

    Input: `receive`, with the time told by `at`.  Events: `next_event` until
    None.  Output: `written`.

    `over` says that nothing more is read or will be told; what was written is
    still to be sent.  `closing` is for HTTP/1.1 and never true here: an answer
    does not end the connection.
    """

    protocol = "h2"
    closing = False

    def __init__(self, reader: H2HeadReader, limits: Limits) -> None:
        self._out: list[bytes] = []
        self.over = False
        self.eof = False
        self._reader = reader
        self._gate = FrameGate(limits)
        self._events: deque[Event] = deque()
        self._inbound: dict[int, _Inbound] = {}
        self._goodbye = False
        self._streams = limits.streams
        self._h2 = _Connection(config=_CONFIG)
        # h2 has set its bound on the decoder that is replaced here: it goes along, against HPACK bombs.
        bound = self._h2.decoder.max_header_list_size
        self._h2.encoder, self._h2.decoder = RememberingEncoder(), RememberingDecoder()
        self._h2.decoder.max_header_list_size = bound
        self._h2.local_settings = _settings(limits, limits.streams)
        self._h2.initiate_connection()
        # Announced is what `_request` holds the peer to, by RST_STREAM; h2 would end the connection (RFC 9113 5.1.2).
        self._h2.local_settings = _settings(limits, limits.streams + 1)
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)

    # ---- input ---------------------------------------------------------------

    def at(self, mono: float) -> None:
        """Tell the time, in monotonic seconds, for the counts of the gate."""
        self._gate.at(mono)

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; `b""` is EOF."""
        if data:
            self._gate.buffer += data
        else:
            self.eof = True

    def next_event(self) -> Event | None:
        """One event; reads a few frames when none is waiting.  None when bytes are awaited.

        Frames that tell nothing are an event of no stream now and then, so that
        whoever counts events counts work.
        """
        for _ in range(_FRAMES_PER_EVENT):
            if self._events:
                return self._events.popleft()
            if self.over:
                return None
            if not self._read_frame():
                if not self.eof:
                    return None
                self.over = True
                self._events.append(Finished(abort=True))
        return self._events.popleft() if self._events else Arrived(0)

    @property
    def held(self) -> int:
        """Bytes received and not yet read as frames (stream data is bounded by its window)."""
        return len(self._gate.buffer)

    @property
    def begun(self) -> bool:
        """Whether a frame or a field section has begun and is not whole: the time for a head runs."""
        return bool(self._gate.buffer) or self._gate.in_head

    def _read_frame(self) -> bool:
        """Pass one frame to h2; False when bytes are missing.

        A fault of the connection ends in GOAWAY and `Finished`, never in an
        exception: whatever the peer sends is no bug of ours.
        """
        try:
            frame = self._gate.frame()
            if frame is None:
                return False
            if self._is_farewell(frame):
                return True
            for event in self._h2.receive_data(frame):
                self._translate(event)
        except Flood:
            self._go_away(ErrorCodes.ENHANCE_YOUR_CALM)
        except BadFrame as bad:
            self._go_away(ErrorCodes(bad.code))
        except H2Error as error:
            # h2 has queued a GOAWAY with the exact code, but for one.
            if isinstance(error.__cause__, HPACKError) and isinstance(error, ProtocolError) and error.error_code == 1:
                self._correct_code(ErrorCodes.COMPRESSION_ERROR)
            self._break()
        except (ValueError, IndexError):  # some of its parsers leak bare errors
            self._go_away(ErrorCodes.PROTOCOL_ERROR)
        return True

    def _correct_code(self, code: ErrorCodes) -> None:
        """Replace the code of the GOAWAY that h2 has just queued (RFC 9113 4.3 names another one)."""
        last = GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id, error_code=code)
        self._out += (self._h2.data_to_send()[:-_GOAWAY_BYTES], last.serialize())

    def _is_farewell(self, frame: bytes) -> bool:
        """Keep a GOAWAY with NO_ERROR from h2, which would then forbid the answers in hand.

        True when the frame was dealt with here.  The peer may send it and still
        wait for answers (RFC 9113 6.8); its new streams are refused from then
        on.
        """
        if frame[3] != GOAWAY:
            return False
        self._out.append(self._h2.data_to_send())  # which h2 would forget
        if len(frame) < 17 or frame[5:9] != b"\0\0\0\0" or frame[13:17] != b"\0\0\0\0":
            return False
        self._goodbye = True
        if not self._inbound:
            self.over = True
            self._events.append(Finished())
        return True

    def _go_away(self, code: ErrorCodes) -> None:
        """Queue a GOAWAY with `code`, after which h2 accepts nothing more."""
        try:
            self._h2.close_connection(code)
        except ProtocolError:
            pass  # said already
        self._break()

    def _break(self) -> None:
        """The end of reading: what waits is sent, then the connection closes."""
        self.over = True
        self._events.append(Finished())

    def _translate(self, event: H2Event) -> None:
        """One event of h2's as ours.  Raises `Flood` when the resets that we had to send are too many."""
        if isinstance(event, RequestReceived):
            self._request(event)
        elif isinstance(event, DataReceived):
            self._data(event)
        elif isinstance(event, StreamEnded):
            self._ended(event.stream_id)
        elif isinstance(event, TrailersReceived):
            self._trailers(event)
        elif isinstance(event, (WindowUpdated, RemoteSettingsChanged)):
            self._events.append(Writable())
        elif isinstance(event, StreamReset):
            self._lost(event.stream_id)
            # h2 reset it for a fault of the peer; a peer's own resets were counted by the gate.
            if not event.remote_reset:
                self._gate.provoked()
        elif isinstance(event, ConnectionTerminated) and not self._inbound:
            self.over = True
            self._events.append(Finished(abort=True))

    def _request(self, event: RequestReceived) -> None:
        """A head has come: `Started`, `Refused`, or a reset where no answer is due.

        Faults are told first, goodbye or not.  A good request after a goodbye,
        or beyond the streams that were allowed, is refused in the way that lets
        its client send it again (RFC 9113 8.7).
        """
        stream = event.stream_id
        ended = event.stream_ended is not None
        try:
            head = self._reader.read(event.headers, ended=ended)
        except StreamProtocolError:
            self._h2.reset_stream(stream, ErrorCodes.PROTOCOL_ERROR)
            self._gate.provoked()
            return
        except Malformed as malformed:
            self._inbound[stream] = _Inbound(ended)
            self._events.append(Refused(stream, malformed.response))
            return
        if self._goodbye or len(self._inbound) >= self._streams:
            self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            self._gate.provoked()
            return
        self._inbound[stream] = _Inbound(ended, head.method == "HEAD", head.expects, head.length)
        self._events.append(Started(stream, head))

    def _trailers(self, event: TrailersReceived) -> None:
        """Trailers are dropped once they are known to be sound (RFC 9110 section 6.5.1)."""
        try:
            check_trailers(event.headers)
        except StreamProtocolError:
            self._malformed(event.stream_id)

    def _malformed(self, stream: int) -> None:
        """The message broke a rule behind its head: the stream is over, the connection goes on (RFC 9113 8.1.1)."""
        self._reset(stream, ErrorCodes.PROTOCOL_ERROR)
        self._lost(stream)
        self._gate.provoked()

    def _ended(self, stream: int) -> None:
        """The message is whole, unless it is shorter than was announced."""
        inbound = self._inbound.get(stream)
        if inbound is None or inbound.ended:
            return
        if inbound.missing:
            self._malformed(stream)
            return
        inbound.ended = True
        self._events.append(Arrived(stream))

    def _data(self, event: DataReceived) -> None:
        """Keep what came until a routine takes it.

        Data of a stream that nobody reads any more is acknowledged at once, or
        the connection's window would leak away.
        """
        inbound = self._inbound.get(event.stream_id)
        size = event.flow_controlled_length
        if inbound is None:
            self._acknowledge(size, event.stream_id)
            return
        if inbound.missing is not None:
            inbound.missing -= len(event.data)
            if inbound.missing < 0:
                inbound.cost += size
                self._malformed(event.stream_id)
                return
        if event.data:
            inbound.data += event.data  # not a list of pieces: one byte a frame would weigh fifty times as much
            inbound.cost += size
            self._events.append(Arrived(event.stream_id))
        elif size:
            self._acknowledge(size, event.stream_id)

    def _acknowledge(self, size: int, stream: int) -> None:
        """Open the peer's windows by `size` bytes again."""
        try:
            self._h2.acknowledge_received_data(size, stream)
        except (H2Error, KeyError):
            pass  # the stream or the connection is closed already

    # ---- the body ------------------------------------------------------------

    def take_body(self, stream: int) -> tuple[bytes, bool]:
        """`(bytes, ended)` of a stream; taking them is what opens the peer's window again.

        The first call sends `100 Continue` to a peer that waits for it.  Raises
        `BrokenBody` for a stream that is gone.
        """
        inbound = self._inbound.get(stream)
        if inbound is None:
            raise BrokenBody
        if inbound.expects and not inbound.data and not inbound.ended:
            self._head(stream, ((b":status", b"100"),), end=False)
        inbound.expects = False
        data = bytes(inbound.data)
        if data:
            inbound.data.clear()
            cost, inbound.cost = inbound.cost, 0
            self._acknowledge(cost, stream)
        return data, inbound.ended

    # ---- the answer ----------------------------------------------------------

    def respond(self, stream: int, status: int, fields: Fields, body: bytes, date: bytes) -> bytes:
        """Write the head of a whole answer and, where no body follows, its end.

        Returns the body that is left to `send` and `end`, which keep to the windows.
        """
        length = ((b"content-length", b"%d" % len(body)),) if status not in (204, 304) else ()
        bodiless = self._bodiless(stream, body)
        self._head(stream, (*_encoded(status, fields), (b"date", date), *length), end=bodiless)
        return b"" if bodiless else body

    def start(self, stream: int, status: int, fields: Fields, date: bytes) -> None:
        """Write the head of a streamed answer."""
        self._head(stream, (*_encoded(status, fields), (b"date", date)), end=self._bodiless(stream, b"?"))

    def upgrade(self, stream: int, fields: Fields, date: bytes) -> None:
        """Answer an extended CONNECT with 200 (RFC 8441 section 5).

        Fields of the HTTP/1.1 handshake have no meaning here and are left out.
        """
        kept = tuple((n, v) for n, v in fields if n not in ("upgrade", "connection", "sec-websocket-accept"))
        self._head(stream, (*_encoded(200, kept), (b"date", date)), end=False)

    def _bodiless(self, stream: int, body: bytes) -> bool:
        """Whether the head ends the stream: an empty body, or the answer to a HEAD."""
        inbound = self._inbound.get(stream)
        return not body or (inbound is not None and inbound.head_only)

    def _head(self, stream: int, headers: tuple[tuple[bytes, bytes], ...], *, end: bool) -> None:
        """Write a field section; a stream that the peer has closed is told as `Reset`."""
        try:
            self._h2.send_headers(stream, headers, end_stream=end)
        except (H2Error, KeyError):
            self._lost(stream)

    def send(self, stream: int, data: bytes, last: bool) -> None:
        """Write `data`, at most `writable(stream)` bytes of it, in frames of the peer's size; `last` ends it."""
        size = self._h2.max_outbound_frame_size
        try:
            for start in range(0, len(data), size):
                self._h2.send_data(stream, data[start : start + size], end_stream=last and start + size >= len(data))
        except (H2Error, KeyError):
            self._lost(stream)

    def end(self, stream: int) -> None:
        """End a stream's answer."""
        try:
            self._h2.end_stream(stream)
        except (H2Error, KeyError):
            self._lost(stream)

    def writable(self, stream: int) -> int:
        """Bytes that both windows allow now."""
        try:
            return self._h2.local_flow_control_window(stream)
        except (H2Error, KeyError):
            return 0

    def _lost(self, stream: int) -> None:
        """The stream is closed under the exchange, which is over; its unread bytes no longer fill the window."""
        inbound = self._inbound.pop(stream, None)
        if inbound is not None:
            self._events.append(Reset(stream))
            if inbound.cost:
                self._acknowledge(inbound.cost, stream)

    # ---- the end of an exchange ----------------------------------------------

    def recycle(self, stream: int) -> bool:
        """After the answer: forget the stream; a body that nobody took is refused with NO_ERROR."""
        inbound = self._inbound.pop(stream, None)
        if inbound is not None:
            self._gate.answered()
            if not inbound.ended:
                self._reset(stream, ErrorCodes.NO_ERROR)
            if inbound.cost:
                self._acknowledge(inbound.cost, stream)
        return not (self._goodbye and not self._inbound)

    def reset(self, stream: int) -> None:
        """Give one stream up: RST_STREAM with INTERNAL_ERROR."""
        inbound = self._inbound.pop(stream, None)
        if inbound is not None:
            self._reset(stream, ErrorCodes.INTERNAL_ERROR)
            if inbound.cost:
                self._acknowledge(inbound.cost, stream)

    def _reset(self, stream: int, code: ErrorCodes) -> None:
        try:
            self._h2.reset_stream(stream, code)
        except (H2Error, KeyError):
            pass

    @property
    def body_left(self) -> int | None:
        """Nothing has to be read before the next exchange: streams are independent."""
        return 0

    def refuse_late(self) -> Event | None:
        """No stream for too long: GOAWAY with NO_ERROR, then close."""
        self._go_away(ErrorCodes.NO_ERROR)
        return self._events.popleft() if self._events else None

    def take_no_more(self) -> None:
        """Streams are independent: one that stalls does not end the others."""

    def goodbye(self) -> bool:
        """Shutdown: GOAWAY, streams in hand may finish.  True when there are none."""
        if not self._goodbye and not self.over:
            self._goodbye = True
            # Written past h2: its own close_connection forbids what finishes the streams in hand.
            farewell = GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id, error_code=0)
            self._out += (self._h2.data_to_send(), farewell.serialize())
        return not self._inbound

    def written(self) -> bytes:
        """Remove and return what was written."""
        data = self._h2.data_to_send()
        if self._out:
            data = b"".join((*self._out, data))
            self._out.clear()
        return data


def _settings(limits: Limits, streams: int) -> Settings:
    """Our settings, with `streams` open at once."""
    return Settings(
        client=False,
        initial_values={
            SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
            SettingCodes.MAX_CONCURRENT_STREAMS: streams,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.head_bytes,
        },
    )


def _encoded(status: int, fields: Fields) -> tuple[tuple[bytes, bytes], ...]:
    """`:status` and `fields` as bytes, remembered for answers that recur."""
    key = (status, fields)
    known = _HEADS.get(key)
    if known is None:
        known = ((b":status", b"%d" % status), *((n.encode(), encode_field(n, v)) for n, v in fields))
        if not any(name in _UNSHARED for name, _ in fields):
            if len(_HEADS) >= _HEADS_MOST:
                _HEADS.clear()
            _HEADS[key] = known
    return known
