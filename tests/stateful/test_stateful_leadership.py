"""Any order of moves by the program and requests by clients: the table of states, and no way back."""

from __future__ import annotations

import json

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fanlight import App, ManualLeader
from fanlight.health.leadership import STATES, State
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim

VERSION = st.sampled_from(["1.1", "2"])
LEADS_TO: dict[str, dict[State, State]] = {
    "set_catching_up": {"Initializing": "CatchingUp"},
    "set_ready_to_promote": {"Initializing": "ReadyToPromote", "CatchingUp": "ReadyToPromote"},
    "set_is_leader": {"Initializing": "IsLeader", "Promoting": "IsLeader"},
}


class LeadershipMachine(RuleBasedStateMachine):
    """A program that moves its leadership, and clients that ask for it."""

    def __init__(self) -> None:
        super().__init__()
        self.app = App(leader=ManualLeader())
        self.sim = Sim(self.app)
        self.clients = {version: HttpConnection(self.sim.connect(), version) for version in ("1.1", "2")}
        self.state: State = "Initializing"
        self.told: list[State] = []
        self.passed: list[State] = []
        self.fired = {"skipped": 0, "promoted": 0}

    @initialize()
    def watch(self) -> None:
        self.app.leadership.watch(self.told.append)
        self.app.leadership.skipped.watch(lambda: self.fire("skipped"))
        self.app.leadership.promoted.watch(lambda: self.fire("promoted"))
        self.expected = {"skipped": 0, "promoted": 0}

    def fire(self, name: str) -> None:
        self.fired[name] += 1

    def moved(self, state: State) -> None:
        self.state = state
        self.passed.append(state)

    def ask(self, version: str, method: str, path: str) -> Answer:
        return self.clients[version].exchange(Outgoing(method=method, target=f"/api/leader/{path}"))

    @rule(move=st.sampled_from(sorted(LEADS_TO)))
    def program(self, move: str) -> None:
        target = LEADS_TO[move].get(self.state)
        try:
            getattr(self.app.leadership, move)()
        except RuntimeError:
            assert target is None
        else:
            assert target is not None
            self.moved(target)

    @rule(version=VERSION)
    def promote(self, version: str) -> None:
        answer = self.ask(version, "POST", "promote")
        refused = self.state in ("Initializing", "CatchingUp")
        assert answer.status == (400 if refused else 200)
        if self.state == "ReadyToPromote":
            self.moved("Promoting")
            self.expected["promoted"] = 1

    @rule(version=VERSION)
    def skip(self, version: str) -> None:
        answer = self.ask(version, "POST", "skip-catchup")
        assert answer.status == (400 if self.state == "Initializing" else 204)
        if self.state == "CatchingUp":
            self.expected["skipped"] = 1

    @rule(version=VERSION)
    def status(self, version: str) -> None:
        shown = "Initializing" if self.state == "CatchingUp" else self.state
        assert json.loads(self.ask(version, "GET", "status").body) == {"status": shown}

    @rule()
    def lose(self) -> None:
        self.app.leadership.lose("the lock is gone")

    @invariant()
    def everything_is_as_the_table_says(self) -> None:
        leadership = self.app.leadership
        assert leadership.state == self.state
        assert self.told == self.passed
        assert [STATES.index(state) for state in self.told] == sorted({STATES.index(state) for state in self.told})
        assert self.fired == getattr(self, "expected", self.fired)
        assert leadership.leads == (self.state == "IsLeader" and not leadership.lost.happened)


TestLeadership = LeadershipMachine.TestCase
