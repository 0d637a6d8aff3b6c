"""Fields of messages that are handed on to another server, and back.

What belongs to one connection, and what the caller says of himself, is never
handed on (RFC 9110 section 7.6.1).  Values in, values out: no server is spoken
to here, and nobody decides where a request goes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .response import Fields, text

if TYPE_CHECKING:
    from .request import Head, Request

LOOP = text(508, "proxy loop detected")

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection", "http2-settings")
)
"""Fields of one connection; what `connection` names comes on top, and everything `proxy-…`."""
_KEPT_BACK = frozenset(("host", "authorization", "cookie", "content-length", "expect", "forwarded", "x-real-ip"))
"""Of a request: the caller's credentials, framing, and what only a trusted proxy may say; and all `x-forwarded-…`."""
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def end_to_end(fields: Fields) -> Fields:
    """`fields` without those of one connection."""
    named = {
        word.strip().lower() for name, value in fields if name == "connection" for word in value.split(",") if word
    }
    dropped = _HOP_BY_HOP | named
    return tuple((name, value) for name, value in fields if name not in dropped and not name.startswith("proxy-"))


def sendable(request: Request) -> Fields:
    """The fields of a request that another server may see, with this server in `via` (RFC 9110 section 7.6.3)."""
    kept_back = _KEPT_BACK | {request.server.app.dialect.user_header}
    kept = [
        (name, value)
        for name, value in end_to_end(request.head.fields)
        if name not in kept_back and not name.startswith("x-forwarded-")
    ]
    return (*kept, ("via", f"1.1 {request.server.pseudonym}"))


def has_passed(request: Request) -> bool:
    """Whether `request` has come through this very server before: `via` names it."""
    members = ",".join(request.head.all("via")).split(",")
    return any(request.server.pseudonym in member.split() for member in members)


def receivable(fields: Fields) -> Fields | None:
    """The fields of another server's response that go on to the client; None when one could break a head.

    Its Date is not ours to say, and who may read answers across origins is for
    this server to tell.  A length beside a transfer coding is none (RFC 9112
    section 6.3).
    """
    if any(_UNSAFE.search(value) for _, value in fields):
        return None
    coded = any(name == "transfer-encoding" for name, _ in fields)
    dropped = {"date", "content-length"} if coded else {"date"}
    return tuple(
        (name, value)
        for name, value in end_to_end(fields)
        if name not in dropped and not name.startswith("access-control-")
    )


def asks_for_websocket(head: Head) -> bool:
    """Whether `head` is an opening handshake (RFC 6455 section 4.1, RFC 8441), valid or not."""
    if head.protocol is not None:
        return head.protocol == "websocket"
    return (
        head.upgrade
        and head.version == "1.1"
        and head.method == "GET"
        and head.values.get("upgrade", "").lower() == "websocket"
        and not head.length
        and not head.chunked
    )
