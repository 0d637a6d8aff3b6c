"""Checks of the program's: asked once for many, bounded, never twice at a time; only the log hears why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fanlight import App
from fanlight.asks import Effect
from fanlight.health.checks import AwaitCheck, CallCheck
from fanlight.observe.records import Checked
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Outgoing
from tests.sim import LATER, Answered, Failed, Outcome, Pending, Sim, SimWire

READYZ = b"GET /api/readyz HTTP/1.1\r\nhost: localhost\r\n\r\n"
WAITING = b"GET /api/readyz?wait=true HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Program:
    """An app with one check, whose calls the test answers."""

    def __init__(self, function: Callable[[], Any] = lambda: None, **given: float) -> None:
        self.app = App()
        self.app.readiness.check("database", **given)(function)
        self.outcome: Outcome = Answered(None)
        self.calls = 0
        self.sim = Sim(self.app, answering=self.answer)
        self.check = self.app.readiness.checks[0]

    def answer(self, effect: Effect[Any]) -> Outcome:
        assert isinstance(effect, CallCheck | AwaitCheck)
        assert effect.check is self.check
        self.calls += 1
        if self.outcome is not LATER:
            self.check.busy = False  # as whoever calls it does
        return self.outcome

    def returns(self, answer: object) -> None:
        self.check.busy = False
        pending = self.sim.pending[0] if self.sim.pending else self.sim.cancelled.pop(0)
        self.sim.reply(pending, answer)

    def readyz(self, version: str = "1.1") -> tuple[int, bytes]:
        answer = HttpConnection(self.sim.connect(), version).exchange(Outgoing(target="/api/readyz"))
        return answer.status, answer.body

    @property
    def reasons(self) -> list[str]:
        return [note.reason for note in self.sim.notes if isinstance(note, Checked)]


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("answer", [None, True, 0, "fine"])
def test_whatever_is_not_false_passes(answer: object, version: str) -> None:
    program = Program()
    program.outcome = Answered(answer)
    assert program.readyz(version) == (200, b"ready")
    assert program.reasons == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(Answered(False), "returned False"), (Failed(OSError("staple")), "raised OSError")],
)
def test_a_check_that_fails_is_told_to_the_log_and_not_to_strangers(outcome: Outcome, reason: str) -> None:
    program = Program()
    program.outcome = outcome
    for _ in range(3):
        assert program.readyz() == (503, b"not ready")
        program.sim.advance(1.0)
    assert program.calls == 3
    program.outcome = Answered(True)
    assert program.readyz() == (200, b"ready")
    assert program.reasons == [reason, ""]  # each once


def test_what_it_raised_is_in_the_record() -> None:
    program = Program()
    program.outcome = Failed(error := OSError("disk"))
    program.readyz()
    assert [note.error for note in program.sim.notes if isinstance(note, Checked)] == [error]


def test_it_is_asked_at_most_once_in_a_while() -> None:
    program = Program(every=5.0)
    for _ in range(50):
        assert program.readyz()[0] == 200
        program.sim.advance(0.099)
    assert program.calls == 1
    program.sim.advance(0.1)
    program.readyz()
    assert program.calls == 2


def test_many_who_ask_at_once_get_one_answer() -> None:
    program = Program()
    program.outcome = LATER
    wires = [program.sim.connect() for _ in range(20)]
    for wire in wires:
        wire.send(READYZ)
    assert program.calls == 1
    program.returns(True)
    program.sim.advance(0)
    assert {bytes(wire.received)[9:12] for wire in wires} == {b"200"}
    assert program.calls == 1


def test_who_asked_first_may_leave_and_the_others_are_answered_all_the_same() -> None:
    program = Program(timeout=5.0)
    program.outcome = LATER
    wires = [program.sim.connect() for _ in range(5)]
    for wire in wires:
        wire.send(READYZ)
    for wire in wires[:4]:
        program.sim.advance(0.5)
        wire.abort()
    program.sim.advance(0.5)
    assert program.calls == 1  # the first call has not returned yet, so there is no other
    assert status(wires[4]) == b""
    program.outcome = Answered(True)
    program.returns(True)
    program.sim.advance(0.1)
    assert status(wires[4]) == b"200"
    assert (program.calls, program.reasons) == (2, [])


def status(wire: SimWire) -> bytes:
    return bytes(wire.received)[9:12]


def test_one_that_takes_too_long_fails_and_is_not_called_again_before_it_returns() -> None:
    program = Program(timeout=2.0)
    program.outcome = LATER
    wire = program.sim.connect()
    wire.send(READYZ)
    program.sim.advance(1.99)
    assert status(wire) == b""
    program.sim.advance(0.01)
    assert status(wire) == b"503"
    assert isinstance(program.sim.cancelled[0], Pending)
    for _ in range(100):
        program.sim.advance(1.0)
        assert program.readyz()[0] == 503
    assert program.calls == 1
    program.returns(True)
    program.outcome = Answered(True)
    program.sim.advance(1.0)
    assert program.readyz()[0] == 200
    assert program.reasons == ["took longer than 2 seconds", "the last call has not returned yet", ""]


def test_a_probe_that_waits_asks_until_it_passes() -> None:
    program = Program()
    program.outcome = Answered(False)
    wire = program.sim.connect()
    wire.send(WAITING)
    program.sim.advance(9.5)
    assert (status(wire), program.calls) == (b"", 10)
    program.outcome = Answered(True)
    program.sim.advance(1.1)
    assert status(wire) == b"200"


def test_while_a_condition_is_not_met_nobody_is_asked() -> None:
    program = Program()
    program.app.readiness.set("cache", False)
    assert program.readyz()[0] == 503
    assert program.calls == 0


def test_checks_are_asked_in_order_until_one_fails() -> None:
    program = Program()
    program.app.readiness.check("second")(lambda: None)
    program.outcome = Answered(False)
    assert program.readyz()[0] == 503
    assert program.calls == 1
    program.app.readiness.remove("database")
    program.check = program.app.readiness.checks[0]
    assert program.check.name == "second"
    program.outcome = Answered(True)
    assert program.readyz()[0] == 200


def test_readiness_that_is_withdrawn_while_a_check_is_at_work_counts() -> None:
    program = Program()
    program.outcome = LATER
    wire = program.sim.connect()
    wire.send(READYZ)
    program.app.readiness.set("cache", False)
    program.returns(True)
    assert status(wire) == b"503"


def test_a_function_is_called_and_an_async_one_awaited() -> None:
    async def ping() -> bool:
        return True

    class Pinging:
        async def __call__(self) -> bool:
            return True

    for function in (ping, Pinging()):
        program = Program(function)
        assert program.check.asynchronous
        assert program.readyz()[0] == 200
    assert not Program(lambda: None).check.asynchronous


def test_what_the_host_does_with_an_async_one() -> None:
    async def ping() -> str:
        return "pong"

    check = Program(ping).check
    task = AwaitCheck(check)
    check.busy = True
    with pytest.raises(StopIteration, match="pong"):
        task.run().send(None)
    assert check.busy
    task.ended()
    assert not check.busy


@pytest.mark.parametrize("given", [{"timeout": 0}, {"timeout": 61}, {"every": 0}, {"every": 3601}])
def test_seconds_make_sense(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="seconds"):
        App().readiness.check("x", **given)
