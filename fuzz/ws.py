"""WebSockets: any frames, in any pieces, get frames that a strict reader accepts, and a Close at most once."""

from __future__ import annotations

from fuzz.conversation import cut, talk
from tests.clients.websocket import CLOSE
from tests.protocol.ws_rows import OPEN_HTTP1, after_101, heard


def one_input(data: bytes) -> None:
    """The first byte says how `data`, frames behind a good opening, is cut."""
    if not data:
        return
    size, sent = data[0] % 64 + 1, data[1:4000]
    (whole, closed), (pieces, closed_too) = talk([OPEN_HTTP1, sent]), talk([OPEN_HTTP1, *cut(sent, size)])
    assert whole == pieces
    assert closed == closed_too
    frames = heard(after_101(whole))
    closes = [payload for opcode, payload in frames if opcode == CLOSE]
    assert len(closes) == closed
    assert not closes or frames[-1][0] == CLOSE
