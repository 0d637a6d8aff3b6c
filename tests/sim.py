"""A deterministic host for the core: no socket, no thread, no sleep, no mock.

`Sim` owns a server, a clock that only moves when told to, and bytes of
"randomness" that follow from a seed; it keeps the one rule for hosts (call one
input, drain `poll()` to None, look at the deadlines) and writes down all that
happens.  Effects are answered out of a table, by a performer, or later by
hand.  A run with the same inputs gives the same transcript to the byte.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from fanlight.app import App
from fanlight.asks import Effect
from fanlight.connection.connection import Connection
from fanlight.moment import Now
from fanlight.outputs import Cancel, Close, Note, Output, Perform, Send
from fanlight.pages.loading import Page
from fanlight.pages.table import ROUTES
from fanlight.server import Server

# A page is imported once in a process, so whether a run sees that would depend on the runs before it.
for _route in ROUTES:
    if isinstance(_route.handler, Page):
        _route.handler.find()

START = Now(mono=1000.0, wall=1_700_000_000.0)
SEGMENT = 64 * 1024
"""How much the socket of a transport reads at once."""
MOST_TURNS = 1_000_000
"""Turns of the host's loop without any time passing: more of them is a routine that never ends."""


@frozen
class Answered:
    """The effect is done; this is its answer."""

    answer: Any


@frozen
class Failed:
    """The performer raised this."""

    error: BaseException


class Later:
    """Nobody answers now: `Sim.reply` will (or never)."""


LATER = Later()
Outcome = Answered | Failed | Later
Answering = Callable[[Effect[Any]], Outcome]


def never(effect: Effect[Any]) -> Outcome:
    """Every effect stays open until `Sim.reply`."""
    del effect
    return LATER


def table(answers: Mapping[type[Effect[Any]], Any]) -> Answering:
    """Answer by the effect's type: a constant, or a function of the effect.

    An effect that is not in the table is a mistake of the test.
    """

    def answer(effect: Effect[Any]) -> Outcome:
        if type(effect) not in answers:
            return Failed(AssertionError(f"no answer in the table for {effect!r}"))
        given = answers[type(effect)]
        if isinstance(given, Answered | Failed | Later):
            return given
        return Answered(given(effect) if callable(given) else given)

    return answer


def performed(perform: Callable[[Effect[Any]], Any]) -> Answering:
    """Answer with a real performer, at once, on this thread."""

    def answer(effect: Effect[Any]) -> Outcome:
        try:
            return Answered(perform(effect))
        except Exception as error:  # noqa: BLE001 - what a performer raises goes to the core, whatever it is
            return Failed(error)

    return answer


class Seeded:
    """`Entropy` that anybody can guess: it follows from the seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def token(self, nbytes: int, /) -> bytes:
        """The next `nbytes` bytes of the sequence."""
        return self._random.randbytes(nbytes)


@frozen
class Pending:
    """An effect that waits for its answer."""

    wire: SimWire | Behind
    number: int
    effect: Effect[Any]


@frozen
class Line:
    """One line of the transcript: when (seconds since the start), on which connection, what."""

    at: float
    wire: int
    what: str
    detail: Any = None


@define
class Clock:
    """Both clocks of the world, moved together."""

    now: Now = START

    def move(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now = evolve(self.now, mono=self.now.mono + seconds, wall=self.now.wall + seconds)


class Sim:
    """A server in memory and everything around it.

    `answering` says who answers effects, `ports` what the listeners are bound to.  `transcript` is what happened,
    `notes` the records that the core wrote, `pending` the effects that wait.
    """

    def __init__(
        self,
        app: App,
        *,
        answering: Answering = never,
        seed: int = 0,
        clock: Clock | None = None,
        segment: int = SEGMENT,
        ports: tuple[int, ...] = (6876,),
    ) -> None:
        self.clock = clock or Clock()
        self.started = self.clock.now.mono
        self.answering = answering
        self.segment = segment
        self.transcript: list[Line] = []
        self.notes: list[Any] = []
        self.pending: list[Pending] = []
        self.cancelled: list[Pending] = []
        self.wires: list[SimWire] = []
        self.behind = Behind(self)
        self._replies: deque[tuple[Pending, Answered | Failed]] = deque()
        self.server = Server(app, now=self.clock.now, entropy=Seeded(seed))
        self.server.bound(dict(zip(self.server.listeners, ports, strict=False)))

    @property
    def now(self) -> Now:
        """The current moment."""
        return self.clock.now

    def write(self, wire: int, what: str, detail: Any = None) -> None:
        """Append a line to the transcript."""
        self.transcript.append(Line(round(self.now.mono - self.started, 6), wire, what, detail))

    def connect(self, listener: str = "main", peer: str = "127.0.0.1", *, credit: bool = True) -> SimWire:
        """A new client connection.  Without `credit` nothing is taken from the server until `take`.

        Raises `ConnectionRefusedError` when the server refuses it.
        """
        connection = self.server.accept(listener, peer, self.now)
        if connection is None:
            raise ConnectionRefusedError(listener)
        wire = SimWire(self, connection, len(self.wires), credit=credit)
        self.wires.append(wire)
        self.settle([wire])
        return wire

    def settle(self, wires: Iterable[SimWire] | None = None) -> None:
        """Drain `wires` (default all) and answer what can be answered now, until nothing moves."""
        moving = list(self.wires if wires is None else wires)
        while moving or self._replies:
            for wire in moving:
                wire.drain()
            moving = [wire for wire in self.wires if wire.feed()]
            if not moving and self._replies:
                pending, outcome = self._replies.popleft()
                self._deliver(pending, outcome)
                if isinstance(pending.wire, SimWire):
                    moving = [pending.wire]
                else:
                    self.tell()

    def reply(self, pending: Pending, answer: Any = None, error: BaseException | None = None) -> None:
        """Answer an effect that waited, also one that was cancelled meanwhile."""
        if pending in self.pending:
            self.pending.remove(pending)
        self._replies.append((pending, Answered(answer) if error is None else Failed(error)))
        self.settle()

    def _deliver(self, pending: Pending, outcome: Answered | Failed) -> None:
        error = outcome.error if isinstance(outcome, Failed) else None
        answer = outcome.answer if isinstance(outcome, Answered) else None
        self.write(pending.wire.number, "reply", pending.number)
        whose = pending.wire.connection if isinstance(pending.wire, SimWire) else self.server
        whose.reply(pending.number, answer, error, self.now)

    def perform(self, pending: Pending) -> None:
        """Ask `answering`, and queue the answer or let the effect wait."""
        self.write(pending.wire.number, "perform", repr(pending.effect))
        outcome = self.answering(pending.effect)
        if isinstance(outcome, Later):
            self.pending.append(pending)
        else:
            self._replies.append((pending, outcome))

    def cancel(self, wire: SimWire | Behind, number: int) -> None:
        """Nobody waits for that effect any more."""
        self.write(wire.number, "cancel", number)
        gone = [item for item in self.pending if item.wire is wire and item.number == number]
        self.cancelled += gone
        self.pending = [item for item in self.pending if item not in gone]

    @property
    def deadline(self) -> float:
        """When something will happen by itself next (`math.inf`: never)."""
        return self.server.deadline

    def fire(self) -> None:
        """Tell everybody whose deadline has come."""
        touched = set(self.server.handle_timeout(self.now))
        due = [wire for wire in self.wires if wire.connection in touched]
        for wire in due:
            self.write(wire.number, "timeout")
        self.settle(due)
        self.tell()
        self.settle(())

    def tell(self) -> None:
        """Do what the server says beside its connections, and write down what it notes."""
        while (output := self.server.poll()) is not None:
            if isinstance(output, Perform):
                self.perform(Pending(self.behind, output.number, output.effect))
            elif isinstance(output, Cancel):
                self.cancel(self.behind, output.number)
            else:
                self.notes.append(output.record)

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at each deadline on the way."""
        until = self.now.mono + seconds
        turns = 0
        while self.deadline <= until:
            step = max(0.0, self.deadline - self.now.mono)
            turns = 0 if step else turns + 1
            assert turns < MOST_TURNS, "a deadline comes again and again at one moment"
            self.clock.move(step)
            self.fire()
        self.clock.move(until - self.now.mono)

    def wait(self, seconds: float) -> None:
        """Let time pass until something happens by itself, at most `seconds`."""
        self.advance(max(0.0, min(self.deadline - self.now.mono, seconds)))

    def shutdown(self, grace: float) -> None:
        """Ask the server to stop."""
        self.server.shutdown(grace, self.now)
        self.settle()
        self.tell()


@define(eq=False)
class Behind:
    """In the place of a wire: the server's own background."""

    sim: Sim
    number: int = -1


@define(eq=False)
class SimWire:
    """The client's end of one connection in memory; a `tests.clients.wires.Wire`."""

    sim: Sim
    connection: Connection
    number: int
    credit: bool = True
    received: bytearray = field(factory=bytearray)
    untaken: int = 0
    half_closed: bool = False
    closed: bool = False
    _unread: deque[bytes] = field(factory=deque)

    def drain(self) -> None:
        """Do what the connection says until it has nothing more to say."""
        while (output := self.connection.poll()) is not None:
            self._do(output)

    def _do(self, output: Output) -> None:
        if isinstance(output, Send):
            assert not self.closed, "a closed connection sends"
            self.sim.write(self.number, "send", output.data)
            self.received += output.data
            self.untaken += len(output.data)
        elif isinstance(output, Perform):
            self.sim.perform(Pending(self, output.number, output.effect))
        elif isinstance(output, Cancel):
            self.sim.cancel(self, output.number)
        elif isinstance(output, Note):
            self.sim.write(self.number, "note", output.record)
            self.sim.notes.append(output.record)
        elif isinstance(output, Close):
            self.sim.write(self.number, "half close" if output.half else "close")
            self.half_closed = True
            self.closed = self.closed or not output.half

    def feed(self) -> bool:
        """Give the connection one input: credit first, then bytes that wait; False when there is none."""
        if self.closed:
            return False
        if self.credit and self.untaken:
            count, self.untaken = self.untaken, 0
            self.connection.sent(count, self.sim.now)
            return True
        if self._unread and self.connection.wants_read:
            data = self._unread.popleft()
            self.sim.write(self.number, "data", len(data))
            self.connection.receive_data(data, self.sim.now)
            return True
        return False

    def take(self, count: int | None = None) -> int:
        """The socket takes `count` bytes (default all that wait); returns how many it took."""
        taken = min(self.untaken, self.untaken if count is None else count)
        if taken and not self.closed:
            self.untaken -= taken
            self.connection.sent(taken, self.sim.now)
            self.sim.settle([self])
        return taken

    def send(self, data: bytes) -> None:
        """Bytes from the client; they wait while the connection wants no more."""
        step = self.sim.segment
        self._unread.extend(data[start : start + step] for start in range(0, len(data), step))
        self.sim.settle([self])

    def receive(self, seconds: float) -> bytes | None:
        """What the server has sent; lets up to `seconds` pass while it is silent."""
        until = self.sim.now.mono + seconds
        while self.silent:
            left = until - self.sim.now.mono
            if left < 0:
                return None
            self.sim.wait(left)
            if left == 0:
                break
        if self.silent:
            return None
        data = bytes(self.received)
        self.received.clear()
        return data

    @property
    def silent(self) -> bool:
        """Nothing to read, and the end has not come."""
        return not self.received and not self.half_closed

    def finish(self) -> None:
        """The client sends no more."""
        self._unread.append(b"")
        self.sim.settle([self])

    def close(self) -> None:
        """The client closes: the end of its bytes, and nothing is written to it any more."""
        self.abort()

    def abort(self) -> None:
        """The connection is gone."""
        if not self.closed:
            self.closed = True
            self.sim.write(self.number, "lost")
            self.connection.lost(self.sim.now)
            self.drain()
            self.sim.settle()

    def clock(self) -> float:
        """Virtual time."""
        return self.sim.now.mono
