"""The pace of a peer: what comes or goes a byte at a time ends in time, honest slowness passes."""

from __future__ import annotations

import pytest

from fanlight import Limits, Request, Response, Sleep
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.core.connection.connecting import NOW, STREAM, connect, serving, statuses
from tests.protocol.frames import (
    END_HEADERS,
    HEADERS,
    INTERNAL_ERROR,
    NO_ERROR,
    START,
    Told,
    block,
    data,
    frame,
    get,
    headers,
    pseudo,
    setting,
    window,
)
from tests.sim import SimWire
from tests.stateful.world import LIMITS, PLAIN

LONG = LIMITS.body_progress
ENOUGH = LIMITS.progress_bytes
PING = frame(6, 0, 0, bytes(8))
UPLOAD = headers(1, *pseudo(b"POST", b"/echo"), flags=END_HEADERS)


def told(wire: SimWire) -> Told:
    return Told().take(bytes(wire.received))


def upload(size: int) -> bytes:
    return serialise(Outgoing(method="POST", target="/echo", fields=(("content-length", str(size)),)))


CHUNKED = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"


# ---- bodies that are waited for ----------------------------------------------


@pytest.mark.parametrize(
    ("head", "drop"), [(upload(1000), b"x"), (CHUNKED, b"1\r\nx\r\n"), (CHUNKED, b"1;a=b\r\nx\r\n")]
)
def test_a_body_that_drips_is_refused(head: bytes, drop: bytes) -> None:
    sim, wire = connect(head)
    started = sim.now.mono
    while not wire.half_closed:
        sim.advance(LONG / 10)
        wire.send(drop)
    assert sim.now.mono - started == pytest.approx(LONG)
    assert statuses(wire) == [408]


def test_a_body_that_is_slow_and_comes_on_is_read() -> None:
    sim, wire = connect(upload(5 * ENOUGH + 1))
    for _ in range(5):
        sim.advance(LONG - 1)
        wire.send(b"x" * ENOUGH)
    sim.advance(LONG - 1)
    assert statuses(wire) == []
    wire.send(b"x")
    assert statuses(wire) == [200]


def test_a_body_that_was_fast_may_not_drip_afterwards() -> None:
    sim, wire = connect(upload(5 * ENOUGH) + b"x" * 4 * ENOUGH)
    for _ in range(10):
        sim.advance(LONG / 9)
        wire.send(b"x")
    assert statuses(wire) == [408]


def test_time_in_which_nobody_waits_for_the_body_does_not_count() -> None:
    async def late(request: Request) -> Response:
        await Sleep(2 * LONG)
        return Response(200, PLAIN, await request.body())

    sim = serving(late, method="POST")
    wire = sim.connect()
    wire.send(serialise(Outgoing(method="POST", target="/it", fields=(("content-length", "2"),))))
    sim.advance(3 * LONG - 1)
    wire.send(b"ok")
    assert statuses(wire) == [200]


def test_what_other_streams_do_keeps_no_body_waiting() -> None:
    sim, wire = connect(START + UPLOAD)
    for turn in range(12):
        sim.advance(LONG / 10)
        wire.send(PING + get(2 * turn + 3, path=b"/now"))
    found = told(wire)
    assert found.answers == {1: 408, **{2 * turn + 3: 200 for turn in range(12)}}
    assert not wire.half_closed
    assert sim.server.recent[-1].status == 200


def test_each_stream_has_its_own_time() -> None:
    sim, wire = connect(START + UPLOAD)
    sim.advance(LONG / 2)
    wire.send(headers(3, *pseudo(b"POST", b"/echo"), flags=END_HEADERS))
    sim.advance(LONG / 2)
    assert told(wire).answers == {1: 408}
    wire.send(data(3, b"four"))
    assert told(wire).answers == {1: 408, 3: 200}


# ---- bodies that nobody wants ------------------------------------------------


def test_a_body_that_nobody_wants_may_not_drip_either() -> None:
    unwanted = serialise(Outgoing(method="POST", target="/nowhere", fields=(("content-length", "1000"),)))
    sim, wire = connect(unwanted)
    started = sim.now.mono
    while not wire.closed:
        sim.advance(LONG / 10)
        wire.send(b"x")
    assert sim.now.mono - started == pytest.approx(LONG)
    assert statuses(wire) == [404]


# ---- answers -----------------------------------------------------------------


def test_a_socket_that_takes_a_byte_now_and_then_is_dropped() -> None:
    sim, wire = connect(NOW, credit=False)
    started = sim.now.mono
    while not wire.closed:
        sim.advance(LIMITS.write_progress / 10)
        wire.take(1)
    assert sim.now.mono - started == pytest.approx(LIMITS.write_progress)


def test_a_socket_that_is_slow_and_comes_on_is_served() -> None:
    sim, wire = connect(STREAM, credit=False, limits=Limits(progress_bytes=1000))
    while not bytes(wire.received).endswith(b"0\r\n\r\n"):
        sim.advance(LIMITS.write_progress - 1)
        assert wire.take(1000)
    assert not wire.closed


def test_a_stream_whose_window_drips_is_reset_and_its_neighbours_go_on() -> None:
    async def large(request: Request) -> Response:
        return Response(200, PLAIN, bytes(100_000))

    sim = serving(large)
    wire = sim.connect()
    wire.send(START + setting((4, 1)) + get(path=b"/it"))
    started = sim.now.mono
    while 1 not in told(wire).resets:
        sim.advance(LIMITS.write_progress / 10)
        wire.send(window(1, 1))
    assert sim.now.mono - started == pytest.approx(LIMITS.write_progress)
    assert told(wire).resets == {1: INTERNAL_ERROR}
    wire.send(setting((4, 200_000)) + window(0, 200_000) + get(3, path=b"/it"))
    assert told(wire).ended == {3}
    assert not wire.half_closed


def test_a_window_that_opens_a_little_at_a_time_is_served() -> None:
    async def large(request: Request) -> Response:
        return Response(200, PLAIN, bytes(5 * ENOUGH))

    sim = serving(large)
    wire = sim.connect()
    wire.send(START + setting((4, 0)) + get(path=b"/it"))
    for _ in range(5):
        sim.advance(LIMITS.write_progress - 1)
        wire.send(window(1, ENOUGH))
    assert told(wire).ended == {1}


# ---- heads -------------------------------------------------------------------


@pytest.mark.parametrize("continued", [False, True])
def test_a_field_section_of_http2_has_the_time_of_a_head(continued: bool) -> None:
    section = block(*pseudo())
    sim, wire = connect(START)
    sim.advance(LIMITS.keep_alive / 2)
    wire.send(frame(HEADERS, 1, 1, section[:3]))
    started = sim.now.mono
    for byte in section[3:8]:
        sim.advance(LIMITS.request_head / 4)
        if continued and not wire.half_closed:
            wire.send(frame(9, 0, 1, bytes([byte])))
    assert wire.half_closed
    assert sim.now.mono - started <= LIMITS.request_head * 1.25
    assert told(wire).goaway == NO_ERROR


def test_a_field_section_that_comes_in_time_is_served() -> None:
    section = block(*pseudo())
    sim, wire = connect(START + frame(HEADERS, 1, 1, section[:3]))
    sim.advance(LIMITS.request_head - 1)
    wire.send(frame(9, END_HEADERS, 1, section[3:]))
    assert set(told(wire).answers) == {1}
    sim.advance(LIMITS.keep_alive - 1)
    assert not wire.half_closed


def test_half_a_frame_is_no_idle_connection() -> None:
    sim, wire = connect(START + get()[:5])
    sim.advance(LIMITS.request_head)
    assert wire.half_closed
