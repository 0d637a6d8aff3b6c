"""Hosting: what every transport does the same way, so that no transport does it itself.

`Client` keeps the one rule for hosts (one input, drain `poll()`, re-arm the
deadline) for one connection; `Hosting` does so for all of them.  A transport
adds what differs per event loop: how bytes are written and read, how a moment
is awaited, how a thread's answer comes back.  No loop is imported here.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Any

from fanlight.asks import Effect, Task
from fanlight.moment import Now
from fanlight.observe.records import Failure
from fanlight.outputs import Cancel, Close, Note, Perform, Send
from fanlight.server import Server

from .performer import Performer, SystemEntropy

if TYPE_CHECKING:
    from fanlight.app import App
    from fanlight.connection.connection import Connection

Call = Callable[..., object]
Clock = Callable[[], Now]
Run = Callable[[], Awaitable[None]]
Performing = Callable[[Server], Performer]
"""Makes the performer of a server; the default is `performer_for`."""


class Client(ABC):
    """One connection and its socket.

    `credit` counts bytes that the socket has taken; while `held` is true they
    are not given back.  A transport fills in `write`, `shut`, `abort`, `attend`.
    """

    __slots__ = ("_draining", "connection", "credit", "held", "hosting")

    def __init__(self, hosting: Hosting, connection: Connection) -> None:
        self.hosting = hosting
        self.connection = connection
        self.credit = 0
        self.held = False
        self._draining = False

    def feed(self, call: Call, *args: Any) -> None:
        """One input, then drain; a bug in it drops this client only."""
        try:
            call(*args, self.hosting.now())
        except Exception as error:  # noqa: BLE001  never into the host
            self.hosting.broken(self, error)
        self.drain()

    def give_back(self, now: Now, more: int = 0) -> None:
        """Give the credit back, and `more`, and do what comes of it; by `now` the socket had taken what it is for."""
        credit, self.credit = self.credit + more, 0
        try:
            more = self.connection.sent(credit, now)
        except Exception as error:  # noqa: BLE001  never into the host
            self.hosting.broken(self, error)
            more = True
        if more:
            self.drain()
        else:
            self.attend()

    def drain(self) -> None:
        """Do everything that the connection says, give credit back, re-arm the server's deadline."""
        if self._draining:
            return
        self._draining = True
        connection = self.connection
        try:
            while True:
                output = connection.poll()
                if output is not None:
                    self._do(output)
                if self.credit and not self.held:
                    credit, self.credit = self.credit, 0
                    connection.sent(credit, connection.now)  # no time has passed since it spoke
                elif output is None:
                    break
        except Exception as error:  # noqa: BLE001  never into the host
            self.hosting.broken(self, error)
        finally:
            self._draining = False
        self.hosting.settle(connection)
        self.attend()

    def _do(self, output: Any) -> None:
        kind = type(output)
        if kind is Send:
            self.write(output.data)
        elif kind is Perform:
            self._perform(output)
        elif kind is Note:
            self.hosting.performer.note(output.record)
        elif kind is Cancel:
            self.hosting.cancel(output.effect)
        elif kind is Close:
            self.shut(output.half)

    def _perform(self, output: Perform) -> None:
        self.hosting.perform(output, self.connection.reply, self.feed)

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write `data` in order, and add to `credit` what the socket took."""

    @abstractmethod
    def shut(self, half: bool) -> None:
        """Close the writing half, or all; nothing is unwritten when this is called."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the socket at once."""

    @abstractmethod
    def attend(self) -> None:
        """Reading may have to stop or to go on: see `connection.wants_read`."""


class Hosting(ABC):
    """One server in one loop.  A transport fills in `deliver`, `arm` and `emptied`."""

    def __init__(self, app: App, performing: Performing, clock: Clock) -> None:
        self.now = clock
        self.server = Server(app, now=clock(), entropy=SystemEntropy())
        self.performer = performing(self.server)
        self.clients: dict[Connection, Client] = {}
        self.armed = inf
        self._tasks: dict[Task[Any], Call] = {}
        self._unwatch = [
            app.liveness.told(lambda: self.deliver(self.rearm)),
            self.server.leadership.lost.watch(lambda: self.deliver(self._leadership_lost)),
        ]
        if self.server.provers is not None:  # else nobody's identity rests on a user's role
            self._unwatch.append(app.users.watch(lambda names: self.deliver(self._users_changed, names)))

    def _users_changed(self, names: frozenset[str]) -> None:
        """The program or a file has changed who may come in; told on the loop's thread."""
        self.server.users_changed(names)
        self.rearm()

    def _leadership_lost(self) -> None:
        if self.server.ends_with_leadership:
            self.end()

    def undertake(self, task: Task[Any], done: Call) -> None:
        """Await what a task of the program's awaits, then `done(answer, error)`, unless it is cancelled before."""

        async def run() -> None:
            try:
                answer = await task.run()
            except Exception as error:  # noqa: BLE001  the core tells the log
                done(None, error)
            else:
                done(answer, None)

        def ended() -> None:
            self._tasks.pop(task, None)
            task.ended()

        self._tasks[task] = self.spawn(run, ended)

    def cancel(self, effect: Effect[Any]) -> None:
        """Nobody waits for `effect` any more."""
        if isinstance(effect, Task):
            cancel = self._tasks.get(effect)
            if cancel is not None:
                cancel()
        else:
            self.performer.interrupt(effect)

    def welcome(self, listener: str, peer: str) -> Connection | None:
        """The connection for a peer that has connected; None: close the socket at once."""
        try:
            return self.server.accept(listener, peer, self.now())
        except Exception as error:  # noqa: BLE001  never into the host
            self.performer.note(Failure("accepting a connection", error))
            return None

    def settle(self, connection: Connection) -> None:
        """After a client was drained: arm the one timer, forget a finished connection."""
        if connection.state == "closed" and connection.finished:
            self._gone(connection)
        self.rearm()

    def _gone(self, connection: Connection) -> None:
        self.clients.pop(connection, None)
        if self.server.stopping and self.server.drained:
            self._tell()
            self.emptied()

    def _tell(self) -> None:
        """Do what the server says beside its connections."""
        while (output := self.server.poll()) is not None:
            if isinstance(output, Note):
                self.performer.note(output.record)
            elif isinstance(output, Cancel):
                self.cancel(output.effect)
            else:
                self.perform(output, self.server.reply, self._feed)

    def _feed(self, call: Call, *args: Any) -> None:
        """One input of the server's own, then drain."""
        try:
            call(*args, self.now())
        except Exception as error:  # noqa: BLE001  never into the host
            self.performer.note(Failure("the server", error))
        self._tell()
        self.rearm()

    def perform(self, output: Perform, reply: Call, feed: Call) -> None:
        """Inline for an effect of the loop, in a task for one of the program's, in a thread for what takes its time.

        What does not come inline is given to `reply` by way of `feed`.
        """
        performer, number = self.performer, output.number
        if isinstance(output.effect, Task):
            self.undertake(output.effect, lambda answer, error: feed(reply, number, answer, error))
            return
        in_worker = output.effect.runs == "worker"
        try:
            answer = (performer.perform_promptly if in_worker else performer.perform)(output.effect)
        except Exception as error:  # noqa: BLE001  the core tells the log
            reply(number, None, error, self.now())
            return
        if answer is None and in_worker:
            deliver = self.deliver
            performer.submit(output.effect, lambda answer, error: deliver(feed, reply, number, answer, error))
        else:
            reply(number, answer, None, self.now())

    def rearm(self) -> None:
        """Make sure that `tick` is called no later than at the server's deadline."""
        deadline = self.server.deadline
        if deadline < self.armed:
            self.armed = deadline
            self.arm(max(0.0, deadline - self.now().mono))

    def tick(self) -> None:
        """The armed moment has come."""
        self.armed = inf
        for connection in self.server.due(self.now()):
            client = self.clients.get(connection)
            if client is not None:
                client.feed(connection.handle_timeout)
        self._tell()
        self.rearm()

    def stop(self) -> bool:
        """Begin to end every connection in order, within its grace; True when none is left."""
        self.server.stopping = True
        self.server.background.stop()
        for client in list(self.clients.values()):
            client.feed(client.connection.shutdown, self.server.limits.grace)
        self._tell()
        return self.server.drained

    def release(self, released: Call) -> None:
        """Close the performer in a thread of its own, then deliver `released`.

        Inline where no thread can start any more, because the process is ending.
        """

        for unwatch in self._unwatch:
            unwatch()

        def close() -> None:
            self.performer.close()
            self.deliver(released)

        try:
            # Not a daemon: it has just been inside the engines, and must be gone before the interpreter is.
            threading.Thread(target=close, name="fanlight-close").start()
        except RuntimeError:
            close()

    def drop(self) -> None:
        """End every connection that is left at once; its routines are told, and not awaited."""
        for client in list(self.clients.values()):
            client.abort()
            client.feed(client.connection.lost)

    def broken(self, client: Client, error: Exception) -> None:
        """A bug in the core: never the host's problem.  The client is dropped, the log is told.

        The routines still hear that their client is gone, if the connection can tell them.
        """
        self.performer.note(Failure("a connection", error))
        client.abort()
        try:
            client.connection.lost(self.now())
        except Exception as worse:  # noqa: BLE001  forget it, then
            self.performer.note(Failure("a connection", worse))
            self.server.forget(client.connection)
            self._gone(client.connection)

    @abstractmethod
    def deliver(self, call: Call, *args: Any) -> None:
        """Call `call(*args)` on the loop's thread; called from any thread, also when the loop is gone."""

    @abstractmethod
    def arm(self, seconds: float) -> None:
        """Call `tick` in `seconds`; replaces what was armed before."""

    @abstractmethod
    def spawn(self, run: Run, ended: Call) -> Call:
        """Start a task that awaits `run()`, and call `ended()` after it, even if it never began.

        Returns what cancels it.
        """

    @abstractmethod
    def end(self) -> None:
        """Have `serve` end in order."""

    @abstractmethod
    def emptied(self) -> None:
        """The last connection is gone, after `stop`."""
