"""The connection: its states, its deadlines, its back-pressure."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight import Limits
from fanlight.observe.records import AccessRecord
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.core.connection.connecting import (
    HOLD,
    LAST,
    NOW,
    OPENING,
    STREAM,
    UPLOAD,
    WAIT,
    connect,
    finished,
    reading,
    said,
    statuses,
)
from tests.stateful.world import LIMITS

# ---- states ------------------------------------------------------------------


def test_an_answer_leaves_the_connection_open_for_the_next() -> None:
    _, wire = connect(NOW + NOW)
    wire.send(NOW)
    assert statuses(wire) == [200, 200, 200]
    assert wire.connection.state == "open"
    assert not wire.half_closed


def test_the_last_answer_is_followed_by_a_close_in_stages() -> None:
    sim, wire = connect(LAST)
    assert said(sim) == ["send", "half close"]
    assert wire.connection.state == "lingering"
    wire.finish()
    assert said(sim)[2:] == ["close"]
    assert finished(wire)
    assert sim.server.drained


def test_nothing_is_closed_before_the_socket_took_it_all() -> None:
    sim, wire = connect(LAST, credit=False)
    assert said(sim) == ["send"]
    assert wire.connection.state == "closing"
    wire.take(wire.untaken - 1)
    assert said(sim) == ["send"]
    wire.take()
    assert said(sim) == ["send", "half close"]


def test_what_arrives_while_it_lingers_is_thrown_away_within_a_bound() -> None:
    sim, wire = connect(LAST, limits=Limits(unread_body_bytes=100))
    wire.send(b"x" * 60)
    wire.send(b"x" * 40)
    assert wire.connection.state == "lingering"
    assert reading(wire)
    wire.send(b"x")
    assert wire.closed
    assert statuses(wire) == [200]
    assert sim.server.drained


def test_lingering_ends_after_its_time() -> None:
    sim, wire = connect(LAST)
    sim.advance(LIMITS.linger - 0.001)
    assert not wire.closed
    sim.advance(0.001)
    assert wire.closed


def test_a_client_that_has_said_its_end_needs_no_stages() -> None:
    sim, wire = connect(NOW)
    wire.finish()
    assert said(sim) == ["send", "close"]


def test_an_end_while_a_request_is_in_hand_means_that_the_client_is_gone() -> None:
    sim, wire = connect(WAIT)
    wire.finish()
    assert said(sim) == ["perform", "cancel", "close"]
    assert wire.received == b""


@pytest.mark.parametrize("sent", [b"", NOW, WAIT, UPLOAD, HOLD, LAST, OPENING, b"GET"])
def test_closed_means_silence(sent: bytes) -> None:
    sim, wire = connect(sent)
    wire.abort()
    for pending in list(sim.pending):
        sim.reply(pending)
    connection = wire.connection
    assert (connection.state, connection.finished, connection.wants_read) == ("closed", True, False)
    assert connection.deadline == inf
    connection.receive_data(NOW, sim.now)
    connection.receive_data(b"", sim.now)
    connection.handle_timeout(sim.now)
    connection.shutdown(1.0, sim.now)
    connection.reply(1, "late", None, sim.now)
    connection.lost(sim.now)
    assert connection.poll() is None
    assert sim.deadline == inf


# ---- deadlines ---------------------------------------------------------------

PHASES = [
    ("nothing came", b"", LIMITS.keep_alive, []),
    ("half a preface", b"P", LIMITS.keep_alive, []),
    ("half a head", NOW[:-2], LIMITS.request_head, [408]),
    ("an idle connection", NOW, LIMITS.keep_alive, [200]),
    ("half the next head", NOW + NOW[:9], LIMITS.request_head, [200, 408]),
    ("a body that somebody waits for", UPLOAD + b"1234", LIMITS.body_progress, [408]),
    ("a body that nobody wants", serialise(Outgoing(target="/now", fields=(("content-length", "9"),))), 30.0, [200]),
]


@pytest.mark.parametrize(("sent", "seconds", "answers"), [row[1:] for row in PHASES], ids=[row[0] for row in PHASES])
def test_each_phase_has_its_time(sent: bytes, seconds: float, answers: list[int]) -> None:
    sim, wire = connect(sent)
    assert sim.deadline <= sim.now.mono + seconds
    sim.advance(seconds - 0.001)
    assert wire.connection.state == "open"
    sim.advance(0.001)
    assert wire.connection.state != "open"
    assert statuses(wire) == answers
    sim.advance(LIMITS.linger)
    assert wire.closed
    assert sim.server.drained


def test_a_head_must_be_whole_in_time_however_it_drips() -> None:
    sim, wire = connect(NOW[:4])
    for byte in NOW[4:20]:
        sim.advance(0.9)
        wire.send(bytes([byte]))
    assert statuses(wire) == [408]


def test_work_has_no_deadline_of_ours() -> None:
    sim, wire = connect(WAIT)
    sim.advance(3600)
    sim.reply(sim.pending[0], "at last")
    assert statuses(wire) == [200]


def test_a_socket_that_takes_nothing_is_dropped() -> None:
    sim, wire = connect(NOW, credit=False)
    sim.advance(LIMITS.write_progress - 0.001)
    assert not wire.closed
    sim.advance(0.001)
    assert said(sim) == ["send", "close"]


def test_a_routine_whose_client_stops_reading_is_told() -> None:
    sim, wire = connect(STREAM, credit=False)
    sim.advance(LIMITS.write_progress + 1)
    assert wire.closed
    assert [note.status for note in sim.notes if isinstance(note, AccessRecord)] == []
    assert [record.path for record in sim.server.recent] == ["/stream"]
    assert sim.server.drained


@pytest.mark.parametrize("sent", [b"", NOW[:9], NOW, WAIT, UPLOAD, HOLD, LAST, OPENING])
def test_early_and_spurious_timeouts_do_nothing(sent: bytes) -> None:
    sim, wire = connect(sent)
    before, deadline, state = list(sim.transcript), sim.deadline, wire.connection.state
    for _ in range(3):
        wire.connection.handle_timeout(sim.now)
        sim.server.handle_timeout(sim.now)
        sim.settle()
    assert (sim.transcript, sim.deadline, wire.connection.state) == (before, deadline, state)


@given(st.lists(st.integers(0, len(NOW) * 2 + len(UPLOAD) + 9), max_size=6))
def test_cuts_and_spurious_timeouts_change_no_byte(cuts: list[int]) -> None:
    whole = NOW + UPLOAD + b"123456789" + NOW
    _, at_once = connect(whole)
    sim, wire = connect()
    at = 0
    for cut in [*sorted(cuts), len(whole)]:
        if cut > at:
            wire.send(whole[at:cut])
            wire.connection.handle_timeout(sim.now)
            at = cut
    wire.send(whole[at:])
    assert wire.received == at_once.received


# ---- back-pressure -----------------------------------------------------------


def test_a_client_that_takes_nothing_is_read_no_more() -> None:
    sim, wire = connect(STREAM, credit=False)
    sim.advance(0.5)
    assert wire.connection.backlog > LIMITS.high_water
    assert not reading(wire)
    held = len(wire.received)
    sim.advance(1)
    assert len(wire.received) == held, "the producer waits"
    wire.take()
    assert reading(wire)
    for _ in range(30):
        sim.advance(0)
        wire.take()
    assert bytes(wire.received).endswith(b"0\r\n\r\n")


def test_requests_that_wait_are_read_up_to_a_bound() -> None:
    sim, wire = connect(WAIT, limits=LIMITS)
    for _ in range(LIMITS.input_bytes // len(NOW) + 50):
        wire.send(NOW)
    assert not reading(wire)
    assert wire.connection.wire.held <= LIMITS.input_bytes + len(NOW)
    sim.reply(sim.pending[0], "done")
    sim.advance(1)
    assert len(statuses(wire)) == LIMITS.input_bytes // len(NOW) + 51
    assert reading(wire)


def test_many_requests_in_one_input_give_the_loop_its_turns() -> None:
    sim, wire = connect(NOW * 100)
    first = len(statuses(wire))
    assert 0 < first < 100
    assert sim.deadline <= sim.now.mono
    sim.advance(0)
    assert len(statuses(wire)) == 100
    assert sim.server.busy == 0
