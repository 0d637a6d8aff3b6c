"""A host without a loop: a transport made of lists, whose turns a test takes by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, ClassVar, Literal

from attrs import frozen

from fanlight import App, Effect
from fanlight.connection.connection import Connection
from fanlight.observe.records import Failure
from fanlight_engines.hosting import Client, Hosting, Run
from fanlight_engines.performer import Performer
from tests.sim import Clock

PATIENCE = 10.0


@frozen
class Count(Effect[int]):
    """Answered inline; more than a few of them must take no stack."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    number: int


@frozen
class Dig(Effect[str]):
    """Answered in a thread, when `spade` is set."""

    spade: threading.Event


class Ground:
    """The engine of both; remembers where it worked and what was interrupted."""

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {Count: self.count, Dig: self.dig}
        self.interrupts: Mapping[type, Callable[[Any], None]] = {Dig: self.stop}
        self.prompt: Mapping[type, Callable[[Any], Any]] = {Dig: self.look}
        self.threads: list[str] = []
        self.stopped: list[Effect[Any]] = []
        self.closed = 0

    def count(self, effect: Count) -> int:
        self.threads.append(threading.current_thread().name)
        if effect.number < 0:
            raise ValueError("below nothing")
        return effect.number + 1

    def dig(self, effect: Dig) -> str:
        self.threads.append(threading.current_thread().name)
        return "gold" if effect.spade.wait(PATIENCE) else "nothing"

    def look(self, effect: Dig) -> str | None:
        """What lies open needs no digging."""
        if not effect.spade.is_set():
            return None
        self.threads.append(threading.current_thread().name)
        return "gold"

    def stop(self, effect: Dig) -> None:
        self.stopped.append(effect)
        effect.spade.set()

    def close(self) -> None:
        self.closed += 1


class Notes(Performer):
    """A performer that also keeps what it is told to log."""

    def __init__(self, ground: Ground) -> None:
        super().__init__([ground])
        self.notes: list[Any] = []

    def note(self, record: Any) -> None:
        self.notes.append(record)


class Guest(Client):
    """A client whose socket is a list; it takes nothing while `slow`."""

    def __init__(self, hosting: Hosting, connection: Connection) -> None:
        super().__init__(hosting, connection)
        self.written = bytearray()
        self.shuts: list[bool] = []
        self.aborted = 0
        self.attended = 0
        self.slow = False
        self.broken = False
        hosting.clients[connection] = self

    def write(self, data: bytes) -> None:
        if self.broken:
            raise OSError("no such socket")
        self.written += data
        if not self.slow:
            self.credit += len(data)

    def shut(self, half: bool) -> None:
        self.shuts.append(half)

    def abort(self) -> None:
        self.aborted += 1

    def attend(self) -> None:
        self.attended += 1


class Desk(Hosting):
    """A loop that turns when the test says so."""

    def __init__(self, app: App, ground: Ground) -> None:
        self.clock = Clock()
        super().__init__(app, lambda server: Notes(ground), lambda: self.clock.now)
        self.turns: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self.arms: list[float] = []
        self.empty = 0
        self.ends = 0

    def deliver(self, call: Callable[..., object], *args: Any) -> None:
        self.turns.put((call, args))

    def arm(self, seconds: float) -> None:
        self.arms.append(seconds)

    def spawn(self, run: Run, ended: Callable[..., object]) -> Callable[..., object]:
        """A task that is awaited when its turn comes; what it awaits must not wait."""
        cancelled: list[bool] = []

        def turn() -> None:
            with suppress(StopIteration):
                if not cancelled:
                    run().__await__().__next__()
            ended()

        self.turns.put((turn, ()))
        return lambda: cancelled.append(True)

    def end(self) -> None:
        self.ends += 1

    def emptied(self) -> None:
        self.empty += 1

    def turn(self) -> None:
        """Run one thing that a thread delivered."""
        call, args = self.turns.get(timeout=PATIENCE)
        call(*args)

    @property
    def failures(self) -> list[Failure]:
        """The bugs that were told."""
        assert isinstance(self.performer, Notes)
        return [note for note in self.performer.notes if isinstance(note, Failure)]

    def guest(self, sent: bytes = b"") -> Guest:
        """A client that has connected and sent something."""
        connection = self.welcome("main", "127.0.0.1")
        assert connection is not None
        client = Guest(self, connection)
        client.drain()
        if sent:
            client.feed(connection.receive_data, sent)
        return client
