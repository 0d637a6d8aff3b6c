"""WebSocket conversations as a routine sees them: accept, take messages, send, close.

Ops only, and the opening handshake as a pure function (RFC 6455 section 4.2,
RFC 8441).  Framing, control frames and limits are the wire's.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from math import inf
from typing import Literal

from attrs import field, frozen

from ..asks import Op
from .request import Head
from .response import Fields, Response, text

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Message = str | bytes


@frozen
class PeerClosed:
    """The peer sent Close (or broke the rules, or left): no message will follow.

    `code` is what it gave (1005: none, 1006: the connection was lost); with
    `fault` it broke the rules, and is answered with that code.
    """

    code: int
    reason: str = ""
    fault: bool = field(default=False, eq=False)


@frozen
class AcceptWebSocket(Op[None]):
    """Complete the handshake; from here on the exchange is a WebSocket.

    `limit` bounds one message in bytes until `NextMessage` says otherwise.
    Raises `Refused` inside the routine where the request is no valid handshake.
    """

    limit: int
    fields: Fields = ()


@frozen
class OpenTunnel(Op[None]):
    """Answer a handshake as another server did, with `fields`; from here on bytes pass untouched both ways.

    `TakeBody` and `SendBody` are for them.  The fields are those of a 101; on
    HTTP/2 it becomes a 200 (RFC 8441 section 5).
    """

    fields: Fields


@frozen
class NextMessage(Op["str | bytes | PeerClosed"]):
    """The next message: text as str, binary as bytes, or the end of them.

    `limit` bounds it (None: as before); a longer one is closed with 1009 as
    soon as a frame header or the running total tells, and so is one of more
    than `fragments` frames.  `alone`: what comes behind it is not read before
    the next of these, which may have another limit.  `refusal` is the reason of
    a 1002 that any other fault is answered with, and text that is not UTF-8 too.
    """

    limit: int | None = None
    fragments: int | None = None
    alone: bool = False
    refusal: str | None = None


@frozen
class SendMessage(Op[None]):
    """Send a message; resumes when what is unwritten is below the high-water mark."""

    data: Message


@frozen
class SendTexts(Op[None]):
    """Send text messages that are UTF-8 already, each in a frame; resumes as `SendMessage` does."""

    texts: Sequence[bytes]


@frozen
class Attend(Op[Literal["left", "stop"]]):
    """Attend to the peer while work is under way: the ask to race it with.

    Answers `left` once no more messages will come (a Close, a fault, the end of
    the connection; `NextMessage` tells which), `stop` once somebody asked for
    it (`StopWork`).  Takes no message.  Meanwhile an empty Ping goes out when
    nothing was said for `every` seconds, and again after as many, or after what
    `gap` says at that moment, if that is more.
    """

    every: float
    gap: Callable[[], float] | None = field(default=None, eq=False)


class Signal:
    """A moment at which somebody is to be woken; `set` moves it, from wherever.

    `at` is in monotonic seconds, `inf` for never.  `arm` is there while somebody waits for it.
    """

    __slots__ = ("arm", "at")

    def __init__(self) -> None:
        self.at = inf
        self.arm: Callable[[float], None] | None = None

    def set(self, at: float) -> None:
        """Wake at `at`; a moment that has passed wakes at once, in a turn of its own."""
        self.at = at
        if self.arm is not None:
            self.arm(at)


@frozen
class Watch(Op[Literal["left", "stop", "signal"]]):
    """Attend to the peer, as `Attend` does, until the moment of `signal`."""

    every: float
    signal: Signal = field(eq=False)
    gap: Callable[[], float] | None = field(default=None, eq=False)


@frozen
class HasLeft(Op[bool]):
    """Whether no more messages will come than those that wait already.  Never waits."""


@frozen
class Vouch(Op[bool]):
    """The identity of the request stands for this WebSocket from here on, and no longer than it holds.

    False: it holds no more already, since it took a while to come here.

    When it ends (its own time, a logout, a changed password) the socket is
    closed with 1008 `authentication expired`; to the routine that is a peer
    that has left.  Never waits.
    """


@frozen
class Enlist(Op[None]):
    """Be known by `number`, which nobody else has, until the exchange is over: `StopWork` finds it."""

    number: int


@frozen
class StopWork(Op[Literal["stopped", "unknown", "forbidden"]]):
    """Stop what the exchange enlisted as `number` attends to; nothing happens if it is idle.

    Only its own user, internal users and superusers may, but anybody on kind
    None.  Never waits.
    """

    number: int


@frozen
class CloseWebSocket(Op[None]):
    """Send a Close frame; `reason` is cut to 123 bytes at a character boundary."""

    code: int = 1000
    reason: str = ""


def handshake(head: Head) -> Response | Fields:
    """The fields of the 101 (empty for HTTP/2), or the refusal, checked in this order."""
    if head.version == "2":
        return _extended_connect(head)
    if head.method != "GET":
        return text(405, "Request method must be `GET`", ("allow", "GET"))
    tokens = {token.strip(" \t").lower() for value in head.all("connection") for token in value.split(",")}
    if "upgrade" not in tokens:
        return text(400, "Connection header did not include 'upgrade'")
    if head.values.get("upgrade", "").lower() != "websocket":
        return text(400, "`Upgrade` header did not include 'websocket'")
    key = head.values.get("sec-websocket-key")
    if key is None or not _is_key(key) or head.count("sec-websocket-key") > 1:
        return text(400, "`Sec-WebSocket-Key` header missing")
    if not _is_version_13(head):
        return _wrong_version()
    if head.version == "1.0":
        return text(426, "WebSocket request couldn't be upgraded since no upgrade state was present")
    from hashlib import sha1  # brings OpenSSL, and most servers never see a WebSocket

    accept = b64encode(sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    return (("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", accept))


def _extended_connect(head: Head) -> Response | Fields:
    if head.protocol is None:
        return text(405, "Request method must be `CONNECT`", ("allow", "CONNECT"))
    if head.protocol != "websocket":
        return text(400, "`:protocol` pseudo-header did not include 'websocket'")
    return () if _is_version_13(head) else _wrong_version()


def _is_version_13(head: Head) -> bool:
    """Said once, as the key is (RFC 6455 11.3.1 and 11.3.5), so that nobody reads another one."""
    return head.all("sec-websocket-version") == ["13"]


def _wrong_version() -> Response:
    return text(400, "`Sec-WebSocket-Version` header did not include '13'", ("sec-websocket-version", "13"))


def _is_key(key: str) -> bool:
    """A key is the base64 of 16 bytes (RFC 6455 4.1)."""
    try:
        return len(b64decode(key, validate=True)) == 16
    except ValueError:
        return False
