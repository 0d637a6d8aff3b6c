"""Chunked bodies: what is accepted h11 decodes to the same bytes, however it was cut."""

from __future__ import annotations

from collections.abc import Iterable

import h11

from fanlight.config.limits import Limits
from fanlight.wire.body import BrokenBody, ChunkedBody

LIMITS = Limits()


def decoded(pieces: Iterable[bytes]) -> tuple[bytes, bytes] | None:
    """Body and rest as `ChunkedBody` reads them; None when it refuses or is not done."""
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


def decoded_by_h11(raw: bytes) -> bytes | None:
    """The same by h11's reader; None when it refuses or is not done."""
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser.next_event()
    parser.receive_data(raw)
    found = b""
    try:
        while isinstance(event := parser.next_event(), h11.Data):
            found += bytes(event.data)
    except h11.RemoteProtocolError:
        return None
    return found if isinstance(event, h11.EndOfMessage) else None


def one_input(data: bytes) -> None:
    """Decode `data`, whole and byte by byte."""
    found = decoded([data])
    assert decoded([data[at : at + 1] for at in range(len(data))]) == found
    if found is not None:
        assert decoded_by_h11(data) == found[0]
