"""Clients that wait: an HTTP client and a WebSocket over one wire.

They add only patience to the machines of this package: read until an answer
is there or a time has passed.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field

from .http1 import Http1Client
from .http2 import Http2Client
from .messages import Answer, Broken, Data, End, Event, GoAway, Outgoing, Pairs
from .websocket import Closed, Message, WebSocketClient, accepted, handshake
from .wires import Wire

PATIENCE = 10.0


def machine(version: str) -> Http1Client | Http2Client:
    """A client machine for HTTP `version` ("1.1" or "2")."""
    return Http2Client() if version == "2" else Http1Client()


class HttpConnection:
    """An HTTP client on one wire, any number of requests in flight."""

    def __init__(self, wire: Wire, version: str) -> None:
        self.wire = wire
        self.client = machine(version)
        self.answers: dict[int, Answer] = {}
        self.tunnels: dict[int, list[bytes]] = {}
        self.goaway: GoAway | None = None
        self.ended = False

    @property
    def version(self) -> str:
        """The HTTP version spoken."""
        return self.client.version

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return self.client.reusable and not self.ended

    def begin(self, request: Outgoing) -> int:
        """Send `request`, wait for nothing; returns its stream."""
        stream = self.client.request(request)
        self.answers[stream] = Answer()
        self.flush()
        return stream

    def flush(self) -> None:
        """Write what the machine has queued."""
        data = self.client.outgoing()
        if data:
            self.wire.send(data)

    def listen(self, seconds: float) -> bool:
        """Read once, at most `seconds`; False when nothing came."""
        if self.ended:
            return False
        data = self.wire.receive(seconds)
        if data is None:
            return False
        self.ended = not data
        for event in self.client.receive(data):
            self._apply(event)
        if self.ended:
            self._end()
        self.flush()
        return True

    def _apply(self, event: Event) -> None:
        if isinstance(event, GoAway):
            self.goaway = event
        elif isinstance(event, Data) and event.stream in self.tunnels:
            self.tunnels[event.stream].append(event.data)
        elif isinstance(event, End | Broken) and event.stream in self.tunnels:
            self.tunnels[event.stream].append(b"")
        elif event.stream in self.answers:
            self.answers[event.stream].apply(event)

    def _end(self) -> None:
        for stream, answer in self.answers.items():
            if not answer.done and stream not in self.tunnels:
                answer.broken = "connection closed"
        for data in self.tunnels.values():
            data.append(b"")

    def head(self, stream: int, seconds: float = PATIENCE) -> Answer:
        """The answer of `stream` as soon as its head is there (or it is broken, or time is up)."""
        answer = self.answers[stream]
        self._until(lambda: bool(answer.status) or answer.done, seconds)
        return answer

    def answer(self, stream: int, seconds: float = PATIENCE) -> Answer:
        """The whole answer of `stream`; `done` is False if it did not come in time."""
        answer = self.answers[stream]
        self._until(lambda: answer.done, seconds)
        return answer

    def _until(self, there: Callable[[], bool], seconds: float) -> None:
        until = self.wire.clock() + seconds
        while not there() and not self.ended:
            left = until - self.wire.clock()
            if left <= 0 or not self.listen(left):
                return

    def exchange(self, request: Outgoing, seconds: float = PATIENCE) -> Answer:
        """Send `request` and wait for the whole answer."""
        return self.answer(self.begin(request), seconds)

    def websocket(
        self, target: str, fields: Pairs = (), *, drop: tuple[str, ...] = (), change: dict[str, object] | None = None
    ) -> tuple[Answer, WebSocket | None]:
        """Open a WebSocket: the answer to the handshake, and the socket when it is a good one.

        `change` replaces attributes of the opening request (a method, a protocol).
        """
        request = handshake(target, self.version, fields, drop)
        stream = self.client.request(evolve(request, **(change or {})))  # type: ignore[arg-type]
        answer = self.answers[stream] = Answer()
        self.flush()
        self.head(stream)
        if accepted(answer, self.version):
            if answer.status not in (101, 200):
                self.answer(stream)
            return answer, None
        tunnel = self.tunnels.setdefault(stream, [])
        if answer.body:
            tunnel.append(answer.body)
        if answer.done:
            tunnel.append(b"")
        return answer, WebSocket(self, stream)


@define
class WebSocket:
    """An open WebSocket."""

    http: HttpConnection
    stream: int
    client: WebSocketClient = field(factory=WebSocketClient)
    waiting: list[Message] = field(factory=list)

    def send(self, message: str | bytes) -> None:
        """Send one message in one frame."""
        self.client.send(message)
        self.flush()

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.client.send_raw(data)
        self.flush()

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a Close frame."""
        self.client.close(code, reason)
        self.flush()

    def flush(self) -> None:
        """Write what the machine has queued."""
        data = self.client.outgoing()
        if data:
            self.http.client.send_data(self.stream, data)
            self.http.flush()

    def receive(self, seconds: float = PATIENCE) -> Message | None:
        """The next message, Ping, Pong or Close; None when none came in time."""
        until = self.http.wire.clock() + seconds
        while not self.waiting:
            self._read()
            left = until - self.http.wire.clock()
            if self.waiting or self.client.closed is not None or left <= 0:
                break
            if not self.http.listen(left):
                break
        self._read()
        return self.waiting.pop(0) if self.waiting else None

    def _read(self) -> None:
        arrived = self.http.tunnels[self.stream]
        while arrived:
            self.waiting += self.client.receive(arrived.pop(0))
        self.flush()

    def closed(self, seconds: float = PATIENCE) -> Closed | None:
        """Read on until the peer's Close or the end of the stream; None when neither came in time."""
        until = self.http.wire.clock() + seconds
        while (left := until - self.http.wire.clock()) > 0:
            message = self.receive(left)
            if isinstance(message, Closed):
                return message
            if message is None:
                break
        return self.client.closed
