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

from math import inf
from typing import TYPE_CHECKING

from ..asks import TimeUp
from ..http.response import Refused as RefusedAnswer
from ..http.response import phrase
from ..outputs import Close, Output, Send
from ..routine import Conversation, Thrown
from .ingress import Ingress, Unwelcome
from .upgraded import Upgraded

if TYPE_CHECKING:
    from ..moment import Now
    from ..server import ListenerState, Server
    from ..wire.secure import SecureChannel


_LEAST_BUDGET = 4


class Connection(Upgraded):
    """One client of one listener.  Made by `Server.accept`.

    `deadline` is when `handle_timeout` must be called (`inf`: never);
    `wants_read` False stops the socket.
    """

    __slots__ = ("_busy", "_closes", "_eof", "_ingress", "_taken", "_write_mark", "armed", "deadline")

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
        super().__init__(server, listener, peer, now, number, proxied=proxied, secure=channel is not None)
        self.deadline = inf
        self.armed = inf
        self._ingress: Ingress | None = Ingress(listener, proxied=proxied, channel=channel)
        self._write_mark = now.mono
        self._taken = 0
        self._eof = False
        self._closes = ""
        self._busy = False

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

    def sent(self, count: int, now: Now) -> bool:
        """The socket has taken `count` bytes of what was handed out; False when nothing can have come of it."""
        if self.state == "closed":
            return False
        self.now = now  # the same turn of the host's loop as the input before: no new budget
        pressed = self._unsent > self.limits.high_water  # only then a routine or a reader may wait for room
        self._unsent = max(0, self._unsent - count)  # less is counted where it was given up
        self._taken += count
        if not self._unsent or self._taken >= self.limits.progress_bytes:
            self._write_mark = now.mono
            self._taken = 0
        if pressed or self.unfinished or self._closes or self.wire.held:
            self._pump()
            self._settle()
            return True
        # The deadline is early at most, which is a spurious timeout and harmless.
        return False

    def reply(self, number: int, answer: object, error: BaseException | None, now: Now) -> None:
        """The answer to `Perform(number, …)`, or the exception that performing it raised."""
        self.now = now
        resumed = self.underway.answered(number, answer, error)
        if resumed is not None:
            self._step(*resumed)
            self._pump()
        self._settle()

    def handle_timeout(self, now: Now) -> None:
        """Some deadline may have passed.  A call that comes early does nothing."""
        self._begin(now)
        self.ticking = True
        for conversation in tuple(self._conversations.values()):
            if min(conversation.wake_at, conversation.beat_at) <= now.mono:
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
                    self.close_websocket(conversation, 1001, "")
            if self.wire.goodbye():
                self.hang_up(abort=not self.wire.held)  # nothing is under way that a reset could destroy
            self._pump()
        self._settle()

    # ---- outputs -------------------------------------------------------------

    def poll(self) -> Output | None:
        """The next thing to do, or None when all is said."""
        if self._out:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            return self._send(data if self._ingress is None else self._ingress.encrypt(data))
        if self._ingress is not None and self._ingress.unwritten and self.state != "closed":
            return self._send(self._ingress.encrypt(b""))
        if self._outputs:
            return self._outputs.pop(0)
        if self._closes and not self._unsent:
            return self._next_close()
        return None

    def _send(self, data: bytes) -> Send:
        """Hand `data` out and count it until the socket has taken it."""
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
    def wants_read(self) -> bool:
        """Whether the socket may be read; False is back-pressure."""
        if self.state == "open":
            return self._unsent <= self.limits.high_water and self.wire.held <= self.limits.input_bytes
        return self.state == "lingering" and not self._eof

    @property
    def finished(self) -> bool:
        """Closed, and nothing cleans up any more: the server may forget it."""
        return self.state == "closed" and not self._conversations

    def interrupt(self, conversation: Conversation, now: Now) -> None:
        """Another exchange wants the work of this one to stop: it is told in a turn of its own, which is due now."""
        conversation.stopped = True
        if conversation.beat_at < inf:  # it attends
            conversation.beat_at = self.deadline = now.mono
            self.server.arm(self)

    def rouse(self, conversation: Conversation, at: float) -> None:
        """A signal that a conversation waits for was moved, perhaps by another connection: look at it then."""
        conversation.wake_at = at
        if at < self.deadline:
            self.deadline = at
            self.server.arm(self)

    def revoke(self, conversation: Conversation) -> None:
        """Nobody vouches for a socket any more: it ends in a turn of its own, which is due now."""
        conversation.ends_at = self.now.mono
        self.nudge()

    def nudge(self) -> None:
        """Something that a routine of this connection waits for has come: look again in a turn of its own, at once."""
        self.unfinished = True
        self.deadline = self.now.mono
        self.server.arm(self)

    # ---- reading -------------------------------------------------------------

    def _begin(self, now: Now) -> None:
        """A new turn of the host's loop: the time, and how much may be done in it."""
        self.now = now
        # Shared by all that are busy: many greedy peers hold the loop no longer than one.
        self.budget = max(_LEAST_BUDGET, self.limits.events_per_turn // (1 + self.server.busy))
        self.unfinished = False

    def _receive(self, data: bytes) -> None:
        """Bytes for the wire, through the ingress while there is one."""
        ingress = self._ingress
        ended = not data
        if ingress is not None:
            try:
                plain = ingress.receive(data)
            except Unwelcome:
                self._cut_off()
                return
            if ingress.peer is not None:
                peer, ingress.peer = ingress.peer, None
                if not self.server.renamed(self, peer):
                    self.hang_up(abort=True)
                    return
            if ingress.wire is not None and ingress.wire is not self.wire:
                self._speak(ingress)
            if plain is None:
                return
            data, ended = plain, ended or ingress.ended
        if not self.wire.begun and not self._conversations and self._drained < 0:
            self._mark = self.now.mono
        self.wire.receive(data)
        if data and ended:
            self.wire.receive(b"")  # the end came with these bytes, or while the ingress still kept them

    def _speak(self, ingress: Ingress) -> None:
        """The version is known: from here on bytes go to its machine."""
        assert ingress.wire is not None
        self.wire = ingress.wire
        self.secure = ingress.secure
        self.speak(self.wire.protocol)
        if ingress.plain:
            self._ingress = None

    def _pump(self) -> None:
        """Take events until none is left, output backs up, or the turn is over."""
        wire = self.wire
        wire.at(self.now.mono)
        high_water = self.limits.high_water
        while self.state == "open":
            if (self._unsent or self._out) and self.backlog > high_water:
                break
            if self.budget <= 0:
                self.unfinished = True
                break
            event = wire.next_event()
            if event is None:
                break
            self.budget -= 1
            self.handlers[type(event)](self, event)
            self._collect()
        if self._conversations:
            for conversation in tuple(self._conversations.values()):
                if conversation.socket is not None:
                    self.read_items(conversation)
                self._flush(conversation)
                if conversation.asks:
                    self._retry(conversation)
        self._collect()

    # ---- closing -------------------------------------------------------------

    def hang_up(self, *, abort: bool = False) -> None:
        """End the connection once all is written: in stages, or at once."""
        if self.state != "open":
            return
        self._collect()
        self.state = "closing"
        self._closes = "abort" if abort else "staged"

    def _cut_off(self) -> None:
        """End at once: nobody can be answered any more, and no routine may write on."""
        self.hang_up(abort=True)
        self._closes = "abort"
        for conversation in tuple(self._conversations.values()):
            self._abandon(conversation)
        self._collect()
        self._out.clear()

    def _linger(self, data: bytes) -> None:
        """Throw away what the peer still sends, within the bound for unread bodies."""
        self._drained += len(data)
        if not data or self._drained > self.limits.unread_body_bytes:
            self._closes = "abort"

    def _shut(self) -> None:
        """The end: nothing is written any more, routines may still clean up."""
        self.state = "closed"
        self.unfinished = False
        self._out.clear()
        self._closes = ""
        for conversation in tuple(self._conversations.values()):
            self._abandon(conversation)

    # ---- deadlines -----------------------------------------------------------

    def _settle(self) -> None:
        """Work out the deadline after an input; the server arms it."""
        if self.unfinished is not self._busy:
            self._busy = self.unfinished
            self.server.busy += 1 if self._busy else -1
        if self.unfinished:
            deadline = self.now.mono
        else:
            deadline = min(self._phase_deadline(), self._grace_at if self.state != "closed" else inf)
            if self._out and not self._unsent:
                self._write_mark = self.now.mono  # it is handed out next
            if self._unsent or self._out:
                deadline = min(deadline, self._write_mark + self.limits.write_progress)
            for conversation in self._conversations.values():
                timers = (conversation.cleanup_at, conversation.wake_at, conversation.beat_at, conversation.read_by)
                deadline = min(deadline, self._stalls_at(conversation), conversation.ends_at, *timers)
        self.deadline = deadline
        if deadline < self.armed:
            self.server.arm(self)
        elif self.state == "closed" and not self._conversations:
            self.server.forget(self)

    def _stalls_at(self, conversation: Conversation) -> float:
        """When a window has held the stream back for too long, whatever other streams do."""
        return conversation.moved_at + self.limits.write_progress if conversation.pending else inf

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
                return inf
            if self._drained >= 0:
                return self._mark + limits.body_progress
            return self._mark + (limits.request_head if self.wire.begun else limits.keep_alive)
        return self._mark + limits.linger if self.state == "lingering" else inf

    def _expire(self) -> None:
        """Act on whatever deadline has really passed."""
        mono = self.now.mono
        for conversation in tuple(self._conversations.values()):
            if mono >= conversation.cleanup_at:
                self._give_up(conversation)
            if mono >= conversation.read_by:
                self._refuse_body(conversation)
            if mono >= self._stalls_at(conversation):
                self.wire.reset(conversation.stream)
                self._abandon(conversation)
            if mono >= conversation.ends_at and mono < conversation.cleanup_at:
                self._end_time(conversation)
        stalled = self._unsent and mono >= self._write_mark + self.limits.write_progress
        if self.state != "closed" and (mono >= self._grace_at or stalled):
            self._unsent = 0
            self._cut_off()
        elif mono >= self._phase_deadline():
            self._expire_phase()

    def _expire_phase(self) -> None:
        """The current phase took too long: 408 where a head had begun, else a quiet end."""
        if self.state == "lingering":
            self._unsent = 0  # the farewell, if the peer takes nothing
            self._closes = "abort"
        elif self.wire is self.listener.no_wire or self._drained >= 0:
            self.hang_up(abort=True)
        else:
            event = self.wire.refuse_late()
            if event is not None:
                self.handlers[type(event)](self, event)

    def _refuse_body(self, conversation: Conversation) -> None:
        """A body that somebody waits for does not come: 408, and on HTTP/1.1 the end of the connection."""
        self.wire.take_no_more()
        self.underway.withdraw(conversation)
        self._step(conversation, Thrown(RefusedAnswer(phrase(408))))

    def _end_time(self, conversation: Conversation) -> None:
        """The time of a routine is up, or nobody vouches for its socket any more."""
        conversation.ends_at = inf
        if conversation.gone:
            return
        if conversation in self.server.vouched:
            self.close_websocket(conversation, 1008, "authentication expired")
        elif conversation.waiting:
            self.underway.withdraw(conversation)
            self._step(conversation, Thrown(TimeUp()))

    def _give_up(self, conversation: Conversation) -> None:
        """A cleanup that does not end: drop the routine and say so."""
        self.underway.withdraw(conversation)
        routine, conversation.routine = conversation.routine, None
        try:
            if routine is not None:
                routine.close()
        except Exception as error:  # noqa: BLE001  it would not end, or its end was a bug
            self._note_failure(conversation, error)
        self._forget(conversation)
