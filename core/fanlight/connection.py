"""The connection: the one object that a transport sees of a client.

Everything goes in by a method, with the moment it happened; everything comes
out of `poll`.  The rule for hosts is short: **call one input, drain `poll()` to
None, re-arm the server's `deadline`.**  Early and spurious timeouts are no-ops.

Inside: an ingress (PROXY header, TLS, version), a wire machine, one
conversation for each stream, one table of deadlines.  States:

    open       requests are read and answered
    closing    no more is read; what is written goes out first
    lingering  our half is closed; what still arrives is thrown away (RFC 9112 9.6)
    closed     silent; only routines that clean up are still answered

A connection reads no clock, touches no socket and starts no thread.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from .asks import ClientGone, Effect, EffectFailed
from .http.pipeline import Exchange
from .http.request import Request
from .http.response import Refused as RefusedAnswer
from .http.response import Response, phrase
from .ingress import Ingress, Unwelcome
from .observe.records import AccessRecord, Failure
from .ops import ATTEMPTS, LOST, OPENS
from .outputs import Cancel, Close, Note, Output, Perform, Send
from .routine import PARKED, Conversation, Host, Thrown
from .wire import events
from .wire.body import BrokenBody
from .wire.head import BAD_REQUEST
from .wire.heads import UnsafeField

if TYPE_CHECKING:
    from .http.response import Fields
    from .moment import Now
    from .server import ListenerState, Server
    from .wire.h1 import H1Wire
    from .wire.h2 import H2Wire
    from .wire.secure import SecureChannel
    from .wire.ws import Item

SERVER_ERROR = phrase(500)


class Connection(Host):
    """One client of one listener.  Made by `Server.accept`.

    `deadline` is when `handle_timeout` must be called (`inf`: never);
    `wants_read` False stops the socket.
    """

    __slots__ = (
        "_closes",
        "_conversations",
        "_drained",
        "_eof",
        "_grace_at",
        "_ingress",
        "_mark",
        "_next_id",
        "_out",
        "_outputs",
        "_performing",
        "_unsent",
        "_write_mark",
        "armed",
        "budget",
        "deadline",
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
        "sleepers",
        "state",
        "ticking",
        "unfinished",
        "wire",
    )

    opens = OPENS
    attempts = ATTEMPTS
    wire: H1Wire | H2Wire

    def __init__(
        self,
        server: Server,
        listener: ListenerState,
        peer: str,
        now: Now,
        number: int,
        *,
        proxied: bool = False,
        channel: SecureChannel | None = None,
    ) -> None:
        self.server = server
        self.listener = listener
        self.limits = server.limits
        self.peer = peer
        self.number = number
        self.since = now
        self.now = now
        self.state = "open"
        self.secure = channel is not None
        self.proxied = proxied
        self.requests = 0
        self.budget = 0
        self.unfinished = False
        self.ticking = False
        self.deadline = inf
        self.armed = inf
        self.sleepers: set[Conversation] = set()
        self.wire = listener.no_wire
        self._ingress: Ingress | None = Ingress(listener, proxied=proxied, channel=channel)
        self._conversations: dict[int, Conversation] = {}
        self._performing: dict[int, tuple[Conversation, int]] = {}
        self._next_id = 0
        self._out: list[bytes] = []
        self._outputs: deque[Output] = deque()
        self._unsent = 0
        self._mark = now.mono
        self._write_mark = now.mono
        self._drained = -1
        self._eof = False
        self._closes = ""
        self._grace_at = inf

    # ---- inputs --------------------------------------------------------------

    def opened(self) -> None:
        """Arm the first deadline.  Called by the server, once."""
        self._settle()

    def receive_data(self, data: bytes, now: Now) -> None:
        """Bytes from the socket; `b""` is EOF."""
        self._begin(now)
        if not data:
            self._eof = True
        if self.state == "open":
            self._receive(data)
            self._pump()
        elif self.state == "lingering":
            self._linger(data)
        self._settle()

    def sent(self, count: int, now: Now) -> None:
        """The socket has taken `count` bytes of what was handed out."""
        self._begin(now)
        self._unsent -= count
        self._write_mark = now.mono
        if self._conversations or self.unfinished or self._closes or self.wire.held:
            self._pump()
            self._settle()
        elif self.deadline > now.mono:
            self._settle()

    def reply(self, id: int, answer: object, error: BaseException | None, now: Now) -> None:
        """The answer to `Perform(id, …)`, or the exception that performing it raised."""
        self._begin(now)
        waiting = self._performing.pop(id, None)
        if waiting is not None:
            conversation, position = waiting
            conversation.performing.pop(id, None)
            if error is not None:
                failed = EffectFailed(type(error).__name__)
                failed.__cause__ = error
                answer = Thrown(failed)
            self._step(conversation, conversation.settle(position, answer, self))
            self._pump()
        self._settle()

    def handle_timeout(self, now: Now) -> None:
        """Some deadline may have passed.  A call that comes early does nothing."""
        self._begin(now)
        if self.sleepers:
            self.ticking = True
            for conversation in tuple(self.sleepers):
                if conversation.wake_at <= now.mono:
                    self._retry(conversation)
            self.ticking = False
        self._expire()
        self._pump()
        self._settle()

    def lost(self, now: Now) -> None:
        """The socket is gone: nothing can be written any more."""
        self._begin(now)
        self._unsent = 0
        self._shut()
        self._settle()

    def shutdown(self, grace: float, now: Now) -> None:
        """Finish what is in hand within `grace` seconds, then close; take nothing new."""
        self._begin(now)
        self._grace_at = min(self._grace_at, now.mono + grace)
        if self.state == "open":
            for conversation in tuple(self._conversations.values()):
                if conversation.socket is not None:
                    conversation.socket.close(1001, "")
                    self.flush_websocket(conversation)
                    conversation.inbox.append(LOST)
                    self._retry(conversation)
            if self.wire.goodbye():
                self.hang_up()
            self._pump()
        self._settle()

    # ---- outputs -------------------------------------------------------------

    def poll(self) -> Output | None:
        """The next thing to do, or None when all is said."""
        if self._out:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            if self._ingress is not None:
                data = self._ingress.encrypt(data)
            return self._send(data)
        if self._outputs:
            return self._outputs.popleft()
        if self._closes and not self._unsent:
            return self._next_close()
        return None

    def _send(self, data: bytes) -> Send:
        if not self._unsent:
            self._write_mark = self.now.mono
        self._unsent += len(data)
        return Send(data)

    def _next_close(self) -> Output:
        """Half first, so that the last answer survives bytes that are still under way to us."""
        half = self._closes == "staged" and not self._eof
        if half:
            self._closes = ""
            farewell = self._ingress.farewell() if self._ingress is not None else b""
            if farewell:
                self._outputs.append(Close(half=True))
            self.state = "lingering"
            self._mark = self.now.mono
            self._drained = 0
            self._settle()
            return self._send(farewell) if farewell else Close(half=True)
        self._closes = ""
        self._shut()
        self._settle()
        return Close(half=False)

    @property
    def backlog(self) -> int:
        """Bytes written and not yet taken by the socket."""
        return self._unsent + (sum(map(len, self._out)) if self._out else 0)

    @property
    def wants_read(self) -> bool:
        """Whether the socket may be read; False is back-pressure."""
        if self.state == "open":
            return self._unsent <= self.limits.high_water and self.wire.held <= self.limits.input_bytes
        return self.state == "lingering" and not self._eof

    @property
    def finished(self) -> bool:
        """Closed, and nothing cleans up any more: the server may forget it."""
        return self.state == "closed" and not self._conversations

    @property
    def streams(self) -> int:
        """How many exchanges are in hand."""
        return len(self._conversations)

    def conversations(self) -> list[Conversation]:
        """The exchanges in hand, for those who look on."""
        return list(self._conversations.values())

    # ---- reading -------------------------------------------------------------

    def _begin(self, now: Now) -> None:
        self.now = now
        self.budget = self.limits.events_per_turn
        self.unfinished = False

    def _receive(self, data: bytes) -> None:
        ingress = self._ingress
        if ingress is not None:
            try:
                plain = ingress.receive(data)
            except Unwelcome:
                self._write_pending(ingress)
                self.hang_up(abort=True)
                return
            self._write_pending(ingress)
            if ingress.wire is not None and ingress.wire is not self.wire:
                self._speak(ingress)
            if plain is None:
                return
            data = plain
        if not self.wire.held and not self._conversations:
            self._mark = self.now.mono
        elif self._conversations:
            self._mark = self.now.mono  # progress of a body
        self.wire.receive(data)

    def _speak(self, ingress: Ingress) -> None:
        assert ingress.wire is not None
        self.wire = ingress.wire
        self.secure = ingress.secure
        if ingress.peer is not None:
            self.server.renamed(self, ingress.peer)
        if ingress.plain:
            self._ingress = None

    def _write_pending(self, ingress: Ingress) -> None:
        data = ingress.pending()
        if data:
            self._outputs.append(self._send(data))

    def _pump(self) -> None:
        """Take events until none is left, output backs up, or the turn is over."""
        wire = self.wire
        wire.at(self.now.mono)
        while self.state == "open":
            self._collect()
            if self.backlog > self.limits.high_water:
                break
            if self.budget <= 0:
                self.unfinished = True
                break
            event = wire.next_event()
            if event is None:
                break
            self.budget -= 1
            self._handlers[type(event)](self, event)
        for conversation in tuple(self._conversations.values()):
            if conversation.socket is not None:
                self._read_items(conversation)
            self._flush(conversation)
            if conversation.asks:
                self._retry(conversation)
        self._collect()

    def _collect(self) -> None:
        out = self.wire.out
        if out:
            self._out += out
            out.clear()

    # ---- wire events ---------------------------------------------------------

    def _started(self, event: events.Started) -> None:
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
        except Exception as error:
            self._note_failure(conversation, error)
            routine = SERVER_ERROR
        self.server.started(self.listener, exchange)
        if exchange.refusal is not None:
            self._outputs.append(Note(exchange.refusal))
        if isinstance(routine, Response):
            self._answer(conversation, routine)
        else:
            conversation.routine = routine
            self._step(conversation, None)

    def _arrived(self, event: events.Arrived) -> None:
        conversation = self._conversations.get(event.stream)
        if conversation is None:
            if self._drained >= 0:
                self._drain(event.stream)
        elif conversation.socket is not None:
            self._read_items(conversation)
        elif conversation.asks:
            self._retry(conversation)

    def _reset(self, event: events.Reset) -> None:
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
        if rest:
            self.wire.send(event.stream, rest)
            self.wire.end(event.stream)
        record = AccessRecord(
            self.now.wall, 0.0, self.listener.name, self.peer, "", "unknown", event.response.status, "", "", 0
        )
        self._note_access(record)
        if not self.wire.recycle(event.stream):
            self.hang_up()

    def _writable(self, event: events.Writable) -> None:
        for conversation in tuple(self._conversations.values()):
            self._flush(conversation)
            if conversation.asks:
                self._retry(conversation)

    def _finished(self, event: events.Finished) -> None:
        for conversation in tuple(self._conversations.values()):
            self._abandon(conversation)
        self.hang_up(abort=event.abort)

    _handlers: ClassVar[dict[type, Any]] = {
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
            result = refused.response
        except ClientGone:
            result = None
        except UnsafeField as error:
            self._failed(conversation, error)
            return
        except Exception as error:
            self._failed(conversation, error)
            return
        if result is not PARKED:
            self._returned(conversation, result)

    def _retry(self, conversation: Conversation) -> None:
        answer = conversation.retry(self)
        if answer is not PARKED:
            self._step(conversation, answer)

    def _returned(self, conversation: Conversation, result: Any) -> None:
        conversation.routine = None
        if conversation.gone:
            self._forget(conversation)
        elif isinstance(result, Response) and not conversation.started:
            self._answer(conversation, result)
        elif conversation.socket is not None:
            self._end_websocket(conversation)
        elif conversation.started:
            self._end(conversation)
        else:
            self._failed(conversation, TypeError("a handler returned no response"))

    def _failed(self, conversation: Conversation, error: BaseException) -> None:
        """A bug: everything to the log, nothing to the client (never a second head)."""
        self.withdraw(conversation)
        conversation.routine = None
        self._note_failure(conversation, error)
        if conversation.gone:
            self._forget(conversation)
        elif not conversation.started:
            self._answer(conversation, SERVER_ERROR)
        elif conversation.socket is not None:
            conversation.socket.close(1011, "")
            self._end_websocket(conversation)
        else:
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
        self.sleepers.discard(conversation)
        self.withdraw(conversation)
        self._step(conversation, Thrown(ClientGone()))

    def perform(self, conversation: Conversation, effect: Effect[Any], position: int) -> None:
        """Hand an effect to the host, for the ask at `position`."""
        self._next_id += 1
        self._performing[self._next_id] = (conversation, position)
        conversation.performing[self._next_id] = effect
        self._outputs.append(Perform(self._next_id, effect))

    def withdraw(self, conversation: Conversation) -> None:
        """Take back every effect and sleep of `conversation` that is under way."""
        for id, effect in conversation.performing.items():
            del self._performing[id]
            self._outputs.append(Cancel(id, effect))
        conversation.performing.clear()
        self.sleepers.discard(conversation)
        conversation.wake_at = inf

    # ---- answering -----------------------------------------------------------

    def _answer(self, conversation: Conversation, response: Response) -> None:
        """Write a response: whole, or its head and then what its producer sends."""
        response = conversation.exchange.dress(response)
        body = response.body
        date = self.server.date(self)
        try:
            if isinstance(body, bytes):
                rest = self.wire.respond(conversation.stream, response.status, response.fields, body, date)
                conversation.sent = len(body)
            else:
                self.wire.start(conversation.stream, response.status, response.fields, date)
                rest = b""
        except UnsafeField as error:
            self._note_failure(conversation, error)
            self._answer(conversation, SERVER_ERROR)
            return
        self._head_written(conversation, response.status)
        if isinstance(body, bytes):
            conversation.pending = rest
            conversation.unended = bool(rest)
            conversation.ending = True
            self._flush(conversation)
        elif conversation.exchange.request.method == "HEAD":
            conversation.ending = True
            self._flush(conversation)
        else:
            conversation.unended = True
            conversation.routine = body()
            self._step(conversation, None)

    def _head_written(self, conversation: Conversation, status: int) -> None:
        conversation.started = True
        conversation.status = status
        conversation.head_at = self.now.mono
        self.server.answered(self.listener, conversation.exchange, status, self.now)

    def write(self, conversation: Conversation, data: bytes) -> None:
        """Append to a streamed body or an upgraded stream, as far as the window allows."""
        conversation.sent += len(data)
        conversation.pending = conversation.pending + data if conversation.pending else data
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
            self.wire.send(conversation.stream, piece)
        if conversation.ending:
            if conversation.unended:
                self.wire.end(conversation.stream)
            self._complete(conversation)

    def _end(self, conversation: Conversation) -> None:
        conversation.ending = True
        self._flush(conversation)

    def _complete(self, conversation: Conversation) -> None:
        """The answer is written: get ready for the next request, or close."""
        self._forget(conversation)
        if self.wire.body_left != 0 and not self.wire.eof:
            self._drained = 0
            self._drain(conversation.stream)
        else:
            self._recycle(conversation.stream)

    def _recycle(self, stream: int) -> None:
        self._drained = -1
        self._mark = self.now.mono
        if not self.wire.recycle(stream):
            self.hang_up()

    def _drain(self, stream: int) -> None:
        """Read what is left of a body that nobody wanted, within bounds (listeners L4.1)."""
        try:
            while True:
                data, ended = self.wire.take_body(stream)
                self._drained += len(data)
                if ended or not data:
                    break
        except BrokenBody:
            self.hang_up()
            return
        if ended:
            self._recycle(stream)
        elif self._drained > self.limits.unread_body_bytes or self._grace_at < inf:
            self.hang_up()

    def _forget(self, conversation: Conversation) -> None:
        """The exchange is over: one access record, whatever became of it."""
        conversation.routine = None
        self.sleepers.discard(conversation)
        if self._conversations.pop(conversation.stream, None) is None:
            return
        exchange = conversation.exchange
        request = exchange.request
        if not conversation.started:
            self.server.dropped(self.listener, exchange)
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

    def _note_access(self, record: AccessRecord) -> None:
        self.server.recent.append(record)
        if self.server.notes_access:
            self._outputs.append(Note(record))

    def _note_failure(self, conversation: Conversation, error: BaseException) -> None:
        self._outputs.append(Note(Failure(conversation.exchange.label, error)))

    # ---- WebSocket -----------------------------------------------------------

    def accept_websocket(self, conversation: Conversation, fields: Fields, limit: int) -> None:
        """Answer the handshake; the stream's bytes are frames from here on."""
        from .wire.ws import WebSocket  # wsproto is imported when the first one comes

        fields = conversation.exchange.dress(Response(101, fields)).fields
        self.wire.upgrade(conversation.stream, fields, self.server.date(self))
        conversation.socket = WebSocket(limit=limit, overhead=self.limits.message_overhead_bytes)
        conversation.unended = True
        self._head_written(conversation, 200 if conversation.exchange.request.head.version == "2" else 101)

    def _read_items(self, conversation: Conversation) -> None:
        """Take messages while the routine can use them; it reads ahead, but not past an unsent reply."""
        socket = conversation.socket
        assert socket is not None
        while not conversation.gone and not socket.over and self._may_read(conversation):
            data, ended = self.wire.take_body(conversation.stream)
            if data:
                socket.receive(data)
            item, count = socket.next_item(self.budget)
            self.budget -= count
            if item is not None:
                conversation.inbox.append(item)
                self._retry(conversation)
                continue
            self.flush_websocket(conversation)
            if count and self.budget <= 0:
                self.unfinished = True
            elif ended and not data:
                self._leave_websocket(conversation)
            elif data:
                continue
            return
        if not socket.over and self.budget <= 0:
            self.unfinished = True

    def _may_read(self, conversation: Conversation) -> bool:
        return (
            self.budget > 0
            and not conversation.pending
            and self.backlog <= self.limits.high_water
            and len(conversation.inbox) < self.limits.waiting_messages
        )

    def _leave_websocket(self, conversation: Conversation) -> None:
        """EOF without a Close: a routine that listens is told, another one is interrupted."""
        conversation.inbox.append(LOST)
        self._retry(conversation)
        self._abandon(conversation)
        self.hang_up(abort=True)

    def take_item(self, conversation: Conversation) -> Any:
        """The next item of the inbox for a routine; a close is answered when it is taken."""
        item: Item = conversation.inbox.popleft()
        if isinstance(item, (str, bytes)):
            return item
        socket = conversation.socket
        assert socket is not None
        closed = socket.answer_close(item)
        self.flush_websocket(conversation)
        return closed

    def flush_websocket(self, conversation: Conversation) -> None:
        """Hand frames that were made to the stream."""
        socket = conversation.socket
        assert socket is not None
        if socket.out:
            data = b"".join(socket.out)
            socket.out.clear()
            if not conversation.gone:
                self.write(conversation, data)

    def _end_websocket(self, conversation: Conversation) -> None:
        """The routine is done: Close if nobody said it yet, then the end of the stream."""
        assert conversation.socket is not None
        conversation.socket.close(1000, "")
        self.flush_websocket(conversation)
        self._end(conversation)

    # ---- closing -------------------------------------------------------------

    def hang_up(self, *, abort: bool = False) -> None:
        """End the connection once all is written: in stages, or at once."""
        if self.state != "open":
            return
        self._collect()
        self.state = "closing"
        self._closes = "abort" if abort else "staged"

    def _linger(self, data: bytes) -> None:
        self._drained += len(data)
        if not data or self._drained > self.limits.unread_body_bytes:
            self._closes = "abort"

    def _shut(self) -> None:
        self.state = "closed"
        self._out.clear()
        self._closes = ""
        for conversation in tuple(self._conversations.values()):
            self._abandon(conversation)

    # ---- deadlines -----------------------------------------------------------

    def _settle(self) -> None:
        """Work out the deadline after an input; the server arms it."""
        if self.unfinished:
            deadline = self.now.mono
        else:
            deadline = min(self._phase_deadline(), self._grace_at if self.state != "closed" else inf)
            if self._unsent or (self._conversations and self._held_back()):
                deadline = min(deadline, self._write_mark + self.limits.write_progress)
            for conversation in self.sleepers:
                deadline = min(deadline, conversation.wake_at)
            if self.state == "closed":
                for conversation in self._conversations.values():
                    deadline = min(deadline, conversation.cleanup_at)
        self.deadline = deadline
        if deadline < self.armed:
            self.server.arm(self)
        elif self.state == "closed" and not self._conversations:
            self.server.forget(self)

    def _held_back(self) -> bool:
        return any(conversation.pending for conversation in self._conversations.values())

    def _phase_deadline(self) -> float:
        """When the current phase has taken too long."""
        limits = self.limits
        if self.state == "open":
            if self.wire is self.listener.no_wire:
                ingress = self._ingress
                if ingress is not None and ingress.awaits_proxy:
                    return self.since.mono + limits.proxy_header
                if ingress is not None and ingress.handshaking:
                    return self.since.mono + limits.tls_handshake
                return self.since.mono + limits.keep_alive
            if self._conversations:
                return self._mark + limits.body_progress if self._awaits_body() else inf
            if self._drained >= 0:
                return self._mark + limits.body_progress
            return self._mark + (limits.request_head if self.wire.held else limits.keep_alive)
        return self._mark + limits.linger if self.state == "lingering" else inf

    def _awaits_body(self) -> bool:
        from .http.request import ReadBody

        return any(
            isinstance(ask, ReadBody) for conversation in self._conversations.values() for ask in conversation.asks
        )

    def _expire(self) -> None:
        """Act on whatever deadline has really passed."""
        mono = self.now.mono
        for conversation in tuple(self._conversations.values()):
            if mono >= conversation.cleanup_at:
                self._give_up(conversation)
        stalled = self._unsent or self._held_back()
        if self.state != "closed" and (
            mono >= self._grace_at or (stalled and mono >= self._write_mark + self.limits.write_progress)
        ):
            self._unsent = 0
            self._closes = "abort"
            self.state = "closing" if self.state == "open" else self.state
            self._out.clear()
        elif mono >= self._phase_deadline():
            self._expire_phase()

    def _expire_phase(self) -> None:
        if self.state == "lingering":
            self._closes = "abort"
        elif self.wire is self.listener.no_wire or self._drained >= 0:
            self.hang_up(abort=True)
        elif self._conversations:
            for conversation in tuple(self._conversations.values()):
                self._step(conversation, Thrown(RefusedAnswer(phrase(408))))
            self.wire.goodbye()
        else:
            event = self.wire.refuse_late()
            if event is not None:
                self._handlers[type(event)](self, event)

    def _give_up(self, conversation: Conversation) -> None:
        """A cleanup that does not end: drop the routine and say so."""
        self.withdraw(conversation)
        routine, conversation.routine = conversation.routine, None
        try:
            if routine is not None:
                routine.close()
        except RuntimeError as error:
            self._note_failure(conversation, error)
        self._forget(conversation)


__all__ = ["BAD_REQUEST", "Connection"]
