"""The rows of `http2_rows` over the core, whole and byte by byte."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.protocol.application import application
from tests.protocol.frames import START, Told, get
from tests.protocol.http2_rows import ROWS, Row
from tests.sim import Sim, SimWire

PROBE = 1001


def play(wire: SimWire, pieces: Iterable[bytes]) -> Told:
    """Send `pieces` until the server closes; what it said."""
    for piece in pieces:
        if wire.half_closed:
            break
        wire.send(piece)
    wire.sim.advance(0)
    return Told().take(bytes(wire.received))


def check(row: Row, told: Told, *, closed: bool) -> None:
    """Everything that came back is what the row says, and nothing else."""
    assert told.whole
    assert told.goaway == row.goaway
    assert told.goaways == (row.goaway is not None)
    assert told.resets == dict(row.resets)
    assert tuple(told.pongs) == row.pongs
    probe = {} if row.goaway is not None else {PROBE: 200}
    assert told.answers == {**row.answers, **probe}
    assert {stream: told.bodies.get(stream, b"") for stream in row.bodies} == dict(row.bodies)
    assert closed is (row.goaway is not None)


def whole(row: Row) -> bytes:
    """The bytes of a row, and one more request where the connection must still work."""
    return (b"" if row.bare else START) + row.sent + (get(PROBE) if row.goaway is None else b"")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_row(row: Row) -> None:
    wire = Sim(application()).connect()
    told = play(wire, [whole(row)])
    check(row, told, closed=wire.half_closed)
    assert not {conversation.stream for conversation in wire.connection.conversations()} & set(row.resets)


@pytest.mark.parametrize("row", [row for row in ROWS if len(row.sent) < 2048], ids=lambda row: row.title)
def test_row_byte_by_byte(row: Row) -> None:
    sent = whole(row)
    wire = Sim(application()).connect()
    told = play(wire, (sent[at : at + 1] for at in range(len(sent))))
    check(row, told, closed=wire.half_closed)
