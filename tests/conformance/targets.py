"""Where the servers of the cases run: the core in memory, asyncio, trio."""

from __future__ import annotations

from collections import Counter
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from fanlight.asks import Effect
from fanlight.auth.identity import Identity
from fanlight.moment import Now
from fanlight_engines.performer import performer_for
from fanlight_engines.tls import Certificates

from ..clients.wires import Wire
from ..sim import LATER, START, Answered, Clock, Failed, Outcome, Pending, Sim
from . import controls, worlds
from .performing import Watched
from .stage import Stage, Target, World
from .tls import TlsWire, files


def make(over: str, engine: str) -> Target:
    """The target called `over`; `engine` is the URL of the SQL engine."""
    del engine  # there is one so far, and the performer brings it
    if over == "core":
        return CoreTarget()
    from .sockets import SocketTarget

    return SocketTarget(over)


SLICE = 0.01
"""Seconds of waiting for a worker that count at most, however long they took."""


class WorkingSim(Sim):
    """A simulation whose effects are done by the real performer, in threads.

    The clock stands still but for two things: somebody waits and nothing else
    is to be done (it jumps), or a worker is busy (it follows the real one, by
    `SLICE` at a time: while the whole machine stalls, no deadline comes nearer).
    """

    def __init__(self, world: World, **given: Any) -> None:
        super().__init__(**given)
        self.performer = Watched(performer_for(self.server), world)
        self.server.notes_access = True
        self.done: SimpleQueue[tuple[Pending, Answered | Failed]] = SimpleQueue()
        self.busy = 0

    def perform(self, pending: Pending) -> None:
        """Loop effects at once, the others in a worker."""
        if pending.effect.runs == "loop":
            self.answering = lambda effect: self._attempt(effect)
            super().perform(pending)
            return
        self.answering = lambda effect: LATER
        super().perform(pending)
        self.busy += 1

        def done(answer: object, error: BaseException | None) -> None:
            self.done.put((pending, Answered(answer) if error is None else Failed(error)))

        self.performer.submit(pending.effect, done)

    def _attempt(self, effect: Effect[Any]) -> Answered | Failed:
        try:
            return Answered(self.performer.perform(effect))
        except BaseException as error:  # noqa: BLE001 - what the performer raises goes to the core
            return Failed(error)

    def cancel(self, wire: Any, number: int) -> None:
        """Interrupt the worker, too."""
        waiting = [item for item in self.pending if item.wire is wire and item.number == number]
        super().cancel(wire, number)
        for item in waiting:
            self.performer.interrupt(item.effect)

    def wait(self, seconds: float) -> None:
        """Jump to the next deadline, or wait a moment for a worker if one is busy; returns early then."""
        if not self.busy:
            super().wait(seconds)
            return
        before = monotonic()
        most = max(0.0, min(self.deadline - self.now.mono, seconds, SLICE))
        try:
            pending, outcome = self.done.get(timeout=most) if most else self.done.get_nowait()
        except Empty:
            self.advance(most)
            return
        self.busy -= 1
        self.advance(min(most, monotonic() - before))
        self.finish(pending, outcome)

    def finish(self, pending: Pending, outcome: Outcome) -> None:
        """A worker is done."""
        if isinstance(outcome, Failed):
            self.reply(pending, error=outcome.error)
        elif isinstance(outcome, Answered):
            self.reply(pending, outcome.answer)


class CoreStage:
    """One server in memory."""

    def __init__(self, world: World) -> None:
        self.app = worlds.application(world, any_port=False)
        now = START if world.now is None else Now(START.mono, float(world.now))
        ports = tuple(worlds.port_of(listening) for listening in world.listeners)
        self.sim = WorkingSim(world, app=self.app, clock=Clock(now), ports=ports)
        self.server = self.sim.server
        self.performed: Counter[str] = self.sim.performer.performed
        self.notes: list[Any] = self.sim.notes
        self._secure = world.secure
        for state in self.server.listeners.values():
            if state.tls:
                state.channel = Certificates(*files().paths).channel
        self._ports = {listening.name: worlds.port_of(listening) for listening in world.listeners}
        controls.set_heap(world.heap)

    @property
    def identities(self) -> list[Identity]:
        """Those of SQL sessions."""
        return self.sim.performer.identities

    def connect(self, listener: str, version: str = "1.1") -> Wire:
        """A connection in memory."""
        wire = self.sim.connect(listener)
        return TlsWire(wire, version) if self._secure else wire

    def authority(self, listener: str) -> str:
        """Loopback and the case's port."""
        return f"127.0.0.1:{self._ports[listener]}"

    def statements(self) -> int:
        """Those whose effect is under way."""
        return self.sim.performer.statements

    def sleep(self, seconds: float) -> None:
        """Virtual time."""
        until = self.sim.now.mono + seconds
        while self.sim.now.mono < until:
            self.sim.wait(until - self.sim.now.mono)

    def wall(self) -> float:
        """The virtual one."""
        return self.sim.now.wall

    def jump(self, seconds: float) -> None:
        """Virtual time, with everything that happens in it."""
        self.sim.advance(seconds)

    def stop(self) -> None:
        """Let every connection go, wait for the workers."""
        for wire in self.sim.wires:
            wire.abort()
        self.sim.performer.close()


class CoreTarget:
    """The core in memory: `tests.sim` as the host."""

    name = "core"

    def start(self, world: World) -> Stage:
        """A server for one case."""
        return CoreStage(world)

    def close(self) -> None:
        """Nothing to end."""
