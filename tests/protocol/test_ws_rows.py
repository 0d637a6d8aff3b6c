"""The rows of `ws_rows` over the core: on HTTP/1.1 and inside an HTTP/2 stream, whole and byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from tests.clients.websocket import CLOSE, TEXT
from tests.protocol.application import application
from tests.protocol.frames import END_HEADERS, PREFACE, Told, data, headers, setting, window
from tests.protocol.http2_rows import OPENING, VERSION
from tests.protocol.ws_rows import OPEN_HTTP1, ROWS, Row, after_101, heard, text
from tests.sim import Sim, SimWire

OPEN_HTTP2 = PREFACE + setting((4, 1 << 24)) + window(0, 1 << 24) + headers(1, *OPENING, VERSION, flags=END_HEADERS)
PROBE = "still there?"
SHORT = 3000


def sent_by(row: Row) -> bytes:
    """The bytes of a row, and one more message where the WebSocket must still work."""
    return row.sent + (text(PROBE) if row.code is None else b"")


def check(row: Row, received: bytes, *, closed: bool) -> None:
    """Everything that came back is what the row says, and nothing else."""
    frames = heard(received)
    if row.code is None:
        assert frames == [*row.told, (TEXT, PROBE.encode())]
        assert not closed
        return
    *told, last = frames
    assert (tuple(told), last[0]) == (row.told, CLOSE)
    assert last[1][:2] == (struct.pack("!H", row.code) if row.code else b"")
    assert closed


def play_http1(wire: SimWire, pieces: Iterable[bytes]) -> bytes:
    for piece in pieces:
        if wire.half_closed:
            break
        wire.send(piece)
    wire.sim.advance(0)
    return after_101(bytes(wire.received))


def play_http2(wire: SimWire, pieces: Iterable[bytes]) -> Told:
    told = Told()
    wire.send(OPEN_HTTP2)
    for piece in pieces:
        if 1 in told.ended:
            break
        wire.send(piece)
        told.take(bytes(wire.received))
        wire.received.clear()
    wire.sim.advance(0)
    return told.take(bytes(wire.received))


def cut(sent: bytes, size: int) -> list[bytes]:
    return [sent[at : at + size] for at in range(0, len(sent), size)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_row(row: Row) -> None:
    wire = Sim(application()).connect()
    received = play_http1(wire, [OPEN_HTTP1 + sent_by(row)])
    check(row, received, closed=wire.half_closed)


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.sent) < SHORT], ids=lambda row: row.title)
def test_row_byte_by_byte(row: Row) -> None:
    wire = Sim(application()).connect()
    received = play_http1(wire, [OPEN_HTTP1, *cut(sent_by(row), 1)])
    check(row, received, closed=wire.half_closed)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_row_over_http2(row: Row) -> None:
    wire = Sim(application()).connect()
    told = play_http2(wire, (data(1, piece, end=False) for piece in cut(sent_by(row), 16_384)))
    assert told.answers == {1: 200}
    check(row, told.bodies.get(1, b""), closed=1 in told.ended)
    assert not wire.half_closed
    assert told.goaway is None


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.sent) < 300], ids=lambda row: row.title)
def test_row_over_http2_byte_by_byte(row: Row) -> None:
    wire = Sim(application()).connect()
    told = play_http2(wire, (data(1, piece, end=False) for piece in cut(sent_by(row), 1)))
    check(row, told.bodies.get(1, b""), closed=1 in told.ended)
