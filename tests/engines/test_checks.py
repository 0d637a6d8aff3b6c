"""The engine of the checks: in threads of its own, and never what nobody waits for."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from fanlight.health.checks import CallCheck, Check
from fanlight_engines.checks import Checks
from fanlight_engines.performer import Performer

PATIENCE = 10.0


def effect(function: object) -> CallCheck:
    check = Check("database", function, 1.0, 1.0)  # type: ignore[arg-type]
    check.busy = True
    return CallCheck(check)


def test_what_a_check_returns_and_raises_comes_back_and_it_is_not_busy_any_more() -> None:
    engine = Checks()
    good = effect(lambda: "fine")
    assert engine.handlers[CallCheck](good) == "fine"
    assert not good.check.busy

    def raises() -> None:
        raise OSError("disk")

    bad = effect(raises)
    with pytest.raises(OSError, match="disk"):
        engine.handlers[CallCheck](bad)
    assert not bad.check.busy


def test_one_that_was_cancelled_before_it_began_is_not_called() -> None:
    engine, called = Checks(), list[str]()
    late = effect(lambda: called.append("called"))
    engine.interrupts[CallCheck](late)
    assert engine.handlers[CallCheck](late) is None
    assert called == []
    assert not late.check.busy


def test_checks_that_hang_keep_no_other_work_waiting() -> None:
    performer, done = Performer([Checks()]), SimpleQueue[object]()
    hang = threading.Event()
    for _ in range(Checks.own_threads * 2):
        performer.submit(effect(lambda: hang.wait(PATIENCE)), lambda answer, error: done.put(answer))
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("fanlight-checks")]
    assert len(names) == Checks.own_threads
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fanlight-worker")]
    hang.set()
    assert [done.get(timeout=PATIENCE) for _ in range(Checks.own_threads * 2)] == [True] * Checks.own_threads * 2
    performer.close()
