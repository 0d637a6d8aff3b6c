"""The ops: what a connection answers out of its own state, one function for each.

Each function takes the connection, the conversation and the op, and returns the
answer, `PARKED`, or a `Thrown`.  `OPENS` starts an op, `ATTEMPTS` tries an open
one again after something has moved.  For a conversation whose client is gone
every op ends at once, so that its cleanup can run.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, inf
from typing import TYPE_CHECKING, Any

from ..asks import ClientGone, LimitTime, Moment, Sleep
from ..auth.session_table import IDLE_SECONDS
from ..background import Begin
from ..health.latch import Await
from ..http.request import ReadBody, TakeBody
from ..http.response import Refused, Response, SendBody
from ..http.websocket import (
    AcceptWebSocket,
    Attend,
    CloseWebSocket,
    Enlist,
    HasLeft,
    NextMessage,
    OpenTunnel,
    PeerClosed,
    SendMessage,
    SendTexts,
    StopWork,
    Vouch,
    Watch,
    handshake,
)
from ..observe.records import Report
from ..routine import PARKED, Attempt, Conversation, Thrown
from ..wire.body import BrokenBody
from ..wire.head import BAD_REQUEST

if TYPE_CHECKING:
    from .connection import Connection

LOST = PeerClosed(1006)
_EVENT_BYTES = 16 * 1024  # so much of a streamed body is as much work as one event
_TOGETHER = 0.1  # seconds
_EVENT_TEXTS = 16  # and so are so many short messages


def _misplaced(op: object) -> Thrown:
    """An op where it can mean nothing, such as a body before its head: a bug of the handler's."""
    return Thrown(RuntimeError(f"{type(op).__name__} has no place here"))


def _sleep(connection: Connection, conversation: Conversation, op: Sleep) -> Any:
    """Note when to wake; a cleanup does not sleep."""
    if conversation.gone and op.seconds:
        return None
    conversation.wake_at = min(conversation.wake_at, connection.now.mono + op.seconds)  # the shortest of a race
    return PARKED


def _wake(connection: Connection, conversation: Conversation, op: Sleep) -> Any:
    """Answer a sleep whose time has come."""
    # Only a timeout wakes, so that a sleep of nothing really gives the host's loop a turn.
    if not connection.ticking or connection.now.mono < conversation.wake_at:
        return PARKED
    if op.seconds > min(ask.seconds for ask in conversation.asks if type(ask) is Sleep):
        return PARKED
    conversation.wake_at = inf
    return None


def _open_body(connection: Connection, conversation: Conversation, op: ReadBody) -> Any:
    """The client's time runs only while somebody waits for its bytes."""
    conversation.come = 0
    conversation.read_by = connection.now.mono + connection.limits.body_progress
    return _read_body(connection, conversation, op)


def _read_body(connection: Connection, conversation: Conversation, op: ReadBody) -> Any:
    """The whole body, or `PARKED` with a deadline for what is still to come."""
    before = conversation.body_size
    answer = _collect_body(connection, conversation, op)
    if answer is not PARKED:
        conversation.read_by = inf
        return answer
    conversation.come += conversation.body_size - before
    if conversation.come >= connection.limits.progress_bytes:
        conversation.come = 0
        conversation.read_by = connection.now.mono + connection.limits.body_progress
    return PARKED


def _collect_body(connection: Connection, conversation: Conversation, op: ReadBody) -> Any:
    """Collect what has arrived, a bounded piece for each event; None as soon as it is known to be too much."""
    if conversation.gone:
        return Thrown(ClientGone())
    if conversation.socket is not None:
        return _misplaced(op)
    length = conversation.exchange.request.head.length
    if length is not None and length > op.limit:
        return None
    try:
        data, ended = connection.wire.take_body(conversation.stream)
    except BrokenBody:
        return Thrown(Refused(BAD_REQUEST))
    conversation.body_size += len(data)
    if conversation.body_size > op.limit:
        conversation.body = None
        return None
    if ended and conversation.body is None:
        return data
    if conversation.body is None:
        conversation.body = bytearray()
    conversation.body += data  # not a list of pieces: two bytes a segment would weigh twenty times as much
    if not ended:
        return PARKED
    body, conversation.body = bytes(conversation.body), None
    return body


def _open_piece(connection: Connection, conversation: Conversation, op: TakeBody) -> Any:
    """The client's time for a body runs while somebody waits for it; a tunnel may be silent.

    Small pieces do not begin it anew, or a byte now and then would hold a
    routine for ever.
    """
    if op.limit is not None:
        left = min(conversation.patience, connection.limits.body_progress)
        conversation.read_by = connection.now.mono + left
    return _take_piece(connection, conversation, op)


def _take_piece(connection: Connection, conversation: Conversation, op: TakeBody) -> Any:
    """Whatever has arrived, or `PARKED`."""
    if conversation.gone:
        return Thrown(ClientGone())
    if conversation.socket is not None or (op.limit is None) is not conversation.started:
        return _misplaced(op)
    length = conversation.exchange.request.head.length
    if op.limit is not None and length is not None and length > op.limit:
        return None
    try:
        data, ended = connection.wire.take_body(conversation.stream)
    except BrokenBody:
        return b"" if op.limit is None else Thrown(Refused(BAD_REQUEST))
    conversation.body_size += len(data)
    if op.limit is not None and conversation.body_size > op.limit:
        return None
    if not data and not ended:
        return PARKED
    conversation.come += len(data)
    conversation.patience = conversation.read_by - connection.now.mono
    if conversation.come >= connection.limits.progress_bytes:
        conversation.come, conversation.patience = 0, inf
    conversation.read_by = inf
    return data


def _send_body(connection: Connection, conversation: Conversation, op: SendBody) -> Any:
    """Write a piece of a streamed body, and go on when there is room for the next."""
    if conversation.gone:
        return None
    if not conversation.started or conversation.socket is not None:
        return _misplaced(op)
    if conversation.owed is not None and conversation.sent + len(op.data) > conversation.owed:
        return Thrown(ValueError("more than the content-length"))  # it would pass for the next answer
    if op.data:
        connection.budget -= 1 + len(op.data) // _EVENT_BYTES
        connection.write(conversation, op.data)
    return _room(connection, conversation, op)


def _room(connection: Connection, conversation: Conversation, op: object) -> Any:
    """Resume when neither the peer's window nor the socket holds anything back, and the turn is not over.

    A socket that takes everything would otherwise keep its routine running for
    as long as the kernel has buffers.
    """
    if conversation.gone:
        return None
    if conversation.pending or connection.backlog > connection.limits.high_water:
        return PARKED
    if connection.budget <= 0:
        connection.unfinished = True
        return PARKED
    return None


def _accept(connection: Connection, conversation: Conversation, op: AcceptWebSocket) -> Any:
    """Check the handshake and answer it; a refusal is raised where the routine accepts."""
    if conversation.gone:
        return Thrown(ClientGone())
    if conversation.started:
        return _misplaced(op)
    fields = handshake(conversation.exchange.request.head)
    if isinstance(fields, Response):
        return Thrown(Refused(fields))
    connection.accept_websocket(conversation, fields + op.fields, op.limit)
    return None


def _open_tunnel(connection: Connection, conversation: Conversation, op: OpenTunnel) -> Any:
    """Answer the handshake; there is no parser from here on."""
    if conversation.gone:
        return Thrown(ClientGone())
    if conversation.started:
        return _misplaced(op)
    connection.open_tunnel(conversation, op.fields)
    return None


def _open_next(connection: Connection, conversation: Conversation, op: NextMessage) -> Any:
    """Set the bounds for the messages to come, then take the next one."""
    if conversation.socket is None:
        return LOST if conversation.gone else _misplaced(op)
    conversation.alone = op.alone
    if op.limit is not None:
        conversation.socket.bound(op.limit, op.fragments, op.refusal)
    return _next(connection, conversation, op)


def _next(connection: Connection, conversation: Conversation, op: NextMessage) -> Any:
    """The oldest item of the inbox, if there is one."""
    if conversation.inbox:
        conversation.stopped = False  # whoever asked for that meant what came before
        conversation.spoke_at, conversation.next_beat = connection.now.mono, 0.0
        return connection.take_item(conversation)
    over = conversation.gone or (conversation.socket is not None and conversation.socket.closing)
    return LOST if over else PARKED  # after a Close nothing is waited for: the peer may never answer it


def _send_message(connection: Connection, conversation: Conversation, op: SendMessage) -> Any:
    """Write one message; after a Close it is dropped (RFC 6455 5.5.1)."""
    if conversation.gone:
        return None
    if conversation.socket is None:
        return _misplaced(op)
    conversation.socket.send(op.data)
    connection.flush_websocket(conversation)
    return _room(connection, conversation, op)


def _send_texts(connection: Connection, conversation: Conversation, op: SendTexts) -> Any:
    """Write messages; what they cost counts, so that many rows leave the host's loop its turn."""
    if conversation.gone:
        return None
    if conversation.socket is None:
        return _misplaced(op)
    connection.budget -= 1 + len(op.texts) // _EVENT_TEXTS
    conversation.spoke_at, conversation.next_beat = connection.now.mono, 0.0
    conversation.socket.send_texts(op.texts)
    connection.flush_websocket(conversation)
    return _room(connection, conversation, op)


def _attend(connection: Connection, conversation: Conversation, op: Attend) -> Any:
    """Wait beside the work that this is raced with."""
    conversation.beat_at = max(conversation.spoke_at + op.every, conversation.next_beat)
    return _attended(connection, conversation, op)


def _attended(connection: Connection, conversation: Conversation, op: Attend | Watch) -> Any:
    """Why the work should stop; else a Ping when one is due."""
    answer = "left" if conversation.gone or conversation.left else "stop" if conversation.stopped else None
    if answer is not None:
        conversation.beat_at = inf
        return answer
    if connection.ticking and connection.now.mono >= conversation.beat_at:
        now = connection.now.mono
        gap = op.every if op.gap is None else max(op.every, op.gap())
        # Long silences end together, by the clock: a thousand wake-ups cost more than a thousand Pings.
        beat = now + gap if gap < _TOGETHER * 8 else floor((now + gap) / _TOGETHER) * _TOGETHER
        conversation.next_beat = conversation.beat_at = beat
        if conversation.socket is not None:
            conversation.socket.ping(b"")
            connection.flush_websocket(conversation)
    return PARKED


def _watch(connection: Connection, conversation: Conversation, op: Watch) -> Any:
    """Wait for a signal, which may come from the work of another connection."""
    conversation.beat_at = max(conversation.spoke_at + op.every, conversation.next_beat)
    conversation.wake_at = op.signal.at
    answer = _watched(connection, conversation, op)
    if answer is PARKED:
        op.signal.arm = lambda at: connection.rouse(conversation, at)
    return answer


def _watched(connection: Connection, conversation: Conversation, op: Watch) -> Any:
    """Whether the peer has left, or the moment has come."""
    due = connection.now.mono >= op.signal.at and not (conversation.gone or conversation.left or conversation.stopped)
    answer = "signal" if due else _attended(connection, conversation, op)
    if answer is not PARKED:
        op.signal.arm = None
        conversation.wake_at = conversation.beat_at = inf
    return answer


def _has_left(connection: Connection, conversation: Conversation, op: HasLeft) -> Any:
    """Whether the end of the messages has come already."""
    return conversation.gone or conversation.left


def _await(connection: Connection, conversation: Conversation, op: Await) -> Any:
    """Wait at a latch; it remembers the connection, which is to be woken."""
    if op.latch.is_open:
        return None
    if conversation.gone:
        return Thrown(ClientGone())
    op.latch.waiting[conversation] = connection
    return PARKED


def _moment(connection: Connection, conversation: Conversation, op: Moment) -> Any:
    """What the host said with the latest input."""
    return connection.now


def _limit_time(connection: Connection, conversation: Conversation, op: LimitTime) -> Any:
    """Note when the time is up; a cleanup has a limit of its own."""
    conversation.ends_at = inf if op.seconds is None else connection.now.mono + op.seconds
    return None


def _vouch(connection: Connection, conversation: Conversation, op: Vouch) -> Any:
    """Remember who this socket rests on; an identity without a proof rests on nothing that could end."""
    identity = conversation.exchange.request.identity
    proof = identity.proof if identity is not None else None
    if identity is None or proof is None or conversation.gone:
        return identity is not None
    if not connection.server.holds(connection.listener, identity, proof):
        return False
    connection.server.vouched[conversation] = connection
    if proof.session is not None:  # from the handshake on, whatever is said
        conversation.ends_at = conversation.exchange.request.arrived.mono + IDLE_SECONDS
    elif proof.ends is not None:
        conversation.ends_at = connection.now.mono + max(0.0, proof.ends - connection.now.wall)
    return True


def _report(connection: Connection, conversation: Conversation, op: Report) -> Any:
    connection.note(op.record)
    return None


def _begin(connection: Connection, conversation: Conversation, op: Begin) -> Any:
    connection.server.background.begin(op.task, connection.now)
    return None


def _enlist(connection: Connection, conversation: Conversation, op: Enlist) -> Any:
    """Make the exchange known; it is forgotten with its record."""
    if conversation.gone:
        return None
    conversation.number = op.number
    connection.server.enlisted[op.number] = (connection, conversation)
    return None


def _stop_work(connection: Connection, conversation: Conversation, op: StopWork) -> Any:
    """Find the exchange, and ask it to stop if whoever asks may."""
    found = connection.server.enlisted.get(op.number)
    if found is None:
        return "unknown"
    if not _may_stop(conversation, found[1]):
        return "forbidden"
    found[0].interrupt(found[1], connection.now)
    return "stopped"


def _may_stop(conversation: Conversation, other: Conversation) -> bool:
    asking, asked = conversation.exchange.request, other.exchange.request
    if asking.listener.listener.authenticator == "None":
        return True
    if asking.identity is None or asked.identity is None:
        return False
    return asking.identity.privileged or asking.identity.user == asked.identity.user


def _close_websocket(connection: Connection, conversation: Conversation, op: CloseWebSocket) -> Any:
    """Send Close; the stream ends when the routine does."""
    if conversation.gone:
        return None
    if conversation.socket is None:
        return _misplaced(op)
    conversation.socket.close(op.code, op.reason)
    connection.flush_websocket(conversation)
    return None


OPENS: Mapping[type, Attempt] = {
    Sleep: _sleep,
    ReadBody: _open_body,
    TakeBody: _open_piece,
    SendBody: _send_body,
    AcceptWebSocket: _accept,
    OpenTunnel: _open_tunnel,
    NextMessage: _open_next,
    SendMessage: _send_message,
    SendTexts: _send_texts,
    Attend: _attend,
    Watch: _watch,
    HasLeft: _has_left,
    Await: _await,
    Moment: _moment,
    LimitTime: _limit_time,
    Vouch: _vouch,
    Report: _report,
    Begin: _begin,
    Enlist: _enlist,
    StopWork: _stop_work,
    CloseWebSocket: _close_websocket,
}

ATTEMPTS: Mapping[type, Attempt] = {
    Sleep: _wake,
    ReadBody: _read_body,
    TakeBody: _take_piece,
    SendBody: _room,
    NextMessage: _next,
    SendMessage: _room,
    SendTexts: _room,
    Attend: _attended,
    Watch: _watched,
    Await: _await,
}
