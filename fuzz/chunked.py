"""Chunked bodies: what is accepted h11 decodes to the same bytes, however it was cut."""

from __future__ import annotations

import h11

from fanlight.limits import Limits
from fanlight.wire.body import BrokenBody, ChunkedBody

LIMITS = Limits()


def _decode(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """Body and rest; None for one that is broken or not whole."""
    body, buffer, found = ChunkedBody(LIMITS), bytearray(), b""
    try:
        for piece in pieces:
            buffer += piece
            found += body.take(buffer)
            while body.more:
                found += body.take(buffer)
    except BrokenBody:
        return None
    return (found, bytes(buffer)) if body.done else None


def _by_h11(data: bytes) -> bytes | None:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    parser.next_event()
    parser.receive_data(data)
    found = b""
    try:
        while isinstance(event := parser.next_event(), h11.Data):
            found += bytes(event.data)
    except h11.RemoteProtocolError:
        return None
    return found if isinstance(event, h11.EndOfMessage) else None


def one_input(data: bytes) -> None:
    """Decode `data`, whole and byte by byte."""
    found = _decode([data])
    assert _decode([data[at : at + 1] for at in range(len(data))]) == found
    if found is not None:
        assert _by_h11(data) == found[0]
