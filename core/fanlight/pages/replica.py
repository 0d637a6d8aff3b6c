"""`/api/cluster/…/replica/…/process/…/`: a worker process through its parent (operations.md section 10).

The caller is admitted here, and the worker gets a new request: what of the
caller's target follows the prefix, byte for byte, the fields that are nobody's
secret, and the body as it comes.  Where it goes is what the program registered,
and no redirect is followed.  An engine holds the connection; this process
itself is asked without one.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..asks import Race, Sleep
from ..federation.effects import NoReply
from ..federation.lines import Dial, Drain, HangUp, Offer, ReceiveHead, ReceivePiece, Replying
from ..http.forwarding import LOOP, asks_for_websocket, has_passed, receivable, sendable
from ..http.pipeline import Exchange
from ..http.request import BODY_TOO_LARGE, TakeBody
from ..http.response import Fields, Refused, Response, SendBody, empty, text
from ..http.websocket import OpenTunnel, Vouch
from ..workers import OWN
from .promsql import worker_fields
from .table import PROCESS

if TYPE_CHECKING:
    from ..config.listeners import Address
    from ..http.request import Head, Request

CONNECT_SECONDS = 5
HEAD_SECONDS = 60
"""Also how long a worker may take to accept a piece of the body."""

_SLASHES = PROCESS.count("/")
_ID = re.compile(r"[su][0-9]+")
_NUMBER = re.compile(r"[0-9]{1,20}")
_U64 = 1 << 64
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WORDS = {
    "refused": "connection refused",
    "unreachable": "nobody can be reached there",
    "crowded": "too many connections to workers",
}


@frozen
class Place:
    """One process of one replica, by the numbers."""

    cluster: str
    replica: str
    process: int

    def __str__(self) -> str:
        return f"{self.cluster}/{self.replica}/{self.process}"


async def replica(request: Request) -> Response | None:
    """Whatever the worker answers; 400 for ids that are none, 404 for a process without an address.

    502 for one that cannot be spoken to, 504 for one that is silent, 508 for a
    request that has come through here before.
    """
    place = _place(request)
    target = "/" + request.path.split("/", _SLASHES)[-1] + (f"?{request.query}" if request.query else "")
    if (place.cluster, place.replica, place.process) == (OWN, OWN, 0):
        outcome = Exchange(request).reroute(target)
        return outcome if isinstance(outcome, Response) else await outcome
    address = _address(request, place)
    if address is None:
        where = f"cluster {place.cluster}, replica {place.replica}, process {place.process}"
        return text(404, f"No HTTP address found for {where}")
    if has_passed(request):
        return LOOP
    return await _forward(request, place, address, target)


def _place(request: Request) -> Place:
    """Which process is meant; raises `Refused` with 400."""
    params = request.params
    found = []
    for name in ("cluster_id", "replica_id"):
        given = params[name]
        if not _ID.fullmatch(given) or len(given) > 255 or int(given[1:]) >= _U64:
            raise Refused(text(400, f"Invalid {name} '{given}': expected s or u and a number of 64 bits"))
        found.append(f"{given[0]}{int(given[1:])}")
    process = params["process"]
    if not _NUMBER.fullmatch(process) or int(process) >= _U64:
        raise Refused(text(400, f"Invalid process '{process}': expected a number of 64 bits"))
    return Place(found[0], found[1], int(process))


def _address(request: Request, place: Place) -> Address | None:
    """Where it listens just now."""
    known = request.server.app.workers.replica(place.cluster, place.replica)
    addresses = known.addresses() if known is not None else ()
    return addresses[place.process] if place.process < len(addresses) else None


async def _forward(request: Request, place: Place, address: Address, target: str) -> Response | None:
    """The whole way there and back over a connection of its own."""
    head = request.head
    key = _key(request) if asks_for_websocket(head) else None
    first, framing = (b"", _opening(head, key)) if key is not None else await _framed(request)
    dial = Dial(address, head.method, target, (("host", _host(address)), *_fields(request), *framing))
    try:
        answered = await _ask(request, dial, place, first)
        if isinstance(answered, Response):
            await HangUp(dial)
            return answered
        return await _hand_on(request, dial, place, answered, key)
    except BaseException:
        await HangUp(dial)
        raise


def _host(address: Address) -> str:
    """Without the port, as documented; a Unix socket has no other name."""
    if address.path is not None:
        return "localhost"
    return f"[{address.host}]" if ":" in address.host else address.host


def _fields(request: Request) -> Fields:
    """What the worker is told of the request, and of who sent it.

    Which page of which site made it was judged here, by names that the worker
    does not have: to its own rules about writes every origin would be foreign.
    """
    kept = [pair for pair in sendable(request) if pair[0] != "origin" and not pair[0].startswith("sec-fetch-")]
    ours = [("x-forwarded-proto", "https" if request.secure else "http")]
    if request.peer:
        ours.append(("x-forwarded-for", request.peer))
    return (*kept, *ours, *worker_fields(request))


def _key(request: Request) -> str:
    """The client's own, or on HTTP/2, which has none, a new one."""
    known = request.field("sec-websocket-key") if request.head.protocol is None else None
    return known or b64encode(request.server.entropy.token(16)).decode()


def _opening(head: Head, key: str) -> Fields:
    """A handshake for the worker."""
    upgrade = (("connection", "upgrade"), ("upgrade", "websocket"))
    return upgrade if head.protocol is None else (*upgrade, ("sec-websocket-key", key))


async def _framed(request: Request) -> tuple[bytes, Fields]:
    """The first piece of the body, and how the whole is framed on the way on: never as it came."""
    head, limit = request.head, request.server.limits.body_bytes
    if head.length is not None and head.length > limit:
        raise Refused(BODY_TOO_LARGE)
    # HTTP/2 tells only by the first bytes whether there is a body; HTTP/1.1 without framing has none.
    first = await _piece(limit)
    if head.length is not None:
        return first, (("content-length", str(head.length)), ("connection", "close"))
    if first or head.chunked:
        return first, (("transfer-encoding", "chunked"), ("connection", "close"))
    return first, (("connection", "close"),)


async def _piece(limit: int) -> bytes:
    piece = await TakeBody(limit)
    if piece is None:
        raise Refused(BODY_TOO_LARGE)
    return piece


async def _ask(request: Request, dial: Dial, place: Place, piece: bytes) -> Replying | Response:
    """Connect, send the body and wait for the head; or the answer that there is instead of one.

    A worker that answers before it has all of the body gets no more of it.
    """
    index, failed = await Race((dial, Sleep(CONNECT_SECONDS)))
    if index == 1 or (failed is not None and failed.reason == "timeout"):
        return text(504, f"Connection timeout to {dial.address} after {CONNECT_SECONDS}s")
    if failed is not None:
        return text(502, f"Failed to connect to {dial.address}: {_WORDS.get(failed.reason, failed.reason)}")
    early = await _send(request, dial, piece)
    index, reply = (0, early) if early is not None else await Race((ReceiveHead(dial), Sleep(HEAD_SECONDS)))
    if index == 1:
        return text(504, f"Request timeout to clusterd {place} after {HEAD_SECONDS}s")
    return _broken(place) if isinstance(reply, NoReply) else reply


def _broken(place: Place) -> Response:
    return text(502, f"Error proxying to clusterd {place}: the connection broke off or no HTTP came")


async def _send(request: Request, dial: Dial, piece: bytes) -> Replying | NoReply | None:
    """The body, at the pace of both sides; the head, should it come before the end."""
    limit = request.server.limits.body_bytes
    while True:
        await Offer(dial, piece)
        if not piece:
            return None
        index, got = await Race((Drain(dial), ReceiveHead(dial), Sleep(HEAD_SECONDS)))
        if index == 1:
            return _head_of(got)
        if index == 2 or not got:
            return None  # it may have answered all the same
        index, got = await Race((TakeBody(limit), ReceiveHead(dial)))
        if index == 1:
            return _head_of(got)
        if got is None:
            raise Refused(BODY_TOO_LARGE)
        piece = got


def _head_of(got: Any) -> Replying | NoReply:
    """What a race that `ReceiveHead` won has brought."""
    assert isinstance(got, (Replying, NoReply))
    return got


async def _hand_on(request: Request, dial: Dial, place: Place, reply: Replying, key: str | None) -> Response | None:
    """The worker's answer for the client, whatever its status."""
    fields = receivable(reply.fields)
    if fields is None or (reply.status == 101 and not _agrees(request, reply, key)):
        await HangUp(dial)
        return _broken(place)
    if reply.status == 101:
        await _tunnel(dial, fields)
        return None
    if reply.status in (204, 304):
        await HangUp(dial)
        return empty(reply.status, *(pair for pair in fields if pair[0] != "content-length"))
    if request.method == "HEAD":
        await HangUp(dial)  # the head says how long the body would be
    return Response(reply.status, fields, lambda: _relay(dial))


def _agrees(request: Request, reply: Replying, key: str | None) -> bool:
    """Whether a 101 answers our handshake; the client checks its own key itself."""
    if key is None or request.head.protocol is None:
        return key is not None
    expected = b64encode(sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    return ("sec-websocket-accept", expected) in reply.fields


async def _relay(dial: Dial) -> None:
    """The body, as fast as the client takes it; one that breaks off here breaks off there."""
    number = 0
    try:
        while data := await ReceivePiece(dial, number):
            number += 1
            await SendBody(data)
    finally:
        await HangUp(dial)
    if data is None:
        raise Refused(empty(502))


async def _tunnel(dial: Dial, fields: Fields) -> None:
    """Bytes both ways until one side ends; neither direction waits for the other."""
    kept = [pair for pair in fields if pair[0] != "content-length"]
    await OpenTunnel((("connection", "upgrade"), ("upgrade", "websocket"), *kept))
    if not await Vouch():
        raise Refused(empty(502))
    number, unsent, offered = 0, None, False
    try:
        while True:
            down = ReceivePiece(dial, number) if unsent is None else SendBody(unsent)
            index, got = await Race((down, Drain(dial) if offered else TakeBody(None)))
            if unsent is not None:
                unsent = None if index == 0 else b""  # written when it was asked for; what is waited for is room
                if index == 0:
                    continue
            if not got:
                return
            if index == 0:
                number, unsent = number + 1, got
            else:
                if not offered:
                    await Offer(dial, got)
                offered = not offered
    finally:
        await HangUp(dial)
