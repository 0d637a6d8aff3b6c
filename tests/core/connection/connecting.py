"""Clients of the world's app in memory, and how to look at what became of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanlight import App, Effect, Limits, Request, Response
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.clients.websocket import handshake
from tests.sim import LATER, Answered, Outcome, Sim, SimWire, table
from tests.stateful.world import LIMITS, PLAIN, Acquire, Work, app

NOW = serialise(Outgoing(target="/now"))
WAIT = serialise(Outgoing(target="/wait"))
LAST = serialise(Outgoing(target="/now", fields=(("connection", "close"),)))
UPLOAD = serialise(Outgoing(method="POST", target="/echo", fields=(("content-length", "9"),)))
HOLD = serialise(Outgoing(method="POST", target="/hold", fields=(("content-length", "9"),)))
STREAM = serialise(Outgoing(target="/stream"))
OPENING = serialise(handshake("/ws", "1.1"))


def holding(effect: Effect[Any]) -> Outcome:
    """What is acquired is there at once; the rest waits."""
    return Answered(1) if isinstance(effect, Acquire) else LATER


SIMS: list[Sim] = []


def end_all() -> None:
    """Let every client go: a routine that is dropped in its cleanup would be told of by the interpreter."""
    while SIMS:
        sim = SIMS.pop()
        for wire in sim.wires:
            wire.abort()
        sim.advance(LIMITS.cleanup)
        assert sim.server.drained


def connect(
    sent: bytes = b"", *, credit: bool = True, limits: Limits = LIMITS, made: App | None = None
) -> tuple[Sim, SimWire]:
    """A client that has sent something."""
    sim = Sim(made or app(limits), answering=holding)
    SIMS.append(sim)
    wire = sim.connect(credit=credit)
    if sent:
        wire.send(sent)
    return sim, wire


def said(sim: Sim, since: int = 0) -> list[str]:
    """The kinds of what happened, those of input left out."""
    return [line.what for line in sim.transcript[since:] if line.what not in ("data", "timeout", "note")]


def reading(wire: SimWire) -> bool:
    """Whether the socket may be read."""
    return wire.connection.wants_read


def finished(wire: SimWire) -> bool:
    """Whether the server has forgotten it."""
    return wire.connection.finished


def statuses(wire: SimWire) -> list[int]:
    """The status of each answer so far."""
    return [int(part[:3]) for part in bytes(wire.received).split(b"HTTP/1.1 ")[1:]]


def serving(handler: Callable[[Request], Any], *, method: str = "GET", limits: Limits | None = None) -> Sim:
    """A server with one route, `/it`, whose work is done at once."""
    app = App(pages=False, limits=limits)
    app.route(method, "/it")(handler)
    sim = Sim(app, answering=table({Work: "done"}))
    SIMS.append(sim)
    return sim


async def fine(request: Request) -> Response:
    """The handler that nothing can go wrong with."""
    return Response(200, PLAIN, b"fine")
