"""The gate: places, order, being sent away."""

from __future__ import annotations

import threading
import time

from fanlight.sql.effects import Interrupt
from fanlight_engines.duckdb.gate import Gate


def wait_until(condition: threading.Event) -> None:
    assert condition.wait(5)


def test_places() -> None:
    gate = Gate(2)
    assert gate.enter(Interrupt())
    assert gate.enter(Interrupt())
    assert gate.inside == 2
    gate.leave()
    assert gate.inside == 1
    gate.leave()


def test_an_interrupt_that_came_before() -> None:
    interrupt = Interrupt()
    interrupt.asked = True
    assert not Gate(1).enter(interrupt)


def start_waiters(gate: Gate, interrupts: list[Interrupt], came: list[int]) -> list[threading.Thread]:
    """Threads that queue up one behind the other."""
    threads = []
    for number, interrupt in enumerate(interrupts):

        def wait(number: int = number, interrupt: Interrupt = interrupt) -> None:
            if gate.enter(interrupt):
                came.append(number)
                gate.leave()
            else:
                came.append(-number)

        thread = threading.Thread(target=wait)
        thread.start()
        threads.append(thread)
        deadline = time.monotonic() + 5
        while len(gate._waiting) <= number and time.monotonic() < deadline:
            time.sleep(0.001)
    return threads


def test_first_come_first_served() -> None:
    gate, came = Gate(1), list[int]()
    assert gate.enter(Interrupt())
    threads = start_waiters(gate, [Interrupt() for _ in range(4)], came)
    gate.leave()
    for thread in threads:
        thread.join(5)
    assert came == [0, 1, 2, 3]
    assert gate.inside == 0


def test_whoever_is_sent_away_holds_up_nobody() -> None:
    gate, came = Gate(1), list[int]()
    assert gate.enter(Interrupt())
    interrupts = [Interrupt() for _ in range(3)]
    threads = start_waiters(gate, interrupts, came)
    interrupts[1].asked = True
    gate.send_away(interrupts[1])
    gate.send_away(Interrupt())
    threads[1].join(5)
    assert came == [-1]
    gate.leave()
    for thread in threads:
        thread.join(5)
    assert came == [-1, 0, 2]
