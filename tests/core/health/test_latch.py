"""Latches in a server: who waits on another connection is let through at once; who leaves is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fanlight import App, Request, Response
from fanlight.asks import Moment
from fanlight.health.latch import Await, Latch
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.core.connection.connecting import SIMS, end_all, statuses
from tests.sim import Sim
from tests.stateful.world import PLAIN

WAIT, OPEN = (serialise(Outgoing(target=path)) for path in ("/wait", "/open"))


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_all()


class Door:
    """A server where `/wait` waits for `/open`."""

    def __init__(self) -> None:
        self.latch = Latch()
        self.through: list[float] = []
        app = App(pages=False)
        app.route("GET", "/wait")(self.wait)
        app.route("GET", "/open")(self.open)
        self.sim = Sim(app)
        SIMS.append(self.sim)

    async def wait(self, request: Request) -> Response:
        await Await(self.latch)
        self.through.append((await Moment()).mono)
        return Response(200, PLAIN, b"through")

    async def open(self, request: Request) -> Response:
        self.latch.open()
        return Response(200, PLAIN, b"opened")


def test_everybody_is_let_through_in_no_time() -> None:
    door = Door()
    wires = [door.sim.connect() for _ in range(20)]
    for wire in wires:
        wire.send(WAIT)
    door.sim.advance(5.0)
    assert door.through == []
    door.sim.connect().send(OPEN)
    door.sim.advance(0.0)
    door.sim.advance(0.0)
    door.sim.advance(0.0)
    assert door.through == [door.sim.now.mono] * 20
    assert all(statuses(wire) == [200] for wire in wires)
    wires[0].send(WAIT)
    assert statuses(wires[0]) == [200, 200]


def test_who_leaves_is_forgotten() -> None:
    door = Door()
    wire, other = door.sim.connect(), door.sim.connect()
    wire.send(WAIT)
    other.send(WAIT)
    wire.abort()
    assert len(door.latch.waiting) == 1
    door.sim.connect().send(OPEN)
    door.sim.advance(0.0)
    assert statuses(other) == [200]
