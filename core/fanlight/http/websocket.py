"""WebSocket conversations as a routine sees them: accept, take messages, send, close.

Ops only, and the opening handshake as a pure function (RFC 6455 section 4.2,
RFC 8441).  Framing, control frames and limits are the wire's.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha1

from attrs import frozen

from ..asks import Op
from .request import Head
from .response import Fields, Response, empty, text

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Message = str | bytes


@frozen
class PeerClosed:
    """The peer sent Close (or broke the rules, or left): no message will follow.

    `code` is what it gave (1005: none, 1006: the connection was lost).
    """

    code: int
    reason: str = ""


@frozen
class AcceptWebSocket(Op[None]):
    """Complete the handshake; from here on the exchange is a WebSocket.

    `limit` bounds one message in bytes until `NextMessage` says otherwise.
    Raises `Refused` inside the routine where the request is no valid handshake.
    """

    limit: int
    fields: Fields = ()


@frozen
class NextMessage(Op["str | bytes | PeerClosed"]):
    """The next message: text as str, binary as bytes, or the end of them.

    `limit` bounds it (None: as before); a longer one is closed with 1009 as
    soon as a frame header or the running total tells.
    """

    limit: int | None = None


@frozen
class SendMessage(Op[None]):
    """Send a message; resumes when what is unwritten is below the high-water mark."""

    data: Message


@frozen
class CloseWebSocket(Op[None]):
    """Send a Close frame; `reason` is cut to 123 bytes at a character boundary."""

    code: int = 1000
    reason: str = ""


def handshake(head: Head) -> Response | Fields:
    """The fields of the 101 (empty for HTTP/2), or the refusal, checked in this order."""
    if head.version == "2":
        return _extended_connect(head)
    tokens = {token.strip(" \t").lower() for value in head.all("connection") for token in value.split(",")}
    if head.version == "1.0":
        return text(426, "WebSocket request couldn't be upgraded since no upgrade state was present")
    if "upgrade" not in tokens:
        return text(400, "Connection header did not include 'upgrade'")
    if head.values.get("upgrade", "").lower() != "websocket":
        return text(400, "`Upgrade` header did not include 'websocket'")
    if head.values.get("sec-websocket-version") != "13":
        return _wrong_version()
    key = head.values.get("sec-websocket-key")
    if key is None or not _is_key(key):
        return text(400, "`Sec-WebSocket-Key` header missing")
    accept = b64encode(sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    return (("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", accept))


def _extended_connect(head: Head) -> Response | Fields:
    if head.protocol is None:
        return empty(405, ("allow", "CONNECT"))
    if head.protocol != "websocket":
        return text(400, "`:protocol` pseudo-header did not include 'websocket'")
    return () if head.values.get("sec-websocket-version") == "13" else _wrong_version()


def _wrong_version() -> Response:
    return text(400, "`Sec-WebSocket-Version` header did not include '13'", ("sec-websocket-version", "13"))


def _is_key(key: str) -> bool:
    """A key is the base64 of 16 bytes (RFC 6455 4.1)."""
    try:
        return len(b64decode(key, validate=True)) == 16
    except ValueError:
        return False
