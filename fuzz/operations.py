"""A connection as operations: bytes, time, credit, answers and ends in any order, over HTTP/1.1 and HTTP/2.

Every byte of the input is one operation; some of them take the next byte too.
What must hold after each is what the stateful machines of the tests hold.
"""

from __future__ import annotations

from typing import Any

from fanlight.asks import Effect
from fanlight.observe.records import Failure
from tests.clients import websocket as ws
from tests.protocol import frames as h2
from tests.sim import LATER, Answered, Outcome
from tests.stateful.world import LIMITS, Acquire, Release, app

from .conversation import Quiet

HOST = b"host: localhost\r\n"
_PATHS = (b"/now", b"/wait", b"/race", b"/stream", b"/bug", b"/nowhere")


def _get(path: bytes, fields: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n"


PALETTE: tuple[bytes, ...] = (
    *(_get(path) for path in _PATHS),
    _get(b"/now", b"connection: close\r\n"),
    _get(b"/ws", b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n")[:-2]
    + b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    b"POST /hold HTTP/1.1\r\n" + HOST + b"content-length: 4\r\n\r\n",
    b"POST /echo HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n",
    b"four",
    b"4\r\nfour\r\n",
    b"0\r\n\r\n",
    b"x" * 3000,
    h2.START,
    *(h2.get(stream, path=path) for stream, path in zip(range(1, 13, 2), _PATHS, strict=True)),
    h2.headers(13, *h2.pseudo(b"POST", b"/hold"), flags=h2.END_HEADERS),
    h2.data(13, b"four", end=False),
    h2.data(13),
    h2.reset(13),
    h2.reset(3),
    h2.window(0, 50_000),
    h2.window(7, 50_000),
    h2.setting((4, 0)),
    h2.frame(h2.GOAWAY, 0, 0, bytes(8)),
    ws.frame(ws.TEXT, b"hello"),
    ws.frame(ws.BINARY, b"y" * 2000),
    ws.frame(ws.PING, b""),
    ws.frame(ws.CLOSE, b"\x03\xe8"),
    ws.frame(ws.TEXT, b"\xff"),
)
_SECONDS = (0.0, 0.001, 1.0, 5.0, 12.0, 40.0, 80.0)
_SHARES = (1, 100, 10_000, None)


class Run:
    """One connection and everything around it."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.released: list[int] = []
        self.sim = Quiet(app(), answering=self.answer)
        self.wire = self.sim.connect(credit=False)

    def answer(self, effect: Effect[Any]) -> Outcome:
        """What is acquired must be released; work waits."""
        if isinstance(effect, Acquire):
            self.held.add(len(self.held) + len(self.released))
            return Answered(max(self.held))
        if isinstance(effect, Release):
            self.held.remove(effect.held)
            self.released.append(effect.held)
            return Answered(None)
        return LATER

    def step(self, code: int, argument: int) -> None:
        """One operation."""
        sim, wire = self.sim, self.wire
        if code < 128:
            wire.send(PALETTE[code % len(PALETTE)])
        elif code < 160:
            wire.send(bytes((argument,)))
        elif code < 180:
            sim.advance(_SECONDS[argument % len(_SECONDS)])
        elif code < 200:
            wire.take(_SHARES[argument % len(_SHARES)])
        elif code < 220 and sim.pending:
            pending = sim.pending[argument % len(sim.pending)]
            sim.reply(pending, "done", RuntimeError("failed") if argument & 1 else None)
        elif code < 225 and sim.cancelled:
            sim.reply(sim.cancelled[argument % len(sim.cancelled)], "late")
        elif code < 235:
            wire.connection.handle_timeout(sim.now)
            sim.settle([wire])
        elif code < 240:
            wire.finish()
        elif code < 243:
            sim.shutdown(2.0)
        elif code < 245:
            wire.abort()

    def look(self) -> None:
        """What holds after every operation."""
        connection = self.wire.connection
        assert connection.backlog <= LIMITS.high_water + 96 * 1024
        assert connection.poll() is None
        assert len(self.sim.server.recent) + connection.streams == connection.requests
        if connection.state == "closed":
            assert not connection.wants_read
        for conversation in connection.conversations():
            assert len(conversation.performing or ()) <= max(1, len(conversation.asks))

    def finish(self) -> None:
        """What holds in the end."""
        self.wire.abort()
        for pending in list(self.sim.pending):
            self.sim.reply(pending, "done")
        self.sim.advance(LIMITS.cleanup + 1)
        assert self.wire.connection.finished
        assert self.sim.server.drained
        assert not self.held
        bugs = [note for note in self.sim.notes if isinstance(note, Failure) and note.where != "/bug"]
        assert all(type(bug.error).__name__ == "EffectFailed" for bug in bugs), bugs


def one_input(data: bytes) -> None:
    """Every byte an operation, every second one of some also its argument."""
    run, at = Run(), 0
    data = data[:400]
    while at < len(data):
        code = data[at]
        argument = data[at + 1] if code >= 128 and at + 1 < len(data) else 0
        run.step(code, argument)
        run.look()
        at += 2 if code >= 128 else 1
    run.finish()
