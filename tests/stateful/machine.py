"""The part of a stateful machine that every protocol shares: answering, time, credit, ends, invariants."""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fanlight.asks import Effect
from fanlight.observe.records import Failure
from tests.sim import LATER, Answered, Outcome, Sim
from tests.stateful.world import CHUNK, CREDENTIAL, LIMITS, SECRET, Acquire, Release, Work, app

ABOVE_HIGH_WATER = 2 * CHUNK + 64 * 1024
"""One chunk of the program, one message, and the frames around them."""


class ConnectionMachine(RuleBasedStateMachine):
    """One connection and a client; subclasses add what the client may send."""

    def __init__(self) -> None:
        super().__init__()
        self.acquired: list[int] = []
        self.released: list[int] = []
        self.sim = Sim(app(), answering=self.answer)
        self.wire = self.sim.connect(credit=False)
        self.connection = self.wire.connection

    def answer(self, effect: Effect[Any]) -> Outcome:
        """Release at once; acquire at once and remember it; work waits for `finish_work`."""
        if isinstance(effect, Acquire):
            self.acquired.append(len(self.acquired))
            return Answered(self.acquired[-1])
        if isinstance(effect, Release):
            self.released.append(effect.held)
            return Answered(None)
        return LATER

    # ---- rules ---------------------------------------------------------------

    def working(self) -> list[Any]:
        return [pending for pending in self.sim.pending if isinstance(pending.effect, Work)]

    @precondition(lambda self: self.working())
    @rule(pick=st.integers(0, 100), fails=st.booleans())
    def finish_work(self, pick: int, fails: bool) -> None:
        pending = self.working()[pick % len(self.working())]
        self.sim.reply(pending, "done", RuntimeError(SECRET) if fails else None)

    @precondition(lambda self: self.sim.cancelled)
    @rule()
    def answer_too_late(self) -> None:
        self.sim.reply(self.sim.cancelled[-1], "late")

    @rule(seconds=st.sampled_from([0, 0.001, 1, 5, 12, 40, 80]))
    def let_time_pass(self, seconds: float) -> None:
        self.sim.advance(seconds)

    @rule()
    def spurious_timeout(self) -> None:
        before = self.connection.state
        self.connection.handle_timeout(self.sim.now)
        self.sim.settle([self.wire])
        assert self.connection.state == before or self.connection.deadline >= 0

    @rule(share=st.sampled_from([1, 100, 10_000, None]))
    def socket_takes(self, share: int | None) -> None:
        self.wire.take(share)

    @rule()
    def end_of_input(self) -> None:
        self.wire.finish()

    @rule()
    def client_vanishes(self) -> None:
        self.wire.abort()

    @rule(grace=st.sampled_from([0.0, 2.0]))
    def shut_down(self, grace: float) -> None:
        self.sim.shutdown(grace)

    # ---- invariants ----------------------------------------------------------

    @invariant()
    def holds_no_more_than_allowed(self) -> None:
        assert self.connection.backlog <= LIMITS.high_water + ABOVE_HIGH_WATER

    @invariant()
    def asks_belong_to_waiting_routines(self) -> None:
        for conversation in self.connection.conversations():
            assert len(conversation.performing or ()) <= max(1, len(conversation.asks))
            assert conversation.gone or conversation.routine is not None or conversation.ending

    @invariant()
    def one_record_for_each_request(self) -> None:
        assert len(self.sim.server.recent) + self.connection.streams == self.connection.requests

    @invariant()
    def some_deadline_exists_while_open(self) -> None:
        # Work has its engine's own deadline; a quiet WebSocket may stay (TCP keep-alive finds dead peers).
        busy = any(item.performing or item.socket is not None for item in self.connection.conversations())
        if self.connection.state in ("open", "lingering") and not busy and not self.wire.closed:
            assert self.connection.deadline < inf

    @invariant()
    def closed_means_silence(self) -> None:
        if self.connection.state == "closed":
            assert not self.connection.wants_read
            assert self.connection.poll() is None

    @invariant()
    def no_secret_is_told(self) -> None:
        assert SECRET.encode() not in bytes(self.wire.received)
        for note in self.sim.notes:
            if not isinstance(note, Failure):  # a failure keeps its exception, for the log alone
                assert SECRET not in repr(note)
            assert CREDENTIAL not in repr(note)

    @invariant()
    def nothing_is_released_twice(self) -> None:
        assert len(self.released) == len(set(self.released))

    def teardown(self) -> None:
        self.wire.abort()
        for pending in list(self.sim.pending):
            self.sim.reply(pending, "done")
        self.sim.advance(LIMITS.cleanup + 1)
        assert self.connection.finished
        assert sorted(self.released) == self.acquired
        assert self.sim.server.drained
        assert self.sim.deadline == inf
