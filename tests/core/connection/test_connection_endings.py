"""The connection: shutdown with each activity, clients that leave, and what is thrown away late."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight import App, Request, Response
from fanlight.observe.records import Failure
from tests.clients.http1 import serialise
from tests.clients.messages import Outgoing
from tests.clients.websocket import CLOSE, TEXT, frame
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
    said,
    statuses,
)
from tests.sim import Sim, SimWire
from tests.stateful.world import LIMITS, SECRET, Release, Work

# ---- shutdown ----------------------------------------------------------------

ENDINGS: list[tuple[str, bytes, list[str], list[int]]] = [
    ("nothing yet", b"", ["close"], []),
    ("half a preface", b"P", ["close"], []),
    ("idle", NOW, ["close"], [200]),
    ("half a head", NOW[:9], ["half close"], []),
    ("lingering", LAST, [], [200]),
]


@pytest.mark.parametrize(("sent", "expected", "answers"), [r[1:] for r in ENDINGS], ids=[r[0] for r in ENDINGS])
def test_shutdown_of_what_has_nothing_in_hand(sent: bytes, expected: list[str], answers: list[int]) -> None:
    sim, wire = connect(sent)
    before = len(sim.transcript)
    sim.shutdown(5)
    assert said(sim, before) == expected
    assert statuses(wire) == answers
    sim.advance(5)
    assert wire.closed
    assert sim.server.drained


def test_shutdown_lets_a_request_finish_and_takes_no_other() -> None:
    sim, wire = connect(WAIT + NOW)
    sim.shutdown(5)
    assert not wire.half_closed
    sim.advance(4)
    sim.reply(sim.pending[0], "done")
    assert statuses(wire) == [200]
    assert b"connection: close\r\n" in wire.received
    assert wire.half_closed


@pytest.mark.parametrize("sent", [WAIT, UPLOAD, HOLD, STREAM, OPENING], ids=str)
def test_when_the_grace_is_over_it_ends(sent: bytes) -> None:
    sim, wire = connect(sent, credit=False)
    sim.shutdown(5)
    sim.advance(5)
    assert wire.closed
    for pending in list(sim.pending):
        assert isinstance(pending.effect, Release)
        sim.reply(pending)
    assert finished(wire)
    assert sim.server.drained


def test_a_shorter_grace_wins() -> None:
    sim, wire = connect(WAIT)
    sim.shutdown(5)
    sim.shutdown(1)
    sim.shutdown(9)
    sim.advance(1)
    assert wire.closed


def test_shutdown_tells_a_websocket() -> None:
    sim, wire = connect(OPENING)
    wire.received.clear()
    sim.shutdown(5)
    assert bytes(wire.received) == bytes([0x80 | CLOSE, 2]) + (1001).to_bytes(2, "big")
    sim.reply(sim.pending[0])
    assert wire.half_closed


# ---- clients that leave ------------------------------------------------------


def test_a_departure_cancels_the_work_and_lets_the_cleanup_run() -> None:
    sim, wire = connect(OPENING)
    wire.send(frame(TEXT, b"hello"))
    wire.abort()
    (release,) = sim.pending
    assert release.effect == Release(1)
    assert not finished(wire)
    sim.reply(release)
    assert finished(wire)
    assert sim.server.drained


def test_a_late_answer_is_dropped() -> None:
    sim, wire = connect(WAIT)
    wire.abort()
    (cancelled,) = sim.cancelled
    assert cancelled.effect == Work("/wait")
    sim.reply(cancelled, "late")
    assert statuses(wire) == []
    wire.connection.reply(999, "nobody asked", None, sim.now)
    assert finished(wire)


def test_a_cleanup_that_gets_no_answer_is_given_up() -> None:
    sim, wire = connect(HOLD)
    wire.abort()
    sim.advance(LIMITS.cleanup - 0.001)
    assert not finished(wire)
    sim.advance(0.001)
    assert finished(wire)
    assert [item.effect for item in sim.cancelled] == [Release(1)]
    assert sim.server.drained


def stubborn() -> App:
    """An app whose handler awaits again and again, whatever is thrown (three times, for the interpreter's sake)."""
    made = App(pages=False)

    @made.route("GET", "/never")
    async def never(request: Request) -> Response:
        for _ in range(3):
            try:
                await Work("/never")
            except BaseException:  # noqa: BLE001  the bug that is tested
                continue
        return Response(200)

    return made


def test_a_routine_that_never_ends_is_dropped_and_told() -> None:
    sim = Sim(stubborn())
    wire = sim.connect()
    wire.send(serialise(Outgoing(target="/never")))
    wire.abort()
    sim.advance(60)
    assert finished(wire)
    (failure,) = [note for note in sim.notes if isinstance(note, Failure)]
    assert failure.where == "/never"


def test_a_failed_effect_is_a_500_with_its_cause_in_the_log_alone() -> None:
    sim, wire = connect(WAIT)
    sim.reply(sim.pending[0], error=ValueError(SECRET))
    assert statuses(wire) == [500]
    assert SECRET.encode() not in wire.received
    (failure,) = [note for note in sim.notes if isinstance(note, Failure)]
    assert isinstance(failure.error.__cause__, ValueError)


Act = Callable[[Sim, SimWire], object]
ACTS: list[Act] = [
    lambda sim, wire: wire.send(NOW),
    lambda sim, wire: wire.send(NOW[:9]),
    lambda sim, wire: wire.send(WAIT),
    lambda sim, wire: wire.finish(),
    lambda sim, wire: wire.take(10),
    lambda sim, wire: wire.take(),
    lambda sim, wire: sim.shutdown(3),
    lambda sim, wire: sim.pending and sim.reply(sim.pending[0], "x"),  # type: ignore[func-returns-value]
]


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from([0.0, 1.0, 20.0]))))
def test_whatever_happens_it_ends_when_the_client_is_gone(acts: list[tuple[Act, float]]) -> None:
    sim, wire = connect(credit=False)
    for act, seconds in acts:
        act(sim, wire)
        sim.advance(seconds)
    wire.abort()
    sim.advance(LIMITS.cleanup)
    assert finished(wire)
    assert (sim.server.drained, sim.deadline, sim.server.busy) == (True, inf, 0)
    assert said(sim).count("close") <= 1
