"""HTTP/2 as a test client speaks it, over h2.

Outgoing header blocks are not checked, so a test may send a malformed one.
Bodies wait for the server's windows; what arrives is acknowledged at once
unless `hold_windows` is set.
"""

from __future__ import annotations

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .messages import Broken, Data, End, Event, GoAway, Head, Informational, Outgoing, Pairs

_NOT_IN_HTTP2 = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")


def _plain(headers: object) -> tuple[int, Pairs]:
    status, fields = 0, []
    for name, value in headers or ():  # type: ignore[attr-defined]
        name, value = _word(name), _word(value)
        if name == ":status":
            status = int(value)
        else:
            fields.append((name, value))
    return status, tuple(fields)


def _word(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


class Http2Client:
    """One HTTP/2 connection seen from the client's side; the interface of `Http1Client`."""

    version = "2"

    def __init__(self, *, hold_windows: bool = False) -> None:
        config = h2.config.H2Configuration(
            client_side=True,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            header_encoding=None,
        )
        self._h2 = h2.connection.H2Connection(config)
        self._h2.initiate_connection()
        self._bodies: dict[int, tuple[bytearray, bool]] = {}
        self._open: set[int] = set()
        self.hold_windows = hold_windows
        self.reusable = True
        self.settings: dict[int, int] = {}

    def request(self, request: Outgoing) -> int:
        """Queue `request`; returns its stream."""
        stream = self._h2.get_next_available_stream_id()
        fields = [(name.lower(), value) for name, value in request.fields if name.lower() not in _NOT_IN_HTTP2]
        if request.body and not request.chunked and not request.has("content-length"):
            fields.append(("content-length", str(len(request.body))))
        block = [(name.encode(), value.encode()) for name, value in (*self._pseudo(request), *fields)]
        ends = request.finished and not request.body
        self._h2.send_headers(stream, block, end_stream=ends)
        self._open.add(stream)
        if not ends:
            self.send_data(stream, request.body, end=request.finished)
        return stream

    def _pseudo(self, request: Outgoing) -> list[tuple[str, str]]:
        pseudo = [(":method", request.method)]
        plain_connect = request.method == "CONNECT" and request.protocol is None  # RFC 9113 8.5: no scheme, no path
        if not plain_connect:
            pseudo.append((":scheme", request.scheme))
        authority = next((value for name, value in request.fields if name.lower() == "host"), request.authority)
        if authority is not None:
            pseudo.append((":authority", authority))
        if not plain_connect:
            pseudo.append((":path", request.target))
        if request.protocol is not None:
            pseudo.append((":protocol", request.protocol))
        return pseudo

    def send_data(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Queue body or tunnelled bytes; they go out as the windows allow."""
        buffer, ended = self._bodies.get(stream, (bytearray(), False))
        self._bodies[stream] = (buffer + data, ended or end)
        try:
            self._flush(stream)
        except h2.exceptions.StreamClosedError:
            del self._bodies[stream]  # the server gave the stream up meanwhile

    def reset(self, stream: int, code: int = 8) -> None:
        """Queue RST_STREAM (default CANCEL)."""
        self._bodies.pop(stream, None)
        self._open.discard(stream)
        self._h2.reset_stream(stream, code)

    def ping(self, data: bytes = b"conform!") -> None:
        """Queue PING."""
        self._h2.ping(data)

    def outgoing(self) -> bytes:
        """The bytes to write now."""
        return self._h2.data_to_send()

    def receive(self, data: bytes) -> list[Event]:
        """Read `data`; b"" says that the server will send no more."""
        if not data:
            self.reusable = False
            return self._break_all("connection closed")
        events: list[Event] = []
        try:
            for event in self._h2.receive_data(data):
                self._translate(event, events)
        except h2.exceptions.ProtocolError as error:
            self.reusable = False
            events += self._break_all(f"protocol error of the server: {error}")
        return events

    def _break_all(self, why: str) -> list[Event]:
        broken: list[Event] = [Broken(stream, why) for stream in sorted(self._open)]
        self._open.clear()
        return broken

    def _flush(self, stream: int) -> None:
        if stream not in self._bodies:
            return
        buffer, end = self._bodies[stream]
        while buffer:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size, len(buffer))
            if room <= 0:
                return
            self._h2.send_data(stream, bytes(buffer[:room]))
            del buffer[:room]
        del self._bodies[stream]
        if end:
            self._h2.end_stream(stream)

    def _translate(self, event: h2.events.Event, events: list[Event]) -> None:
        if isinstance(event, h2.events.InformationalResponseReceived):
            events.append(Informational(event.stream_id or 0, *_plain(event.headers)))
        elif isinstance(event, h2.events.ResponseReceived):
            events.append(Head(event.stream_id or 0, *_plain(event.headers)))
        elif isinstance(event, h2.events.DataReceived):
            events.append(Data(event.stream_id or 0, bytes(event.data or b"")))
            if not self.hold_windows:
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamEnded):
            self._open.discard(event.stream_id or 0)
            events.append(End(event.stream_id or 0))
        elif isinstance(event, h2.events.StreamReset):
            self._closed(event, events)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._terminated(event, events)
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self._grown(event)

    def _closed(self, event: h2.events.StreamReset, events: list[Event]) -> None:
        stream, code = event.stream_id or 0, int(event.error_code or 0)
        self._bodies.pop(stream, None)
        if stream in self._open:
            self._open.discard(stream)
            events.append(Broken(stream, f"reset with code {code}", code))

    def _terminated(self, event: h2.events.ConnectionTerminated, events: list[Event]) -> None:
        self.reusable = False
        code, last = int(event.error_code or 0), event.last_stream_id or 0
        events.append(GoAway(code, last, event.additional_data or b""))
        for stream in sorted(self._open):
            if code or stream > last:
                self._open.discard(stream)
                events.append(Broken(stream, f"GOAWAY with code {code}", code))

    def _grown(self, event: h2.events.WindowUpdated | h2.events.RemoteSettingsChanged) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            for setting, change in event.changed_settings.items():
                self.settings[int(setting)] = change.new_value
        for stream in list(self._bodies):
            self._flush(stream)
