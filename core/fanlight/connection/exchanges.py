"""Exchanges: requests becoming answers, one conversation for each stream.

The middle of a connection.  Wire events come in, routines are stepped, answers
go to the wire machine; every exchange ends with exactly one access record,
whatever became of it.  Inputs, outputs, closing and deadlines are the
connection's, frames of upgraded streams are in `upgraded`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from ..asks import ClientGone
from ..http.pipeline import Exchange
from ..http.request import Request
from ..http.response import Refused as RefusedAnswer
from ..http.response import Response, phrase
from ..observe.records import AccessRecord, Failure
from ..outputs import Note, Output
from ..routine import PARKED, Conversation, Thrown
from ..underway import Underway
from ..wire import events
from ..wire.body import BrokenBody
from ..wire.heads import UnsafeField
from .ops import ATTEMPTS, OPENS

if TYPE_CHECKING:
    from ..config.limits import Limits
    from ..moment import Now
    from ..server import ListenerState, Server
    from ..wire.h1 import H1Wire
    from ..wire.h2 import H2Wire

SERVER_ERROR = phrase(500)


class Exchanges(ABC):
    """What a connection has in hand."""

    __slots__ = (
        "_conversations",
        "_drained",
        "_grace_at",
        "_mark",
        "_out",
        "_outputs",
        "_unsent",
        "budget",
        "limits",
        "listener",
        "now",
        "number",
        "peer",
        "proxied",
        "requests",
        "secure",
        "server",
        "since",
        "spoken",
        "state",
        "ticking",
        "underway",
        "unfinished",
        "wire",
    )

    opens = OPENS
    attempts = ATTEMPTS
    wire: H1Wire | H2Wire

    def __init__(
        self, server: Server, listener: ListenerState, peer: str, now: Now, number: int, *, proxied: bool, secure: bool
    ) -> None:
        self.server = server
        self.listener = listener
        self.limits: Limits = server.limits
        self.peer = peer
        self.number = number
        self.since = now
        self.now = now
        self.state = "open"
        self.secure = secure
        self.proxied = proxied
        self.requests = 0
        self.budget = 0
        self.unfinished = False
        self.ticking = False
        self.wire = listener.no_wire
        self.spoken = ""
        self._conversations: dict[int, Conversation] = {}
        self._out: list[bytes] = []
        self._outputs: list[Output] = []  # a deque would weigh 700 bytes in ten thousand idle connections
        self.underway = Underway(self._outputs)
        self._unsent = 0
        self._mark = now.mono
        self._drained = -1
        self._grace_at = inf

    @property
    def backlog(self) -> int:
        """Bytes written and not yet taken by the socket."""
        return self._unsent + (sum(map(len, self._out)) if self._out else 0)

    @property
    def streams(self) -> int:
        """How many exchanges are in hand."""
        return len(self._conversations)

    def conversations(self) -> list[Conversation]:
        """The exchanges in hand, for those who look on."""
        return list(self._conversations.values())

    @abstractmethod
    def hang_up(self, *, abort: bool = False) -> None:
        """End the connection once all is written: in stages, or at once."""

    @abstractmethod
    def read_items(self, conversation: Conversation) -> None:
        """Take messages of an upgraded stream."""

    @abstractmethod
    def end_websocket(self, conversation: Conversation) -> None:
        """The routine of an upgraded stream is done."""

    def speak(self, protocol: str) -> None:
        """Count this connection under `protocol`, and no longer under what it spoke before."""
        if self.spoken:
            self.server.metrics.closed(self.listener.name, self.spoken)
        self.spoken = protocol
        if protocol:
            self.server.metrics.opened(self.listener.name, protocol)

    def _collect(self) -> None:
        """Take what the wire machine has written."""
        data = self.wire.written()
        if data:
            self._out.append(data)

    # ---- wire events ---------------------------------------------------------

    def _started(self, event: events.Started) -> None:
        """A request head was read: decide what can be decided, and start its handler.

        Most requests are answered before this returns.
        """
        self.requests += 1
        request = Request(
            event.head,
            stream=event.stream,
            arrived=self.now,
            peer=self.peer,
            secure=self.secure,
            listener=self.listener,
            server=self.server,
            proxied=self.proxied,
        )
        exchange = Exchange(request)
        conversation = Conversation(event.stream, exchange)
        self._conversations[event.stream] = conversation
        try:
            routine = exchange.route()
        except RefusedAnswer as refused:
            routine = refused.response
        except Exception as error:  # noqa: BLE001  a bug in a gate must not reach the host
            self._note_failure(conversation, error)
            routine = SERVER_ERROR
        place = exchange.place
        cells = place.cells if place is not None else None
        if cells is None:
            cells = self.server.metrics.route(exchange.label, self.listener.name)
            if place is not None:
                place.cells = cells
        exchange.cells = cells
        cells.started()
        if exchange.admission is not None:
            self.note(exchange.admission)
        if isinstance(routine, Response):
            self._answer(conversation, routine)
        else:
            conversation.routine = routine
            self._step(conversation, None)

    def _arrived(self, event: events.Arrived) -> None:
        """There may be more of a body: for its reader, for a WebSocket, or for nobody."""
        conversation = self._conversations.get(event.stream)
        if conversation is None:
            if self._drained >= 0:
                self._drain(event.stream)
        elif conversation.socket is not None:
            self.read_items(conversation)
        elif conversation.asks:
            self._retry(conversation)

    def _reset(self, event: events.Reset) -> None:
        """The client gave the exchange up; on HTTP/1.1 the connection with it."""
        conversation = self._conversations.get(event.stream)
        if conversation is not None:
            self._abandon(conversation)
        if self.wire.over:
            self.hang_up(abort=True)

    def _refused(self, event: events.Refused) -> None:
        """No request at all: answered without a route, counted as `unknown`."""
        self.requests += 1
        self.server.malformed(self.listener, event.response.status)
        fields = event.response.fields + self.server.common_fields
        body = event.response.body
        assert isinstance(body, bytes)
        rest = self.wire.respond(event.stream, event.response.status, fields, body, self.server.date(self))
        if rest and self.wire.writable(event.stream) >= len(rest):
            self.wire.send(event.stream, rest, True)
        elif rest:
            self.wire.reset(event.stream)  # no window for a few words: the status has to do
        record = AccessRecord(
            self.now.wall, 0.0, self.listener.name, self.peer, "", "unknown", event.response.status, "", "", 0
        )
        self._note_access(record)
        if not self.wire.recycle(event.stream):
            self.hang_up()

    def _writable(self, event: events.Writable) -> None:
        """A window opened: whatever was held back may go on (RFC 9113 6.9)."""
        for conversation in tuple(self._conversations.values()):
            self._flush(conversation)
            if conversation.asks:
                self._retry(conversation)

    def _finished(self, event: events.Finished) -> None:
        """Nothing more will come from the peer: end what is in hand, then the connection."""
        for conversation in tuple(self._conversations.values()):
            self._abandon(conversation)
        self.hang_up(abort=event.abort)

    handlers: ClassVar[dict[type, Any]] = {
        events.Started: _started,
        events.Arrived: _arrived,
        events.Reset: _reset,
        events.Refused: _refused,
        events.Writable: _writable,
        events.Finished: _finished,
    }

    # ---- stepping ------------------------------------------------------------

    def _step(self, conversation: Conversation, answer: Any) -> None:
        """Resume a routine; what comes of it is an answer, an end, or a bug."""
        try:
            result = conversation.step(answer, self)
        except RefusedAnswer as refused:
            if conversation.started and conversation.socket is None and not conversation.gone:
                self._break_off(conversation)  # a body that ended here would pass for whole
                return
            result = refused.response
        except ClientGone:
            result = None
        except UnsafeField as error:
            self._failed(conversation, error)
            return
        except Exception as error:  # noqa: BLE001  a bug in a handler must not reach the host
            self._failed(conversation, error)
            return
        if result is not PARKED:
            self._returned(conversation, result)

    def _retry(self, conversation: Conversation) -> None:
        """Something has moved: perhaps an open ask can be answered now."""
        answer = conversation.retry(self)
        if answer is not PARKED:
            self._step(conversation, answer)

    def _returned(self, conversation: Conversation, result: Any) -> None:
        """A routine ended: with a response, after a stream or a WebSocket, or after its client had left."""
        conversation.routine = None
        if conversation.gone:
            self._forget(conversation)
        elif isinstance(result, Response) and not conversation.started:
            self._answer(conversation, result)
        elif conversation.socket is not None:
            self.end_websocket(conversation)
        elif conversation.started:
            self._end(conversation)
        else:
            self._failed(conversation, TypeError("a handler returned no response"))

    def _failed(self, conversation: Conversation, error: BaseException) -> None:
        """A bug: everything to the log, nothing to the client (never a second head)."""
        self.underway.withdraw(conversation)
        conversation.routine = None
        self._note_failure(conversation, error)
        if conversation.gone:
            self._forget(conversation)
        elif not conversation.started:
            self._answer(conversation, SERVER_ERROR)
        elif conversation.socket is not None:
            conversation.socket.close(1011, "")
            self.end_websocket(conversation)
        else:
            self._break_off(conversation)

    def _break_off(self, conversation: Conversation) -> None:
        """End a streamed answer so that nobody takes it for whole."""
        self._collect()
        self.wire.reset(conversation.stream)
        self._forget(conversation)
        if self.wire.over:
            self.hang_up(abort=True)

    def _abandon(self, conversation: Conversation) -> None:
        """The client has left: throw it into the routine, which may still clean up."""
        if conversation.gone:
            return
        conversation.gone = True
        conversation.pending = b""
        if conversation.routine is None:
            self._forget(conversation)
            return
        conversation.cleanup_at = self.now.mono + self.limits.cleanup
        self.underway.withdraw(conversation)
        self._step(conversation, Thrown(ClientGone()))

    # ---- answering -----------------------------------------------------------

    def _answer(self, conversation: Conversation, response: Response) -> None:
        """Write a response: whole, or its head and then what its producer sends."""
        fields = conversation.exchange.fields(response)
        body = response.body if response.status not in (204, 304) else b""
        date = self.server.date(self)
        try:
            if isinstance(body, bytes):
                rest = self.wire.respond(conversation.stream, response.status, fields, body, date)
                conversation.sent = len(body)
            else:
                self.wire.start(conversation.stream, response.status, fields, date)
                rest = b""
        except UnsafeField as error:
            self._note_failure(conversation, error)
            self._answer(conversation, SERVER_ERROR)
            return
        self._head_written(conversation, response.status)
        if isinstance(body, bytes):
            conversation.pending = memoryview(rest)  # a slice of a view copies nothing
            conversation.moved_at, conversation.moved = self.now.mono, 0
            conversation.unended = bool(rest)
            conversation.ending = True
            self._flush(conversation)
        elif conversation.exchange.request.method == "HEAD":
            conversation.ending = True
            self._flush(conversation)
        else:
            conversation.unended = True
            try:
                conversation.owed = next((int(value) for name, value in fields if name == "content-length"), None)
                conversation.routine = body()
            except Exception as error:  # noqa: BLE001  no producer at all: a bug in a handler
                self._failed(conversation, error)
                return
            self._step(conversation, None)

    def _head_written(self, conversation: Conversation, status: int) -> None:
        """From here on no second head may follow; the request is counted and timed."""
        conversation.started = True
        conversation.status = status
        conversation.head_at = self.now.mono
        exchange = conversation.exchange
        if exchange.security is not None:
            self.note(exchange.security)
        if exchange.cells is not None:
            exchange.cells.answered(status, self.now.mono - exchange.request.arrived.mono)

    def write(self, conversation: Conversation, data: bytes) -> None:
        """Append to a streamed body or an upgraded stream, as far as the window allows."""
        conversation.sent += len(data)
        if conversation.pending:
            data = bytes(conversation.pending) + data
        else:
            conversation.moved_at, conversation.moved = self.now.mono, 0
        conversation.pending = data
        self._flush(conversation)
        self._collect()

    def _flush(self, conversation: Conversation) -> None:
        """Move held-back output to the wire; finish the exchange when it was the last."""
        while conversation.pending:
            room = self.wire.writable(conversation.stream)
            if room <= 0:
                return
            piece = conversation.pending if room >= len(conversation.pending) else conversation.pending[:room]
            conversation.pending = conversation.pending[len(piece) :]
            conversation.moved += len(piece)
            if conversation.moved >= self.limits.progress_bytes:
                conversation.moved_at, conversation.moved = self.now.mono, 0
            last = conversation.ending and not conversation.pending
            self.wire.send(conversation.stream, bytes(piece), last)
            if last:
                conversation.unended = False
        if conversation.ending:
            if conversation.unended:
                self.wire.end(conversation.stream)
            self._complete(conversation)

    def _end(self, conversation: Conversation) -> None:
        """The producer is done: what is held back goes out, then the end of the body."""
        if conversation.owed is not None and conversation.sent != conversation.owed:
            self._failed(conversation, ValueError("a producer sent less than its content-length"))
            return
        conversation.ending = True
        self._flush(conversation)

    def _complete(self, conversation: Conversation) -> None:
        """The answer is written: get ready for the next request, or close."""
        self._forget(conversation)
        if self.wire.body_left != 0 and not self.wire.eof and not self.wire.closing:
            self._drained = 0
            self._mark = self.now.mono
            self._drain(conversation.stream)
        else:
            self._recycle(conversation.stream)

    def _recycle(self, stream: int) -> None:
        """The exchange is over for the wire too: the next request, or the end of the connection."""
        self._drained = -1
        self._mark = self.now.mono
        if not self.wire.recycle(stream):
            self.hang_up()

    def _drain(self, stream: int) -> None:
        """Read what is left of a body that nobody wanted, within bounds (listeners L4.1)."""
        try:
            data, ended = self.wire.take_body(stream)
        except BrokenBody:
            self.hang_up()
            return
        self._drained += len(data)
        if ended:
            self._recycle(stream)
        elif self._drained > self.limits.unread_body_bytes or self._grace_at < inf:
            self.hang_up()

    def _forget(self, conversation: Conversation) -> None:
        """The exchange is over: one access record, whatever became of it."""
        conversation.routine = None
        if conversation.number:
            self.server.enlisted.pop(conversation.number, None)
        if conversation.socket is not None:
            self.server.vouched.pop(conversation, None)
        if self._conversations.pop(conversation.stream, None) is None:
            return
        exchange = conversation.exchange
        request = exchange.request
        if not conversation.started and exchange.cells is not None:
            exchange.cells.dropped()
        self.server.metrics.sent(self.listener.name, conversation.sent)
        head_at = conversation.head_at or self.now.mono
        self._note_access(
            AccessRecord(
                request.arrived.wall,
                head_at - request.arrived.mono,
                self.listener.name,
                self.peer,
                request.method,
                exchange.label,
                conversation.status,
                request.identity.user if request.identity is not None else "",
                request.head.version,
                conversation.sent,
            )
        )

    def note(self, record: Any) -> None:
        """Hand a record out; decisions about callers pass the audit first, which may keep one too many to itself."""
        if self.server.audit.told(record, self.now):
            self._outputs.append(Note(record))

    def _note_access(self, record: AccessRecord) -> None:
        self.server.recent.append(record)
        if self.server.notes_access:
            self._outputs.append(Note(record))

    def _note_failure(self, conversation: Conversation, error: BaseException) -> None:
        self._outputs.append(Note(Failure(conversation.exchange.label, error)))
