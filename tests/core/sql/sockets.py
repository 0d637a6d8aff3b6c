"""SQL sockets in memory: a server, clients of it, and an engine whose statements end when the test says so.

`select …` answers one row at once; `slow …` runs until it is finished or
interrupted; `many N` has that many rows, in batches; `broken …` fails.  A SUBSCRIBE
to a name watches one of the engine's `tables`, which a test changes as it likes;
one to a name that begins with `slow` is evaluated when the test says so.
Interrupts are heeded, as a real engine does.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field

from fanlight import App, Limits, Listener
from fanlight.sql import effects
from fanlight.sql.effects import Batch, Executed, SqlFailed
from fanlight.sql.errors import CANCELLED, SqlError, result_too_large
from fanlight.sql.grammar import read_script
from fanlight.sql.request import read_text
from fanlight.sql.values import Descriptor, text_column
from tests.clients.blocking import HttpConnection, WebSocket
from tests.clients.websocket import Closed, Pinged, Text
from tests.sim import LATER, Answered, Clock, Outcome, Pending, Sim

PATH = "/api/experimental/sql"
HELLO = {"user": "ada", "password": ""}
PAIR = (Descriptor("k", 23, 4), text_column("v"))
MISSING = SqlFailed(SqlError("no such table", "42P01"), aborted=True)
WRONG = SqlFailed(SqlError("syntax error", "42601"), aborted=False)
ONE = Executed((text_column("a"),), Batch(b'["1"]', 1, 5, True), "SELECT", 0, 0.0)
DONE = Executed(None, None, "INSERT", 1, 0.0)
BROKEN = SqlFailed(SqlError("broken", "22P02"), aborted=True)
STOPPED = SqlFailed(CANCELLED, aborted=True)
BATCH_ROWS = 100


@define(eq=False)
class Handle:
    """A session of the engine: what runs in it, what it has still to tell, whether it is closed."""

    number: int
    user: str = ""
    may_write: bool = True
    left: int = 0
    closed: bool = False

    @property
    def sight(self) -> str:
        """Sessions of one user see the same."""
        return self.user

    stopped: Any = None


@define
class Engine:
    """`log` is one line for each thing that it was asked to do."""

    sessions: list[Handle] = field(factory=list)
    log: list[str] = field(factory=list)
    most: int = 100
    missing: bool = False
    tables: dict[str, dict[bytes, int]] = field(factory=dict)
    constant: set[str] = field(factory=set)
    columns: tuple[Descriptor, ...] = PAIR

    @property
    def open(self) -> list[Handle]:
        return [handle for handle in self.sessions if not handle.closed]

    def answer(self, effect: Any) -> Outcome:
        """What the engine makes of an effect."""
        match effect:
            case effects.OpenSession(identity):
                return Answered(self._open(identity.user))
            case effects.StartEngine():
                return Answered(False)
            case effects.Execute(session, text):
                return self._execute(session, text)
            case effects.Evaluate(session, text):
                return LATER if "slow" in text else Answered(self.evaluated(effect))
            case effects.Compare(shape, before, after):
                return Answered(shape.payloads(before, after))
            case effects.FetchRows(session):
                return Answered(self._batch(session))
            case effects.Settle(session, work):
                return Answered(STOPPED if isinstance(session, Handle) and session.stopped is work else None)
            case effects.EndTransaction(_, commit):
                self.log.append("commit" if commit else "rollback")
                return Answered(None)
            case effects.CheckSyntax(_, texts):
                return Answered(tuple(None for _ in texts))
            case effects.ReadRequest(data):
                return Answered(read_text(data))
            case effects.ReadScript(text):
                return Answered(read_script(text))
            case effects.Release(session):
                return Answered(False)
            case effects.CloseSession(Handle() as session):
                session.closed = True
                return Answered(None)
            case effects.Configure() | effects.Forget():
                return Answered(None)
        raise AssertionError(effect)

    def evaluated(self, effect: effects.Evaluate) -> effects.Evaluated | SqlFailed:
        """The rows of a table now; the very ones of before, if they are equal."""
        name = effect.text.rpartition(" ")[2]
        self.log.append(f"evaluate {name}")
        if name not in self.tables:
            return WRONG if name == "wrong" else MISSING
        rows = {row: count for row, count in self.tables[name].items() if count}
        before = effect.before
        if before is not None and before.rows == rows and before.columns == self.columns:
            return before
        size = sum(len(row) * count for row, count in rows.items())
        if size > effect.most_bytes:
            return SqlFailed(result_too_large(effect.most_bytes), aborted=True)
        return effects.Evaluated(self.columns, rows, name in self.constant, size=size)

    def _open(self, user: str) -> Any:
        if self.missing:
            return None
        if len(self.open) >= self.most:
            return effects.SessionRefused(500, SqlError("too many sessions " + "é" * 100, "53000"))
        self.sessions.append(Handle(len(self.sessions) + 1, user))
        return self.sessions[-1]

    def _execute(self, session: Any, text: str) -> Outcome:
        self.log.append(text)
        word, _, rest = text.partition(" ")
        if word == "slow":
            return LATER
        if word == "many" and rest.isdecimal():
            session.left = int(rest)
            return Answered(Executed((text_column("n"),), self._batch(session), "SELECT", 0, 0.0))
        return Answered({"broken": BROKEN, "insert": DONE}.get(word, ONE))

    def _batch(self, session: Any) -> Batch:
        count = min(BATCH_ROWS, session.left)
        rows = b"\n".join(b'["%d"]' % (session.left - at) for at in range(count))
        session.left -= count
        return Batch(rows, count, len(rows), session.left == 0)


class SocketSim(Sim):
    """A simulation whose cancelled statements end as interrupted ones do."""

    def cancel(self, wire: Any, number: int) -> None:
        for item in self.pending:
            if (
                item.wire is wire
                and item.number == number
                and isinstance(item.effect, effects.Execute | effects.Evaluate)
            ):
                item.effect.session.stopped = item.effect  # type: ignore[attr-defined]
        super().cancel(wire, number)


def application(limits: Limits | None = None, **listener: Any) -> App:
    """The product's own routes on one listener of kind None."""
    return App(listeners=(Listener("main", "127.0.0.1:6876", **listener),), limits=limits or Limits())


BENCHES: list[Bench] = []


def end_all() -> None:
    """Let every client go: a routine that is dropped in its cleanup would be told of by the interpreter."""
    while BENCHES:
        sim = BENCHES.pop().sim
        for wire in sim.wires:
            wire.abort()
        sim.advance(sim.server.limits.cleanup)
        assert sim.server.drained


class Bench:
    """A server and its engine."""

    def __init__(self, limits: Limits | None = None, clock: Clock | None = None, **listener: Any) -> None:
        self.engine = Engine()
        self.sim = SocketSim(application(limits, **listener), answering=self.engine.answer, clock=clock)
        self.version = "1.1"
        BENCHES.append(self)

    def connect(self, version: str = "1.1", peer: str = "127.0.0.1") -> HttpConnection:
        return HttpConnection(self.sim.connect(peer=peer), version)

    def socket(self, version: str = "1.1", peer: str = "127.0.0.1", **fields: str) -> WebSocket:
        """A WebSocket that nothing was said on."""
        answer, socket = self.connect(version, peer).websocket(PATH, tuple(fields.items()))
        assert socket is not None, answer.status
        return socket

    def session(self, version: str = "1.1", hello: Any = None) -> WebSocket:
        """A WebSocket that was greeted."""
        socket = self.socket(version)
        socket.send(json.dumps(hello or HELLO))
        assert kinds(heard(socket))[-2:] == ["BackendKeyData", "ReadyForQuery"]
        return socket

    def running(self) -> list[Pending]:
        """The statements that run."""
        return [item for item in self.sim.pending if isinstance(item.effect, effects.Execute | effects.Evaluate)]


def ask(socket: WebSocket, *queries: str) -> None:
    """Send simple requests."""
    for query in queries:
        socket.send(json.dumps({"query": query}))


def heard(socket: WebSocket, seconds: float = 0.0) -> list[Any]:
    """Everything that comes within `seconds`: messages as they were parsed, `"ping"`, and what closed it."""
    found: list[Any] = []
    until = socket.http.wire.clock() + seconds
    socket.http.listen(0)
    while (received := socket.receive(max(0.0, until - socket.http.wire.clock()))) is not None:
        if isinstance(received, Text):
            found.append(json.loads(received.text))
        elif isinstance(received, Pinged):
            found.append("ping")
        else:
            found.append(received)
            if isinstance(received, Closed):
                break
    return found


def kinds(messages: list[Any]) -> list[Any]:
    """The types of messages, with what tells them apart."""
    telling = {"CommandComplete", "ReadyForQuery"}
    return [
        f"{each['type']} {each['payload']}"
        if isinstance(each, dict) and each["type"] in telling and each["payload"] != "I"
        else f"Error {each['payload']['code']}"
        if isinstance(each, dict) and each["type"] == "Error"
        else each["type"]
        if isinstance(each, dict)
        else each
        for each in messages
    ]
