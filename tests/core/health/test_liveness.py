"""Liveness: beats to the program's loops, and when one counts as stuck."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from fanlight import App
from fanlight.health.liveness import BEATS, Liveness
from fanlight.observe.records import Trouble
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import Sim


class Loop:
    """A loop of the program's: it turns when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.closed = False

    def soon(self, call: Callable[[], None]) -> None:
        if self.closed:
            raise RuntimeError("the loop is closed")
        self.calls.append(call)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


def test_without_a_loop_nothing_is_done() -> None:
    liveness = Liveness()
    assert liveness.deadline == inf
    assert liveness.beat(0.0) == []
    assert not liveness.stuck


def test_a_loop_that_turns_is_alive_for_ever() -> None:
    liveness, loop = Liveness(), Loop()
    liveness.watch(loop.soon, seconds=10)
    for _ in range(100):
        assert liveness.beat(liveness.deadline) == []
        assert len(loop.calls) == 1
        loop.turn()
    assert not liveness.stuck


def test_a_loop_that_misses_its_beats_is_stuck_until_it_turns() -> None:
    liveness, loop = Liveness(), Loop()
    liveness.watch(loop.soon, seconds=10, name="web")
    liveness.beat(100.0)
    for beat in range(1, BEATS):
        assert liveness.beat(100.0 + 2.5 * beat) == []
        assert not liveness.stuck
    assert liveness.beat(110.0) == [Trouble("the event loop 'web' takes no turns")]
    assert liveness.stuck
    for beat in range(1000):
        assert liveness.beat(112.5 + 2.5 * beat) == []
    assert len(loop.calls) == 1
    loop.turn()
    assert liveness.stuck  # until it was looked at
    assert liveness.beat(liveness.deadline) == [Trouble("the event loop 'web' takes turns again")]
    assert not liveness.stuck


def test_a_process_that_was_stopped_as_a_whole_has_missed_nothing() -> None:
    liveness, loop = Liveness(), Loop()
    liveness.watch(loop.soon, seconds=1)
    liveness.beat(0.0)
    assert liveness.beat(3600.0) == []
    assert not liveness.stuck


def test_between_beats_nothing_is_sent() -> None:
    liveness, loop = Liveness(), Loop()
    liveness.watch(loop.soon, seconds=10)
    liveness.beat(0.0)
    loop.turn()
    assert liveness.deadline == 2.5
    liveness.beat(2.4)
    assert loop.calls == []


def test_a_loop_that_has_ended_is_watched_no_more() -> None:
    liveness, loop = Liveness(), Loop()
    liveness.watch(loop.soon)
    liveness.beat(0.0)
    loop.closed = True
    loop.turn()
    assert liveness.beat(10.0) == []
    assert (liveness.deadline, liveness.stuck) == (inf, False)


def test_who_adds_a_loop_is_heard() -> None:
    liveness, told = Liveness(), list[float]()
    stop = liveness.told(lambda: told.append(liveness.deadline))
    liveness.watch(Loop().soon, name="one")
    stop()
    liveness.watch(Loop().soon, name="two")
    liveness.forget("two")
    liveness.forget("never there")
    assert told == [-inf]


@pytest.mark.parametrize("seconds", [0, 0.5, 3601])
def test_seconds_make_sense(seconds: float) -> None:
    with pytest.raises(ValueError, match="1 to 3600"):
        Liveness().watch(Loop().soon, seconds=seconds)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_probe_says_so_and_the_log_hears_it(version: str) -> None:
    app, loop = App(), Loop()
    app.liveness.watch(loop.soon, seconds=10)
    sim = Sim(app)
    client = HttpConnection(sim.connect(), version)

    def livez() -> tuple[int, bytes]:
        answer = client.exchange(Outgoing(target="/api/livez"))
        return answer.status, answer.body

    for _ in range(20):
        sim.advance(1.0)
        loop.turn()
    assert livez() == (200, b"Liveness check successful!")
    sim.advance(13.0)
    assert livez() == (503, b"event loop unresponsive")
    loop.turn()
    sim.advance(3.0)
    assert livez() == (200, b"Liveness check successful!")
    assert [note.text for note in sim.notes if isinstance(note, Trouble)] == [
        "the event loop 'main' takes no turns",
        "the event loop 'main' takes turns again",
    ]
