"""Any order of requests, cancels, stalls, time and ends on two SQL sockets, against an engine in memory.

What must hold: answers in order, one ReadyForQuery for each request, the
transaction's state told truly, every session closed, nothing left running.
"""

from __future__ import annotations

import json
from typing import Any

from h2.exceptions import ProtocolError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fanlight import Limits
from fanlight.observe.records import Failure
from tests.clients.blocking import WebSocket
from tests.clients.websocket import PING, TEXT, Closed, frame
from tests.core.sql.sockets import BENCHES, DONE, ONE, Bench, heard

LIMITS = Limits(high_water=4096, waiting_messages=6, message_bytes=64 * 1024)
ERROR = "Error"


class Client:
    """One client: what it has sent, what it heard, and what the server's state must be."""

    def __init__(self, bench: Bench, version: str) -> None:
        self.socket: WebSocket = bench.session(version)
        self.number = len(bench.engine.sessions)
        self.sent: list[str] = []
        self.ready: list[str] = []
        self.open: list[Any] = []
        self.ended = False

    def hear(self, seconds: float = 0.0) -> None:
        """Take what came; each request's messages must be well formed when its end comes."""
        if self.socket.client.closed is not None:
            return
        try:
            came = heard(self.socket, seconds)
        except ProtocolError:  # the client's library answers a Close on a connection that is closed already
            self.ended = True
            return
        for message in came:
            if message == "ping" or not isinstance(message, dict):
                self.ended = self.ended or isinstance(message, Closed)
                continue
            assert not self.ended
            self.open.append(message)
            if message["type"] == "ReadyForQuery":
                self._whole(self.sent[len(self.ready)], [each["type"] for each in self.open[:-1]])
                self.ready.append(message["payload"])
                self.open = []

    @staticmethod
    def _whole(query: str, kinds: list[str]) -> None:
        starts, ends = kinds.count("CommandStarting"), kinds.count("CommandComplete") + kinds.count(ERROR)
        assert starts == (0 if query == "[" else ends)
        assert kinds.count(ERROR) <= 1
        assert kinds.count("Rows") <= starts


class SqlSockets(RuleBasedStateMachine):
    """Two clients that may do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(LIMITS)
        self.clients = [Client(self.bench, "1.1"), Client(self.bench, "2")]

    def alive(self, which: int) -> Client | None:
        client = self.clients[which]
        return None if client.ended or client.socket.http.wire.closed else client  # type: ignore[attr-defined]

    who = st.integers(0, 1)

    @rule(
        which=who,
        query=st.sampled_from(
            [
                "select 1",
                "insert 1",
                "slow 1",
                "many 950",
                "broken",
                "begin",
                "commit",
                "rollback",
                "begin; slow 2",
                "[",
            ]
        ),
    )
    def ask(self, which: int, query: str) -> None:
        client = self.alive(which)
        if client is not None:
            client.sent.append(query)
            client.socket.send(query if query == "[" else json.dumps({"query": query}))

    @precondition(lambda self: self.bench.running())
    @rule(pick=st.integers(0, 5), rows=st.booleans())
    def finish(self, pick: int, rows: bool) -> None:
        running = self.bench.running()
        self.bench.sim.reply(running[pick % len(running)], ONE if rows else DONE)

    @rule(which=who, other=who)
    def cancel(self, which: int, other: int) -> None:
        client = self.alive(which)
        if client is not None:
            query = f"select pg_cancel_backend({self.clients[other].number})"
            client.sent.append(query)
            client.socket.send(json.dumps({"query": query}))
            self.bench.sim.advance(0)

    @rule(which=who, seconds=st.sampled_from([0.0, 0.5, 3.0]))
    def listen(self, which: int, seconds: float) -> None:
        self.clients[which].hear(seconds)

    @rule(which=who, credit=st.booleans())
    def stall(self, which: int, credit: bool) -> None:
        client = self.alive(which)
        if client is not None:
            client.socket.http.wire.credit = credit  # type: ignore[attr-defined]
            self.bench.sim.settle()

    @rule(seconds=st.sampled_from([0.0, 0.01, 2.0, 70.0, 130.0]))
    def pass_time(self, seconds: float) -> None:
        self.bench.sim.advance(seconds)

    @rule(which=who, what=st.sampled_from([frame(PING, b"hi"), frame(TEXT, b"", fin=False)]))
    def control(self, which: int, what: bytes) -> None:
        client = self.alive(which)
        if client is not None and what[0] & 0x0F == PING:
            client.socket.raw(what)

    @rule(which=who, how=st.sampled_from(["close", "vanish", "break"]))
    def leave(self, which: int, how: str) -> None:
        client = self.alive(which)
        if client is None:
            return
        if how == "close":
            client.socket.close(1000, "")
        elif how == "break":
            client.socket.raw(frame(TEXT, b"x", masked=False))
        else:
            client.socket.http.wire.abort()

    @invariant()
    def no_more_answers_than_requests(self) -> None:
        for client in self.clients:
            assert len(client.ready) <= len(client.sent)

    @invariant()
    def one_statement_for_each_session(self) -> None:
        running = [item.effect.session for item in self.bench.running()]  # type: ignore[attr-defined]
        assert len(running) == len(set(map(id, running)))
        assert all(not session.closed for session in running)

    @invariant()
    def what_is_enlisted_is_open(self) -> None:
        assert set(self.bench.sim.server.enlisted) == {handle.number for handle in self.bench.engine.open}

    @invariant()
    def nothing_failed(self) -> None:
        assert not [note for note in self.bench.sim.notes if isinstance(note, Failure)]

    def teardown(self) -> None:
        """Whoever is still there gets all its answers, then everybody leaves and nothing stays."""
        for client in self.clients:
            if not client.socket.http.wire.closed:  # type: ignore[attr-defined]
                client.socket.http.wire.credit = True  # type: ignore[attr-defined]
        self.bench.sim.settle()
        for _ in range(200):
            for item in self.bench.running():
                self.bench.sim.reply(item, DONE)
            for client in self.clients:
                client.hear(0.01)
        for client in self.clients:
            if not client.ended and not client.socket.http.wire.closed:  # type: ignore[attr-defined]
                assert len(client.ready) == len(client.sent)
        for wire in self.bench.sim.wires:
            wire.abort()
        self.bench.sim.advance(10)
        assert self.bench.engine.open == []
        assert self.bench.running() == []
        assert self.bench.sim.server.drained
        BENCHES.remove(self.bench)


TestSqlSockets = SqlSockets.TestCase
TestSqlSockets.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
