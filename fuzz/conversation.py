"""What must hold of every connection, whatever was sent: used by the targets that talk to a whole server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanlight.observe.records import AccessRecord, Failure
from tests.protocol.application import application
from tests.sim import Sim, SimWire

ABOVE_HIGH_WATER = 512 * 1024
"""One message, one chunk of a handler, and the frames around them."""


class Quiet(Sim):
    """A simulation without a transcript: only what is said and noted counts here."""

    def write(self, wire: int, what: str, detail: Any = None) -> None:
        """Keep nothing."""


def talk(pieces: Iterable[bytes]) -> tuple[bytes, bool]:
    """Send `pieces` to a fresh server, check what must hold; what it said, and whether it closed."""
    sim = Quiet(application())
    sim.server.notes_access = True
    wire = sim.connect()
    for piece in pieces:
        wire.send(piece)
        look(sim, wire)
    sim.advance(0)
    look(sim, wire)
    said = bytes(wire.received), wire.half_closed
    finish(sim, wire)
    return said


def look(sim: Sim, wire: SimWire) -> None:
    """What holds after every step."""
    connection = wire.connection
    assert connection.backlog <= sim.server.limits.high_water + ABOVE_HIGH_WATER
    assert connection.poll() is None
    if connection.state == "closed":
        assert not connection.wants_read
    for note in sim.notes:
        assert not isinstance(note, Failure), note


def finish(sim: Sim, wire: SimWire) -> None:
    """What holds when the client has gone."""
    wire.abort()
    for pending in list(sim.pending):
        sim.reply(pending)
    sim.advance(sim.server.limits.cleanup + 1)
    assert wire.connection.finished
    assert sim.server.drained
    assert sim.deadline == float("inf")
    records = [note for note in sim.notes if isinstance(note, AccessRecord)]
    assert len(records) == wire.connection.requests


def cut(data: bytes, size: int) -> list[bytes]:
    """`data` in pieces of `size` bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]
