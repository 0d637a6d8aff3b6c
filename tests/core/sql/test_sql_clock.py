"""The time of a statement: only the engine's time counts, and what happened is what is told."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from fanlight.asks import Race, Sleep
from fanlight.http.websocket import Attend
from fanlight.sql.clock import Clock
from fanlight.sql.effects import Batch, FetchRows, Settle, SqlFailed
from fanlight.sql.errors import CANCELLED, TIMED_OUT, SqlError
from tests.core.sql.scripted import ONE, Handle

WORK = FetchRows(Handle(), b",", 100)
BATCH = Batch(b"", 0, 0, True, elapsed=0.25)


def timed(clock: Clock, *answers: Any) -> tuple[Any, list[Any]]:
    """What `timed` returns when its asks are answered so, and the asks."""
    routine = clock.timed(WORK)
    asks = [routine.send(None)]
    try:
        for answer in answers:
            ask = routine.send(answer)
            asks += [ask]
    except StopIteration as stop:
        return stop.value, asks
    raise AssertionError(asks)


def test_no_limit_is_no_race() -> None:
    assert timed(Clock(0.0), BATCH) == (BATCH, [WORK])


def test_time_runs_down_with_the_engines_work() -> None:
    clock = Clock(1.0)
    answer, asks = timed(clock, (0, BATCH))
    assert answer == BATCH
    assert asks == [Race((WORK, Sleep(1.0)))]
    assert timed(clock, (0, evolve(BATCH, elapsed=5.0)))[1] == [Race((WORK, Sleep(0.75)))]
    assert timed(clock, (0, BATCH))[1] == [Race((WORK, Sleep(0.0)))]


def test_what_was_stopped_timed_out() -> None:
    answer, asks = timed(Clock(1.0), (1, None), SqlFailed(CANCELLED, aborted=True))
    assert answer == SqlFailed(TIMED_OUT, aborted=True)
    assert asks[1] == Settle(WORK.session, WORK)


def test_what_never_ran_timed_out_and_aborted_nothing() -> None:
    assert timed(Clock(1.0), (1, None), None)[0] == SqlFailed(TIMED_OUT, aborted=False)


def test_what_ended_at_the_last_moment_ended() -> None:
    assert timed(Clock(1.0), (1, None), ONE)[0] == ONE
    failed = SqlFailed(SqlError("other", "22012"), aborted=True)
    assert timed(Clock(1.0), (1, None), failed)[0] == failed


WATCH = Attend(1.0)


def test_a_watch_that_is_answered_stops_the_work() -> None:
    answer, asks = timed(Clock(2.0, WATCH), (0, "stop"), SqlFailed(CANCELLED, aborted=True))
    assert answer == SqlFailed(CANCELLED, aborted=True)
    assert asks == [Race((WATCH, WORK, Sleep(2.0))), Settle(WORK.session, WORK)]
    assert timed(Clock(0.0, WATCH), (0, "left"), None) == (
        SqlFailed(CANCELLED, aborted=False),
        [Race((WATCH, WORK)), Settle(WORK.session, WORK)],
    )


def test_a_watch_changes_nothing_for_work_that_ends() -> None:
    clock = Clock(1.0, WATCH)
    assert timed(clock, (1, BATCH))[0] == BATCH
    assert timed(clock, (2, None), None) == (
        SqlFailed(TIMED_OUT, aborted=False),
        [Race((WATCH, WORK, Sleep(0.75))), Settle(WORK.session, WORK)],
    )
