"""Heads of HTTP/1.1: what is accepted is what h11 accepts, remembered or not, whole or in pieces."""

from __future__ import annotations

import h11

from fanlight.config.limits import Limits
from fanlight.http.request import Head
from fanlight.wire.head import HeadReader, Malformed

LIMITS = Limits(head_bytes=2000, target_bytes=500, field_bytes=800, fields=20)


def _read(reader: HeadReader, raw: bytes) -> Head | int:
    try:
        return reader.read(raw)
    except Malformed as malformed:
        return malformed.response.status


def _early(raw: bytes) -> int | None:
    """The refusal of a head that arrives in small pieces, before its end."""
    reader = HeadReader(LIMITS)
    for end in range(1, len(raw), 50):
        response = reader.refuse_early(bytearray(raw[:end]), max(0, end - 50))
        if response is not None:
            return response.status
    return None


def one_input(data: bytes) -> None:
    """Read `data`, with a blank line behind it, as one head."""
    raw = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    reader = HeadReader(LIMITS)
    head, again = _read(reader, raw), _read(reader, raw)
    if isinstance(head, int):
        assert head == again
        assert head in (400, 405, 413, 414, 417, 431, 501, 505)
        return
    assert isinstance(again, Head)
    assert (again.method, again.path, again.fields) == (head.method, head.path, head.fields)
    assert _early(raw) is None
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(raw)
    event = parser.next_event()
    assert isinstance(event, h11.Request)
    assert event.method.decode() == head.method
    assert [(n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers] == list(head.fields)
