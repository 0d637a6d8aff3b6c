"""HTTP/1.1 as a test client speaks it: our own bytes out, h11's strict reading in.

h11 only reads a response when it has seen the request go out, so each request
is also told to it in a plain form whose bytes are thrown away.  Streams are
numbered 1, 2, 3, … in the order of the requests; pipelining is allowed.
"""

from __future__ import annotations

from collections import deque

import h11

from .messages import Broken, Data, End, Event, Head, Informational, Outgoing, Pairs


def _plain(fields: list[tuple[bytes, bytes]]) -> Pairs:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)


def serialise(request: Outgoing) -> bytes:
    """The bytes of `request`: head, then the body with its framing."""
    lines = [f"{request.method} {request.target} HTTP/1.1".encode()]
    fields = list(request.fields)
    if request.authority is not None and not request.has("host"):
        fields.insert(0, ("host", request.authority))
    if request.chunked:
        fields.append(("transfer-encoding", "chunked"))
    elif (request.body or request.method in ("POST", "PUT")) and not request.has("content-length"):
        fields.append(("content-length", str(len(request.body))))
    lines += [f"{name}: {value}".encode() for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + _framed(request)


def _framed(request: Outgoing) -> bytes:
    if not request.chunked:
        return request.body
    size = 64 * 1024
    chunks = [request.body[start : start + size] for start in range(0, len(request.body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


class Http1Client:
    """One HTTP/1.1 connection seen from the client's side.

    `request()` queues bytes, `outgoing()` hands them out, `receive(data)`
    (b"" is the end) returns what they told.  After a 101 or a 2xx to CONNECT
    everything that arrives is `Data`.
    """

    version = "1.1"

    def __init__(self) -> None:
        self._reader = h11.Connection(h11.CLIENT)
        self._out = bytearray()
        self._waiting: deque[tuple[int, Outgoing]] = deque()
        self._stream = 0
        self._count = 0
        self._buffer = b""
        self._switched = False
        self.reusable = True

    def request(self, request: Outgoing) -> int:
        """Queue `request`; returns its stream."""
        self._count += 1
        self._out += serialise(request)
        self._waiting.append((self._count, request))
        return self._count

    def send_data(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Queue raw bytes: body bytes that the caller frames, or tunnelled bytes."""
        del stream, end
        self._out += data

    def outgoing(self) -> bytes:
        """The bytes to write now."""
        data, self._out = bytes(self._out), bytearray()
        return data

    def receive(self, data: bytes) -> list[Event]:
        """Read `data`; b"" says that the server will send no more."""
        events: list[Event] = []
        if self._switched:
            return [Data(self._stream, data) if data else End(self._stream)]
        try:
            self._announce()
            self._reader.receive_data(data)
            self._read(events)
        except h11.RemoteProtocolError as error:
            self.reusable = False
            events.append(Broken(self._stream, str(error)))
        return events

    def _announce(self) -> None:
        """Tell h11 of the next request when it is idle, in a form that it accepts."""
        if self._reader.our_state is not h11.IDLE or not self._waiting:
            return
        self._stream, request = self._waiting.popleft()
        kept = [(n, v) for n, v in request.fields if n.lower() in ("connection", "upgrade")]
        self._reader.send(h11.Request(method=request.method, target="/", headers=[("host", "x"), *kept]))
        self._reader.send(h11.EndOfMessage())

    def _read(self, events: list[Event]) -> None:
        while True:
            event = self._reader.next_event()
            if isinstance(event, h11.InformationalResponse):
                self._informational(event, events)
            elif isinstance(event, h11.Response):
                events.append(Head(self._stream, event.status_code, _plain(list(event.headers))))
            elif isinstance(event, h11.Data):
                events.append(Data(self._stream, bytes(event.data)))
            elif isinstance(event, h11.EndOfMessage):
                events.append(End(self._stream))
                if not self._next():
                    return
            elif isinstance(event, h11.ConnectionClosed):
                self.reusable = False
                return
            else:
                self._tunnel(event, events)
                return

    def _informational(self, event: h11.InformationalResponse, events: list[Event]) -> None:
        fields = _plain(list(event.headers))
        kind = Head if event.status_code == 101 else Informational
        events.append(kind(self._stream, event.status_code, fields))

    def _next(self) -> bool:
        """Recycle h11 for the next pipelined response; False when there is none to come."""
        if self._reader.our_state is h11.DONE and self._reader.their_state is h11.DONE:
            self._reader.start_next_cycle()
            if not self._waiting:
                return False
            self._announce()
            return True
        if self._reader.their_state is h11.SWITCHED_PROTOCOL:
            return True
        self.reusable = False
        return False

    def _tunnel(self, event: object, events: list[Event]) -> None:
        if event is h11.PAUSED and self._reader.their_state is h11.SWITCHED_PROTOCOL:
            self._switched = True
            trailing, _ = self._reader.trailing_data
            if trailing:
                events.append(Data(self._stream, trailing))
