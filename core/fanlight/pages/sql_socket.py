"""`/api/experimental/sql`: a WebSocket that is one SQL session.

The handshake was checked before; here the first message says who is there,
then requests are answered one after another, each ended by one `ReadyForQuery`.
While a statement runs its client is attended to: one that closes or leaves
stops it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..asks import LimitTime, Race, Sleep, TimeUp
from ..auth.audit import report_admission
from ..auth.chain import Rejected
from ..auth.decisions import refusal_of
from ..auth.identity import Identity
from ..http.response import Refused, text
from ..http.websocket import (
    AcceptWebSocket,
    Attend,
    CloseWebSocket,
    Enlist,
    HasLeft,
    NextMessage,
    PeerClosed,
    SendTexts,
    Vouch,
)
from ..observe.records import Report
from ..sql import frames
from ..sql.batch import request_in, run_request
from ..sql.effects import SessionRefused, SqlSession
from ..sql.errors import IDLE_IN_TRANSACTION, SqlError
from ..sql.opening import read_opening
from ..sql.request import WRONG_SHAPE, SqlRequest
from ..sql.session import Session
from ..sql.subscribe import PING_SECONDS, Subscriber
from ..sql.variables import Variables
from .sql import end_session, system_of, try_session, variables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..http.request import Request
    from ..http.websocket import Message
    from ..sql.opening import Opening

CROWDED = text(429, "too many requests, try again later")
UNAUTHORIZED = "unauthorized"
NO_MESSAGE = Rejected("no first message")
PROTOCOL_ERROR = 1002


async def sql_socket(request: Request) -> None:
    """Serve one socket to its end.  Raises `Refused` while too many wait for their first message."""
    options = await _admitted(request)
    if options is None:
        return
    opened = await try_session(request)
    if opened is None or isinstance(opened, SessionRefused):
        reason = "adapter client missing" if opened is None else opened.error.message
        await CloseWebSocket(PROTOCOL_ERROR, reason)
        return
    try:
        await _serve(request, opened, options)
    finally:
        await end_session(opened)


async def _admitted(request: Request) -> Mapping[str, str] | None:
    """Let the client in and hear who it is; the session's settings, or None once it is refused or gone."""
    lobby = request.listener.lobby
    if not lobby.enter(request.peer):
        raise Refused(CROWDED)
    try:
        await AcceptWebSocket(request.server.limits.first_message_bytes)
        opening = await _first_message(request)
    finally:
        lobby.leave(request.peer)
    if isinstance(opening, PeerClosed):
        if opening.fault:  # too long, say: refused like any other
            await Report(refusal_of(request, NO_MESSAGE, "WebSocket", "debug"))
        return None
    identity = await _proved(request, opening)
    if opening is None or isinstance(identity, Rejected):
        if isinstance(identity, Rejected):
            await Report(refusal_of(request, identity, "WebSocket", "debug"))
        await CloseWebSocket(PROTOCOL_ERROR, UNAUTHORIZED)
        return None
    return opening.options


async def _proved(request: Request, opening: Opening | None) -> Identity | Rejected:
    """Who the first message is from; finding that out has a time of its own, so that nobody holds a socket open."""
    if opening is None:
        return NO_MESSAGE
    await LimitTime(request.server.limits.verification)
    try:
        identity = await request.listener.gates.admit(request, opening.credentials)
    except TimeUp:
        return Rejected("verification took too long")
    await LimitTime(None)
    if isinstance(identity, Identity):
        request.identity = identity
        if not await Vouch():
            request.identity = None
            return Rejected("session expired", user=identity.user)
        await report_admission(request, identity, "WebSocket")
    return identity


async def _first_message(request: Request) -> Opening | PeerClosed | None:
    """The first message, read; None when it is none, or does not come in time."""
    limits = request.server.limits
    bytes_, fragments = limits.first_message_bytes, limits.first_message_fragments
    message = NextMessage(bytes_, fragments, alone=True, refusal=UNAUTHORIZED)
    late, received = await Race((message, Sleep(limits.first_message)))
    if late or isinstance(received, PeerClosed):
        return None if late else received
    return read_opening(received)


async def _serve(request: Request, handle: SqlSession, options: Mapping[str, str]) -> None:
    """Greet, and answer requests until the client leaves."""
    await Enlist(handle.number)
    app = request.server.app
    session = Session(handle, Variables(variables_of(request)), app.sql_result_bytes, Attend(PING_SECONDS))
    session.system = system_of(request)
    sink = frames.SocketSink(session.take_notices)
    server = request.server
    session.subscriber = Subscriber(session, sink, server.feeds, server.limits, app.sql_poll_seconds)
    await session.start(tuple(options.items()))
    secret = int.from_bytes(request.server.entropy.token(4))
    await SendTexts(_greeting(session, secret))
    limit = request.server.limits.message_bytes
    while not isinstance(message := await _next(session, limit), PeerClosed):
        await _answer(session, message, sink)
        if await HasLeft():
            # What waits before a Close would be answered to nobody.
            while not isinstance(await NextMessage(), PeerClosed):
                pass
            return


def _greeting(session: Session, secret: int) -> list[bytes]:
    parameters = [frames.parameter_status(*each) for each in session.variables.reported().items()]
    key = frames.backend_key(session.handle.number, secret)
    notices = map(frames.notice, session.take_notices())
    return [*parameters, key, frames.ready(session.status), *notices]


async def _next(session: Session, limit: int) -> Message | PeerClosed:
    """The next message; a transaction block that is idle for too long is rolled back meanwhile.

    Whoever sends something after that is told so, and that is the end.
    """
    micros = session.variables.micros("idle_in_transaction_session_timeout") if session.status != "I" else 0
    if not micros:
        return await NextMessage(limit)
    late, message = await Race((NextMessage(limit), Sleep(micros / 1e6)))
    if not late:
        received: Message | PeerClosed = message
        return received
    await session.roll_back()
    last = await NextMessage(limit)
    if isinstance(last, PeerClosed):
        return last
    await SendTexts([frames.failure(IDLE_IN_TRANSACTION)])
    await CloseWebSocket(1000)
    return PeerClosed(1000)


async def _answer(session: Session, message: Message, sink: frames.SocketSink) -> None:
    """Answer one request, or say why it is none; neither ends the session."""
    body = await _read(message)
    refused = body if isinstance(body, str) else await run_request(session, body, sink, streams=True)
    end = [frames.ready(session.status)]
    notices = map(frames.notice, session.take_notices())
    await SendTexts([*([frames.failure(SqlError(refused, "XX000"))] if refused is not None else ()), *notices, *end])


async def _read(message: Message) -> SqlRequest | str:
    """The request in a message, or what is wrong with it."""
    read = await request_in(message)
    return WRONG_SHAPE if read is None else read
