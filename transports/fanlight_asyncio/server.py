"""Serving an app under asyncio: listening sockets, the one timer, answers from workers.

What the server decides is carried out here: it accepts no one by itself and
knows no deadline but the one it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from fanlight.server import Server
from fanlight_engines.performer import Performer, SystemEntropy, now, performer_for
from fanlight_engines.sockets import Bound, open_sockets, remove

from .connection import Client

if TYPE_CHECKING:
    from fanlight.app import App
    from fanlight.connection import Connection

Ready = Callable[[tuple[Bound, ...]], object]


async def serve(app: App, *, ready: Ready | None = None, performer: Performer | None = None) -> None:
    """Serve `app` until cancelled; then finish what is in hand and return by raising the cancellation.

    `ready` is called once with the bound addresses, before the first client is
    accepted.  Raises OSError when a listener cannot be bound.
    """
    host = Host(app, performer)
    try:
        await host.open(ready)
        await asyncio.get_running_loop().create_future()  # until cancelled
    finally:
        await host.close()


class Host:
    """One server in one loop."""

    def __init__(self, app: App, performer: Performer | None) -> None:
        self.server = Server(app, now=now(), entropy=SystemEntropy())
        self.performer = performer or performer_for(self.server)
        self.clients: dict[Connection, Client] = {}
        self._loop = asyncio.get_running_loop()
        self._sockets: list[tuple[Bound, asyncio.Server]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed = inf
        self._drained = asyncio.Event()

    async def open(self, ready: Ready | None) -> None:
        """Bind everything, say so, accept."""
        opened = open_sockets(self.server)
        bounds = tuple(bound for bound, _ in opened)
        if ready is not None:
            ready(bounds)
        for bound, sock in opened:
            create = self._loop.create_server if bound.path is None else self._loop.create_unix_server
            self._sockets.append((bound, await create(self._factory(bound.listener), sock=sock)))

    def _factory(self, listener: str) -> Callable[[], Client]:
        return lambda: Client(self, listener)

    def settle(self, client: Client) -> None:
        """After a client was drained: arm the timer, forget a finished one."""
        connection = client.connection
        if connection is not None and connection.finished:
            self.clients.pop(connection, None)
            if self.server.stopping and self.server.drained:
                self._drained.set()
        if self.server.deadline < self._armed:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = self.server.deadline
        self._timer = None
        if self._armed < inf:
            self._timer = self._loop.call_later(max(0.0, self._armed - now().mono), self._tick)

    def _tick(self) -> None:
        self._timer, self._armed = None, inf
        for connection in self.server.handle_timeout(now()):
            client = self.clients.get(connection)
            if client is not None:
                client.drain()
        if self.server.deadline < self._armed:
            self._arm()

    def answer_later(self, client: Client, number: int) -> Callable[[object, BaseException | None], None]:
        """A callback for a worker's thread that brings its answer to this loop."""

        def done(answer: object, error: BaseException | None) -> None:
            try:
                self._loop.call_soon_threadsafe(client.reply, number, answer, error)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more

        return done

    def broken(self, client: Client, error: Exception) -> None:
        """A bug in the core: never the host's problem.  The client is dropped, the log is told."""
        from fanlight.observe.records import Failure

        self.performer.note(Failure("a connection", error))
        client.abort()
        if client.connection is not None:
            self.clients.pop(client.connection, None)
            self.server.forget(client.connection)
            client.connection = None

    async def close(self) -> None:
        """Stop accepting, end every connection in order within its grace, end the workers."""
        for bound, accepting in self._sockets:
            accepting.close()
            remove(bound)
        for connection in self.server.shutdown(self.server.limits.grace, now()):
            client = self.clients.get(connection)
            if client is not None:
                client.drain()
        if not self.server.drained:
            await self._drained.wait()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.to_thread(self.performer.close)
