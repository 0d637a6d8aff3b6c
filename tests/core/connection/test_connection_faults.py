"""What an attacker could make of deadlines, credit, windows and ends: each of these was wrong once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fanlight import App, Listener, Request, Response, SendBody, Sleep
from fanlight.http.websocket import AcceptWebSocket, CloseWebSocket, NextMessage, PeerClosed
from fanlight.routine import Conversation
from fanlight.wire.secure import ChannelBroken
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.clients.websocket import handshake
from tests.core.connection.connecting import LAST, SIMS, connect, serving
from tests.protocol.frames import INTERNAL_ERROR, START, Told, data, frame, get, post, reset, setting
from tests.sim import Sim, SimWire, never
from tests.stateful.world import LIMITS, PLAIN, Work, app

IT = serialise(Outgoing(target="/it"))
PING = frame(6, 0, 0, bytes(8))
TIMEOUTS = 50


class Glass:
    """A channel that encrypts nothing, with a farewell; `!` is a broken record, `.` at the end the peer's."""

    def __init__(self) -> None:
        self.handshaken = True
        self.ended = False
        self.alpn: str | None = None
        self.unwritten = False

    def receive(self, data: bytes, /) -> bytes:
        if data == b"!":
            raise ChannelBroken
        self.ended = not data or data.endswith(b".")
        return data.removesuffix(b".")

    def send(self, data: bytes, /) -> bytes:
        return data

    def close(self) -> bytes:
        return b"farewell"


def through_glass(sent: bytes, *, credit: bool = True) -> tuple[Sim, SimWire]:
    """A client of a listener with TLS."""
    made = app()
    made.listeners = (Listener("main", "127.0.0.1:6876", tls=True),)
    sim = Sim(made)
    SIMS.append(sim)
    sim.server.listeners["main"].channel = Glass
    wire = sim.connect(credit=credit)
    wire.send(sent)
    return sim, wire


def timeouts(sim: Sim, seconds: float) -> int:
    """How often the host was woken in `seconds`; far too often ends the test."""
    until, count = sim.now.mono + seconds, 0
    while sim.deadline <= until and count < TIMEOUTS:
        sim.clock.move(max(0.0, sim.deadline - sim.now.mono))
        sim.fire()
        count += 1
    return count


def conversation(wire: SimWire) -> Conversation:
    """The one exchange in hand."""
    (found,) = wire.connection.conversations()
    return found


def test_a_farewell_that_nobody_takes_is_given_up_without_a_storm() -> None:
    sim, wire = through_glass(LAST, credit=False)
    wire.take()
    assert wire.received.endswith(b"farewell")
    assert timeouts(sim, LIMITS.linger + 1.0) < 5
    assert wire.closed


def test_a_broken_record_ends_the_work_at_once() -> None:
    sim, wire = through_glass(serialise(Outgoing(target="/wait")))
    assert [type(pending.effect) for pending in sim.pending] == [Work]
    wire.send(b"!")
    assert wire.closed
    assert not sim.pending
    assert not wire.received


def test_an_end_of_tls_is_an_end_though_the_socket_stays_open() -> None:
    sim, wire = through_glass(serialise(Outgoing(target="/wait")) + b".")
    sim.reply(sim.pending[0], "done")
    assert b"\r\n\r\ndone" in wire.received
    sim.advance(LIMITS.linger)
    assert wire.closed


def test_credit_after_the_end_wakes_nobody() -> None:
    sim, wire = connect(serialise(Outgoing(method="POST", target="/hold", fields=(("content-length", "9"),))) + b"x")
    wire.connection.lost(sim.now)
    wire.connection.sent(1000, sim.now)
    wire.drain()
    assert timeouts(sim, LIMITS.cleanup + 1.0) < 5
    assert wire.connection.finished


def test_an_endless_answer_ends_with_the_grace() -> None:
    async def endless(request: Request) -> Response:
        async def produce() -> None:
            while True:
                await SendBody(b"x" * 60_000)

        return Response(200, PLAIN, produce)

    sim = serving(endless)
    wire = sim.connect(credit=False)
    wire.send(IT)
    sim.shutdown(3.0)
    assert timeouts(sim, 4.0) < 5
    assert wire.closed
    assert len(wire.received) < 300_000


def test_the_cleanup_of_a_reset_stream_has_its_time_while_the_connection_lives() -> None:
    async def stubborn(request: Request) -> Response:
        try:
            await Work("/it")
        finally:
            await Work("/cleanup")
        return Response(200)

    sim = serving(stubborn)
    sim.answering = never
    wire = sim.connect()
    wire.send(START + get(path=b"/it"))
    wire.send(reset(1))
    assert conversation(wire).gone
    assert sim.deadline == sim.now.mono + sim.server.limits.cleanup
    sim.advance(sim.server.limits.cleanup)
    assert wire.connection.streams == 0
    assert not wire.closed


def test_a_body_has_its_time_from_the_asking_on() -> None:
    async def late(request: Request) -> Response:
        await Sleep(40.0)
        return Response(200, PLAIN, await request.body())

    sim = serving(late, method="POST")
    wire = sim.connect()
    wire.send(b"POST /it HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    sim.advance(41.0)
    assert wire.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(b"ok")
    assert wire.received.endswith(b"\r\n\r\nok")


def test_pings_do_not_keep_a_stream_that_takes_nothing() -> None:
    _, wire = connect(START + setting((4, 0)) + get(path=b"/now"))
    sim = wire.sim
    for _ in range(4):
        sim.advance(LIMITS.write_progress / 3)
        wire.send(PING)
    assert Told().take(bytes(wire.received)).resets == {1: INTERNAL_ERROR}
    assert wire.connection.streams == 0


def test_a_stream_that_takes_a_byte_at_a_time_copies_nothing() -> None:
    async def large(request: Request) -> Response:
        return Response(200, PLAIN, bytes(5_000_000))

    sim = serving(large)
    wire = sim.connect()
    wire.send(START + setting((4, 1)) + get(path=b"/it"))
    assert isinstance(conversation(wire).pending, memoryview)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("streamed", [False, True])
def test_some_answers_have_no_body_whatever_the_handler_says(status: int, version: str, streamed: bool) -> None:
    async def produce() -> None:
        await SendBody(b"body")

    async def handler(request: Request) -> Response:
        return Response(status, (), produce if streamed else b"body")

    wire = serving(handler).connect()
    if version == "2":
        wire.send(START + get(path=b"/it"))
        told = Told()
        told.take(bytes(wire.received))
        assert told.answers[1] == status
        assert told.bodies.get(1, b"") == b""
        assert 1 in told.ended
    else:
        wire.send(IT)
        head = bytes(wire.received).lower()
        assert head.endswith(b"\r\n\r\n")
        assert b"content-length" not in head
        assert b"transfer-encoding" not in head


def test_after_our_own_close_nothing_is_awaited() -> None:
    ends: list[object] = []

    async def closing(request: Request) -> None:
        await AcceptWebSocket(limit=100)
        await CloseWebSocket(1000)
        ends.append(await NextMessage())

    wire = upgraded(closing)
    assert isinstance(ends[-1], PeerClosed)
    wire.sim.advance(LIMITS.linger + 0.1)
    assert wire.closed


def upgraded(handler: Callable[[Request], object], *more: tuple[str, str]) -> SimWire:
    """A WebSocket with `handler`."""
    made = App(pages=False)
    made.route("GET", "/it", websocket=True)(handler)  # type: ignore[arg-type]
    sim = Sim(made)
    SIMS.append(sim)
    wire = sim.connect()
    opening = handshake("/it", "1.1", more)
    wire.send(serialise(opening))
    return wire


def test_an_upgrade_that_announces_a_body_ends_as_any_other() -> None:
    async def brief(request: Request) -> None:
        await AcceptWebSocket(limit=100)

    wire = upgraded(brief, ("content-length", "100"))
    assert wire.half_closed
    wire.sim.advance(LIMITS.linger + 0.1)
    assert wire.closed


def test_a_refusal_without_a_window_is_cut_not_left_open() -> None:
    _, wire = connect(START + setting((4, 0)) + get(path=b"/a b"))
    told = Told()
    told.take(bytes(wire.received))
    assert told.answers[1] == 400
    assert 1 in told.resets


def test_large_heads_are_not_remembered() -> None:
    sim, wire = connect(START)
    for stream in range(1, 200, 2):
        wire.send(get(stream, *((b"x-%d-%d" % (stream, n), b"v" * 120) for n in range(100)), path=b"/now"))
        wire.take()
    reader = sim.server.listeners["main"]._h2_heads
    assert reader is not None
    assert sum(len(name) + len(value) for key in reader.memo for name, value in key) < 600_000


def test_a_goaway_with_an_error_is_no_bug_of_ours() -> None:
    sim, wire = connect(START)
    wire.send(post(1) + data(1, b"x", end=False) + frame(7, 0, 0, bytes(4) + (2).to_bytes(4, "big")))
    wire.send(data(1, b"y"))
    sim.advance(LIMITS.body_progress + LIMITS.write_progress + LIMITS.keep_alive)
    assert wire.closed
    assert not [note for note in sim.notes if type(note).__name__ == "Failure"]
