"""Serving an app under trio: listening sockets, the one timer, answers from workers.

What the server decides is carried out here: it accepts no one by itself and
knows no deadline but the one it is told.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING

import trio

from fanlight.server import Server
from fanlight_engines.performer import Performer, SystemEntropy, now, performer_for
from fanlight_engines.sockets import Bound, close_socket, open_sockets, peer_of, prepare

from .connection import Client

if TYPE_CHECKING:
    from fanlight.app import App
    from fanlight.connection import Connection

_EXHAUSTED_PAUSE = 0.1


async def serve(
    app: App,
    *,
    performer: Performer | None = None,
    task_status: trio.TaskStatus[tuple[Bound, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until cancelled; then finish what is in hand.

    `task_status.started` gives the bound addresses.  Raises OSError when a
    listener cannot be bound.
    """
    host = Host(app, performer)
    opened = open_sockets(host.server)
    try:
        async with trio.open_nursery() as nursery:
            host.nursery = nursery
            try:
                async with trio.open_nursery() as accepting:
                    for bound, sock in opened:
                        accepting.start_soon(host.accept, bound, sock)
                    nursery.start_soon(host.keep_time)
                    task_status.started(tuple(bound for bound, _ in opened))
            finally:
                for bound, sock in opened:
                    close_socket(bound, sock)
                with trio.CancelScope(shield=True):
                    await host.close()
                nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(host.performer.close)


class Host:
    """One server in one trio run."""

    nursery: trio.Nursery

    def __init__(self, app: App, performer: Performer | None) -> None:
        self.server = Server(app, now=now(), entropy=SystemEntropy())
        self.performer = performer or performer_for(self.server)
        self.clients: dict[Connection, Client] = {}
        self._token = trio.lowlevel.current_trio_token()
        self._alarm: trio.CancelScope | None = None
        self._armed = inf
        self._drained = trio.Event()

    @trio.lowlevel.enable_ki_protection  # Ctrl-C is for the host
    async def accept(self, bound: Bound, sock: socket.socket) -> None:
        """Take connections as they come."""
        listening = trio.socket.from_stdlib_socket(sock)
        while True:
            try:
                accepted, address = await listening.accept()
            except OSError:  # out of descriptors, or the peer left in the queue
                await trio.sleep(_EXHAUSTED_PAUSE)
                continue
            fd = accepted.detach()
            self._take(bound.listener, socket.socket(fileno=fd), address)

    def _take(self, listener: str, sock: socket.socket, address: object) -> None:
        connection = self.server.accept(listener, peer_of(address), now())
        if connection is None:
            sock.close()
            return
        sock.setblocking(False)
        try:
            prepare(sock)
        except OSError:
            pass  # gone already: the first read will tell
        client = self.clients[connection] = Client(self, connection, sock)
        self.nursery.start_soon(client.run)

    def start(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start a task of a client."""
        self.nursery.start_soon(run)

    def settle(self, client: Client) -> None:
        """After a client was drained: wake the timekeeper earlier, forget a finished one."""
        connection = client.connection
        if connection.finished:
            self.clients.pop(connection, None)
            if self.server.stopping and self.server.drained:
                self._drained.set()
        if self.server.deadline < self._armed and self._alarm is not None:
            self._armed = self.server.deadline
            self._alarm.deadline = trio.current_time() + max(0.0, self._armed - now().mono)

    @trio.lowlevel.enable_ki_protection
    async def keep_time(self) -> None:
        """Sleep to the server's deadline, for ever."""
        while True:
            self._armed = self.server.deadline
            wait = inf if self._armed == inf else max(0.0, self._armed - now().mono)
            with trio.CancelScope(deadline=trio.current_time() + wait) as self._alarm:
                await trio.sleep_forever()
            if not self._alarm.cancelled_caught:
                return
            for connection in self.server.handle_timeout(now()):
                client = self.clients.get(connection)
                if client is not None:
                    client.drain()

    def answer_later(self, client: Client, number: int) -> Callable[[object, BaseException | None], None]:
        """A callback for a worker's thread that brings its answer to this run."""

        def done(answer: object, error: BaseException | None) -> None:
            try:
                self._token.run_sync_soon(client.feed, client.connection.reply, number, answer, error)
            except trio.RunFinishedError:
                pass  # nobody waits any more

        return done

    def broken(self, client: Client, error: Exception) -> None:
        """A bug in the core: never the host's problem.  The client is dropped, the log is told."""
        from fanlight.observe.records import Failure

        self.performer.note(Failure("a connection", error))
        client.abort()
        self.clients.pop(client.connection, None)
        self.server.forget(client.connection)

    async def close(self) -> None:
        """End every connection in order within its grace."""
        for connection in self.server.shutdown(self.server.limits.grace, now()):
            client = self.clients.get(connection)
            if client is not None:
                client.drain()
        if not self.server.drained:
            await self._drained.wait()
