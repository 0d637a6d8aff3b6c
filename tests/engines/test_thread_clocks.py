"""The clocks of threads: each its own, safe to read when the thread has ended."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from fanlight_engines.profiling import thread_clocks
from fanlight_engines.profiling.thread_clocks import Meters
from tests.engines.working import burn, idle, working

pytestmark = pytest.mark.skipif(not thread_clocks.thread_clocks(), reason="this system has no clocks of threads")


def ident_of(name: str) -> int:
    return next(thread.ident or 0 for thread in threading.enumerate() if thread.name == name)


def test_every_thread_has_one() -> None:
    with working(("waits", idle)):
        assert thread_clocks.thread_clocks().keys() >= {threading.get_ident(), ident_of("waits")}


def test_a_meter_counts_what_its_thread_uses() -> None:
    meters = Meters()
    with working(("works", burn), ("waits", idle)):
        meters.meet(sys._current_frames().keys())
        assert meters.known
        meters.advance()
        before = time.process_time_ns()
        time.sleep(0.3)
        used = meters.advance()
        process = time.process_time_ns() - before
        works, waits = ident_of("works"), ident_of("waits")
        assert 0 < used[works] <= process * 1.05 + 5e6
        assert used[works] > process * 0.5
        assert used.get(waits, 0) < used[works] / 10
        assert meters.by_thread[works].used >= used[works]
        assert meters.by_thread[works].take() >= used[works]
        assert meters.by_thread[works].used == 0


def test_one_thread_alone() -> None:
    meters = Meters()
    with working(("works", burn)):
        works = ident_of("works")
        meters.meet(sys._current_frames().keys())
        meters.advance()
        until = time.process_time() + 0.3
        while time.process_time() < until:
            time.sleep(0.01)
        assert meters.advance_one(works) > 100_000_000
        assert meters.advance().get(works, 0) < 100_000_000
    assert meters.advance_one(works) < 100_000_000


def test_who_is_there_first_starts_from_now_and_who_comes_later_from_birth() -> None:
    first, later = Meters(), Meters()
    later.meet({threading.get_ident()})
    with working(("ada", burn)):
        ada = ident_of("ada")
        until = time.process_time() + 0.3
        while time.process_time() < until:
            time.sleep(0.01)
        first.meet({ada})
        assert first.advance().get(ada, 0) < 200_000_000
        later.meet({ada})
        assert later.advance()[ada] > 200_000_000


def test_a_thread_that_ended_is_forgotten() -> None:
    meters = Meters()
    with working(("short", idle)):
        short = ident_of("short")
        meters.meet(sys._current_frames().keys())
        assert short in meters.by_thread
    until = time.monotonic() + 10
    while short in meters.by_thread and time.monotonic() < until:
        meters.advance()
        time.sleep(0.01)
    assert short not in meters.by_thread


def test_many_threads_that_come_and_go_harm_nothing() -> None:
    meters = Meters()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        for _ in range(20):
            threading.Thread(target=time.sleep, args=(0.0005,)).start()
        meters.meet(sys._current_frames().keys())
        meters.advance()
    assert threading.get_ident() in meters.by_thread


def test_without_clocks_there_are_no_meters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_clocks, "thread_clocks", dict)
    meters = Meters()
    meters.meet({1, 2})
    assert (meters.known, meters.by_thread, meters.advance()) == (False, {}, {})


def test_a_thread_that_is_ending_is_met_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def ending() -> dict[int, int]:
        raise OSError

    meters = Meters()
    with monkeypatch.context() as patched:
        patched.setattr(thread_clocks, "thread_clocks", ending)
        meters.meet(sys._current_frames().keys())
    assert not meters.known
    meters.meet(sys._current_frames().keys())
    assert meters.known
