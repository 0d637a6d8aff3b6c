"""The HTTP/1.1 machine: one exchange after the other over one byte stream.

Heads are read by h11 behind a guard (`head`), bodies by `body`, answers are
written here.  States, by `_head` (the request in hand) and `_body`:

    idle      no head: empty lines are skipped, a head is awaited
    reading   head known, its body not taken whole yet
    taken     body whole, the answer not finished yet; later bytes wait
    raw       after an upgrade: bytes pass both ways untouched
    over      nothing more is read: after a refusal, `close`, or EOF

It never recurses from one request to the next: each `next_event` moves one step.
"""

from __future__ import annotations

from ..config.limits import Limits
from ..http.request import Head
from ..http.response import Fields, phrase
from .body import BodyReader, BrokenBody, ChunkedBody, LengthBody
from .events import Arrived, Event, Finished, Refused, Reset, Started
from .head import BAD_REQUEST, MEMO_BYTES, HeadReader, Malformed
from .heads import CONTINUE, LAST_CHUNK, prefix

_EMPTY_LINES = 8
"""Empty lines before a request that are skipped (RFC 9112 2.2 asks for at least one); then 400."""
_UNBOUNDED = 1 << 30
"""What `writable` answers: more than anybody sends at once."""
_WITHOUT_BODY = frozenset({204, 304})
"""Statuses that never have a body, nor a length (RFC 9110 8.6)."""


class H1Wire:
    """One HTTP/1.1 connection, server side.

    Input: `receive`.  Events: `next_event` until None.  Output: `written`.

    `over`: nothing more is read.  `eof`: the peer has ended its side.
    `closing`: the answer in hand is the last and says `connection: close`.
    """

    protocol = "http/1.1"
    __slots__ = (
        "_asked",
        "_body",
        "_buffer",
        "_chunked",
        "_first",
        "_fresh",
        "_head",
        "_limits",
        "_out",
        "_raw",
        "_reader",
        "_scanned",
        "_skipped",
        "_stream",
        "_told",
        "closing",
        "eof",
        "over",
    )

    def __init__(self, reader: HeadReader, limits: Limits) -> None:
        self._out: list[bytes] = []
        self.over = False
        self.eof = False
        self._reader = reader
        self._limits = limits
        self._first = b""  # an input not yet copied: the usual whole head
        self._buffer = bytearray()
        self._scanned = 0
        self._skipped = 0
        self._head: Head | None = None
        self._body: BodyReader | None = None
        self._raw = False
        self._stream = 0
        self._chunked = False
        self.closing = False
        self._asked = False
        self._fresh = False
        self._told = False

    # ---- input ---------------------------------------------------------------

    def at(self, mono: float) -> None:
        """Nothing on HTTP/1.1 is counted over time."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer; `b""` is EOF."""
        if not data:
            self.eof = True
        elif self._head is None and not self._buffer and not self._first:
            self._first = data
        else:
            self._spill()
            self._buffer += data
        self._fresh = True

    def next_event(self) -> Event | None:
        """One step: the next event, or None when bytes or the end of the answer are awaited."""
        if self.over:
            return None
        if self._head is not None:
            return self._in_exchange()
        if self._first:
            started = self._usual()
            if started is not None:
                return started
        return self._read_head()

    def _spill(self) -> None:
        """Move an input that was not copied yet into the buffer."""
        if self._first:
            self._buffer += self._first
            self._first = b""

    def _usual(self) -> Started | None:
        """The lane of an idle connection: a head met before, read again from memory.

        None, and everything in the buffer, when it has not been met: the
        ordinary way reads it then.
        """
        data, self._first = self._first, b""
        end = data.find(b"\r\n\r\n", 0, MEMO_BYTES) + 4
        if end > 3:
            head = self._reader.memo.get(data if end == len(data) else data[:end])
            if head is not None:
                if end < len(data):
                    self._buffer += memoryview(data)[end:]
                return self._start(head)
        self._buffer += data
        return None

    def _read_head(self) -> Event | None:
        """The next head out of the buffer: `Started`, `Refused`, `Finished`, or None for "not yet".

        Whatever is wrong with it, the connection is over: where the next
        request would begin cannot be known.
        """
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
            self._skipped += 1
            if self._skipped > _EMPTY_LINES:
                return self._refuse(Malformed(BAD_REQUEST))
        if not buffer or (len(buffer) == 1 and buffer[0] == 0x0D):
            return self._finish() if self.eof else None
        if buffer[0] == 0x16:  # a TLS hello on a plaintext listener
            self.over = True
            return Finished(abort=True)
        # From where the last look ended, less what may be the end's own beginning: linear over all pieces.
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0:
            return self._incomplete()
        self._scanned = 0
        raw = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        try:
            return self._start(self._reader.read(raw))
        except Malformed as malformed:
            return self._refuse(malformed)

    def _incomplete(self) -> Event | None:
        """Bytes are missing: wait, unless they will not come or cannot become a head any more."""
        if self.eof:
            return self._finish()
        early = self._reader.refuse_early(self._buffer, self._scanned)
        self._scanned = len(self._buffer)
        return self._refuse(Malformed(early)) if early is not None else None

    def _start(self, head: Head) -> Started:
        """Begin an exchange; everything that was of the one before is forgotten."""
        self._stream += 1
        self._skipped = 0
        self._head = head
        self.closing = not head.keep_alive
        self._chunked = False
        self._told = False
        self._asked = False
        self._fresh = bool(self._buffer)
        if head.chunked:
            self._body = ChunkedBody(self._limits)
        else:
            self._body = LengthBody(head.length) if head.length else None
        return Started(self._stream, head)

    def _refuse(self, malformed: Malformed) -> Refused:
        """A refusal in place of a request; the rest of the input is dropped unread."""
        self._stream += 1
        self.over = True
        self.closing = True
        self._head = None
        self._buffer.clear()
        return Refused(self._stream, malformed.response)

    def _finish(self) -> Finished:
        """The end of the connection in order."""
        self.over = True
        return Finished()

    def _in_exchange(self) -> Event | None:
        """While an exchange runs: `Arrived` once for each input, `Reset` when the peer is gone.

        EOF is a client that left, although TCP would let it half-close: an
        answer to nobody would hold an engine.  An upgraded stream tells its end
        by itself.
        """
        if not self._fresh:
            return None
        self._fresh = False
        if self.eof and not self._raw:
            self.over = True
            return Reset(self._stream)
        return Arrived(self._stream)

    # ---- the body ------------------------------------------------------------

    def take_body(self, stream: int) -> tuple[bytes, bool]:
        """`(bytes, ended)`: what has arrived of the body and not been taken yet.

        The first call sends `100 Continue` to a peer that waits for it.  Raises
        `BrokenBody` for faulty framing; the machine is then over.
        """
        if self._raw:
            self._spill()
            data = bytes(self._buffer)
            self._buffer.clear()
            return data, self.eof
        if self._body is None:
            return b"", True
        self._continue()
        try:
            data = self._body.take(self._buffer)
        except BrokenBody:
            self.over = True
            self.closing = True
            raise
        # More to read though no byte comes: the connection must be told again, or it would wait for ever.
        self._fresh = self._body.more
        if self._body.done if isinstance(self._body, ChunkedBody) else not self._body.remaining:
            self._body = None
            self._fresh = self.eof
        elif self.eof and not self._buffer:
            self._fresh = True
        return data, self._body is None

    def _continue(self) -> None:
        """`100 Continue`, once, where it is awaited, and only if nothing was answered and no body came yet."""
        if not self._asked:
            self._asked = True
            if self._head is not None and self._head.expects and not self._buffer and not self._told:
                self._out.append(CONTINUE)

    @property
    def body_left(self) -> int | None:
        """Bytes of the body that were not taken yet; 0 for none, None when nobody can know."""
        if self._body is None:
            return 0
        return self._body.remaining if isinstance(self._body, LengthBody) else None

    @property
    def held(self) -> int:
        """Bytes received and not yet taken."""
        return len(self._buffer) + len(self._first)

    @property
    def begun(self) -> bool:
        """Whether bytes wait that are no whole head yet."""
        return bool(self._buffer or self._first)

    # ---- the answer ----------------------------------------------------------

    def respond(self, stream: int, status: int, fields: Fields, body: bytes, date: bytes) -> bytes:
        """Write a whole answer; what is returned (nothing) is left to `send`.

        The answer to a HEAD keeps the length and loses the body.
        """
        self._told = True
        length = b"" if status in _WITHOUT_BODY else b"content-length: %d\r\n" % len(body)
        if self.closing or self._unwanted():
            self.closing = True
            length += b"connection: close\r\n"
        head = b"%b%b%b\r\n" % (prefix(status, fields), date, length)
        if body and status not in _WITHOUT_BODY and not (self._head and self._head.method == "HEAD"):
            head += body
        self._out.append(head)
        return b""

    def start(self, stream: int, status: int, fields: Fields, date: bytes) -> None:
        """Write the head of a streamed answer: by the length in `fields`, else chunked, else until close (1.0)."""
        self._told = True
        one_zero = self._head is not None and self._head.version == "1.0"
        known = any(name == "content-length" for name, _ in fields)
        framing = b"" if one_zero or known else b"transfer-encoding: chunked\r\n"
        self._chunked = bool(framing)
        # HTTP/1.0 knows no chunks: the end of the connection ends the body.
        if self.closing or one_zero or self._unwanted():
            self.closing = True
            framing += b"connection: close\r\n"
        self._out.append(b"%b%b%b\r\n" % (prefix(status, fields), date, framing))
        if self._head is not None and self._head.method == "HEAD":
            self._chunked = False

    def send(self, stream: int, data: bytes, last: bool) -> None:
        """Write a piece of a streamed answer, or of an upgraded connection; `last` ends it."""
        if data:
            self._out += (b"%x\r\n" % len(data), data, b"\r\n") if self._chunked else (data,)
        if last:
            self.end(stream)

    def end(self, stream: int) -> None:
        """End a streamed answer."""
        if self._chunked:
            self._out.append(LAST_CHUNK)
            self._chunked = False

    def upgrade(self, stream: int, fields: Fields, date: bytes) -> None:
        """Answer 101; from here on bytes pass untouched (RFC 9110 section 7.8)."""
        self._told = True
        self._raw = True
        self._body = None  # whatever was announced: from here on everything is the upgraded stream's
        self._fresh = bool(self._buffer) or self.eof
        self._out.append(prefix(101, fields) + date + b"\r\n")

    def written(self) -> bytes:
        """Remove and return what was written."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def writable(self, stream: int) -> int:
        """Bytes that may be sent now: HTTP/1.1 has no window of its own."""
        return _UNBOUNDED

    def _unwanted(self) -> bool:
        """Whether the rest of the body is not worth reading just to keep the connection.

        With more than `unread_body_bytes` to come, or a client that never got
        its `100 Continue` and may send the body or not, closing is cheaper and
        safe.
        """
        if self._body is None:
            return False
        if self._head is not None and self._head.expects and not self._asked:
            return True
        left = self.body_left
        return left is not None and left - len(self._buffer) > self._limits.unread_body_bytes

    # ---- the end of an exchange ----------------------------------------------

    def recycle(self, stream: int) -> bool:
        """After the answer and the whole body: get ready for the next request.

        Returns False when the connection must close instead.
        """
        self._head = None
        self._body = None
        self._scanned = 0
        if self.closing or self._raw or self.over:
            self.over = True
            return False
        return True

    def reset(self, stream: int) -> None:
        """Give the exchange up: on HTTP/1.1 that is the end of the connection."""
        self.over = True
        self.closing = True

    def refuse_late(self) -> Event | None:
        """A head did not come in time: 408 if it had begun, else a silent end."""
        if self._buffer or self._first:
            return self._refuse(Malformed(phrase(408)))
        return self._finish()

    def take_no_more(self) -> None:
        """The request in hand is the last: what follows it cannot be told from its missing body."""
        self.closing = True

    def goodbye(self) -> bool:
        """Shutdown: the exchange in hand is the last.  True when nothing is in hand."""
        self.closing = True
        return self._head is None
