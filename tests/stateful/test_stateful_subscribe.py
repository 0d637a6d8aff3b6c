"""Any order of changes, ticks, slow readers, cancels and ends for subscribers in every form, on both versions of HTTP.

What must hold: whatever a client was told adds up to the relation as it is, once
everybody has read and a tick has passed; no change contradicts what was told
before; timestamps never go back; one evaluation at a time; nothing is left behind.
"""

from __future__ import annotations

import json
from typing import Any

from h2.exceptions import ProtocolError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fanlight import Limits
from fanlight.observe.records import Failure
from fanlight.sql.effects import Evaluate
from fanlight.sql.statements import Envelope
from tests.clients.blocking import WebSocket
from tests.clients.websocket import Closed
from tests.core.sql.replica import Replica
from tests.core.sql.sockets import BENCHES, Bench, heard

LIMITS = Limits(high_water=128)
# An evaluation may wait for its answer for as long as the machine likes.
HELLO = {"user": "ada", "password": "", "options": {"statement_timeout": "0"}}
FORMS: dict[str, tuple[Envelope | None, bool]] = {
    "": (None, False),
    " with (progress)": (None, True),
    " within timestamp order by v desc, mz_diff": (None, False),
    " envelope upsert (key (k))": (Envelope("upsert", ("k",)), False),
    " envelope debezium (key (k)) with (progress = true)": (Envelope("debezium", ("k",)), True),
}
ROWS = st.sampled_from([b'["%d",%b]' % (key, value) for key in range(3) for value in (b'"a"', b'"b"', b"null")])
STATES = st.dictionaries(ROWS, st.integers(1, 2), max_size=6)


class Client:
    """One subscriber: what it has been told, and what that adds up to."""

    def __init__(self, bench: Bench, version: str, table: str, clauses: str) -> None:
        self.socket: WebSocket = bench.session(version, HELLO)
        self.number = len(bench.engine.sessions)
        envelope, progress = FORMS[clauses]
        self.progress = progress
        self.replica = Replica(envelope, ["k", "v"], progress)
        self.table = table
        self.timestamp, self.floor = int(bench.sim.now.wall * 1000), -1
        self.ends: list[str] = []
        self.stopped = self.ended = False
        self.socket.send(json.dumps({"query": f"subscribe {table}{clauses}"}))

    @property
    def there(self) -> bool:
        return not (self.ended or self.socket.http.wire.closed)  # type: ignore[attr-defined]

    def hear(self, seconds: float = 0.0) -> None:
        """Take what came."""
        if not self.there or self.socket.client.closed is not None:
            return
        try:
            came = heard(self.socket, seconds)
        except ProtocolError:  # the client's library answers a Close on a connection that is closed already
            self.ended = True
            return
        for message in came:
            if isinstance(message, dict):
                self._take(message["type"], message["payload"])
            self.ended = self.ended or isinstance(message, Closed)

    def _take(self, kind: str, payload: Any) -> None:
        if kind == "Row":
            assert not self.ends
            timestamp = int(payload[0])
            assert timestamp >= max(self.timestamp, self.floor)
            self.timestamp = timestamp
            if self.progress and payload[1]:
                self.floor = timestamp
            self.replica.apply(payload)
        elif kind in ("Error", "CommandComplete", "ReadyForQuery"):
            self.ends.append(payload["code"] if kind == "Error" else kind)


class Subscriptions(RuleBasedStateMachine):
    """Up to seven clients of two relations, one of which is evaluated slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(LIMITS)
        self.bench.engine.tables.update({"t": {}, "slow": {}})
        self.clients: list[Client] = []

    @initialize(state=STATES, clauses=st.lists(st.sampled_from(sorted(FORMS)), min_size=4, max_size=4))
    def begin(self, state: dict[bytes, int], clauses: list[str]) -> None:
        self.bench.engine.tables["t"] = state
        for table, each in zip(("t", "slow", "t", "slow"), clauses, strict=True):
            self.clients.append(Client(self.bench, "1.1", table, each))

    def one(self, which: int) -> Client | None:
        there = [client for client in self.clients if client.there]
        return there[which % len(there)] if there else None

    who = st.integers(0, 5)
    which_table = st.sampled_from(["t", "slow"])

    @precondition(lambda self: len(self.clients) < 7)
    @rule(version=st.sampled_from(["1.1", "2"]), table=which_table, clauses=st.sampled_from(sorted(FORMS)))
    def subscribe(self, version: str, table: str, clauses: str) -> None:
        self.clients.append(Client(self.bench, version, table, clauses))

    @rule(table=which_table, state=STATES)
    def change(self, table: str, state: dict[bytes, int]) -> None:
        self.bench.engine.tables[table] = state

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 7.0]))
    def pass_time(self, seconds: float) -> None:
        self.bench.sim.advance(seconds)

    @precondition(lambda self: self.bench.running())
    @rule(pick=who)
    def finish(self, pick: int) -> None:
        running = self.bench.running()
        item = running[pick % len(running)]
        assert isinstance(item.effect, Evaluate)
        self.bench.sim.reply(item, self.bench.engine.evaluated(item.effect))

    @rule(which=who, seconds=st.sampled_from([0.0, 0.5]))
    def listen(self, which: int, seconds: float) -> None:
        client = self.one(which)
        if client is not None:
            client.hear(seconds)

    @rule(which=who, credit=st.booleans())
    def stall(self, which: int, credit: bool) -> None:
        client = self.one(which)
        if client is not None:
            client.socket.http.wire.credit = credit  # type: ignore[attr-defined]
            self.bench.sim.settle()

    @rule(which=who, states=st.lists(STATES, min_size=3, max_size=4))
    def fall_behind(self, which: int, states: list[dict[bytes, int]]) -> None:
        """A client reads nothing while there are several changes."""
        client = self.one(which)
        if client is not None:
            client.socket.http.wire.credit = False  # type: ignore[attr-defined]
            for state in states:
                self.bench.engine.tables["t"] = state
                self.bench.sim.advance(1.0)

    @rule(which=who)
    def cancel(self, which: int) -> None:
        client = self.one(which)
        if client is not None:
            client.stopped = True
            other = self.bench.session()
            other.send(json.dumps({"query": f"select pg_cancel_backend({client.number})"}))
            self.bench.sim.advance(0)
            other.http.wire.abort()

    @rule(which=who, how=st.sampled_from(["close", "vanish"]))
    def leave(self, which: int, how: str) -> None:
        client = self.one(which)
        if client is None:
            return
        if how == "close":
            client.socket.close(1000, "")
        else:
            client.socket.http.wire.abort()

    @invariant()
    def one_evaluation_at_a_time(self) -> None:
        texts = [item.effect.text for item in self.bench.running()]  # type: ignore[attr-defined]
        assert len(texts) == len(set(texts))

    @invariant()
    def nothing_failed(self) -> None:
        assert not [note for note in self.bench.sim.notes if isinstance(note, Failure)]

    @invariant()
    def feeds_have_subscribers(self) -> None:
        feeds = self.bench.sim.server.feeds
        assert feeds.subscribers <= len(self.clients)
        assert len(feeds) <= feeds.subscribers

    def teardown(self) -> None:
        """Time passes while everybody reads: all know the present.  Then all leave, and nothing stays."""
        for client in self.clients:
            if client.there:
                client.socket.http.wire.credit = True  # type: ignore[attr-defined]
        self.bench.sim.settle()
        for _ in range(60):
            for item in self.bench.running():
                assert isinstance(item.effect, Evaluate)
                self.bench.sim.reply(item, self.bench.engine.evaluated(item.effect))
            for client in self.clients:
                client.hear(0.1)
        for client in self.clients:
            if client.there and not client.stopped:
                assert client.ends == []
                client.replica.agree(self.bench.engine.tables[client.table])
            assert client.ends == ["57014", "ReadyForQuery"][: len(client.ends)]
            assert not client.there or len(client.ends) != 1
        for wire in self.bench.sim.wires:
            wire.abort()
        self.bench.sim.advance(10)
        assert self.bench.engine.open == []
        assert self.bench.running() == []
        assert len(self.bench.sim.server.feeds) == self.bench.sim.server.feeds.subscribers == 0
        assert self.bench.sim.server.drained
        BENCHES.remove(self.bench)


TestSubscriptions = Subscriptions.TestCase
TestSubscriptions.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
