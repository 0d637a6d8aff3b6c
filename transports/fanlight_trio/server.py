"""Serving an app under trio: listening sockets, a task that sleeps to the deadline, the way back from threads."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import trio

from fanlight_engines.hosting import Call, Clock, Hosting, Performing, Run
from fanlight_engines.performer import now, performer_for
from fanlight_engines.sockets import EXHAUSTED_PAUSE, Bound, close_socket, open_sockets, peer_of, prepare, waiting

from .connection import SocketClient

if TYPE_CHECKING:
    from fanlight.app import App

CLIENT_TASK = "fanlight_trio client"


async def serve(
    app: App,
    *,
    performing: Performing = performer_for,
    clock: Clock = now,
    task_status: trio.TaskStatus[tuple[Bound, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until cancelled, or until its leadership is lost; then finish what is in hand.

    `task_status.started` gives the bound addresses, when clients can connect.
    Raises OSError when a listener cannot be bound.  `performing` and `clock`
    may replace the engines and the clocks.
    """
    host = Host(app, performing, clock)
    try:
        opened = open_sockets(host.server)
        async with trio.open_nursery() as around:
            around.start_soon(host.keep)
            with trio.CancelScope(shield=True):  # also when `serve` is cancelled before it began
                await host.kept.wait()
            try:
                with host.ending:
                    async with trio.open_nursery() as accepting:
                        for bound, sock in opened:
                            accepting.start_soon(host.accept, bound, sock)
                        task_status.started(tuple(bound for bound, _ in opened))
            finally:
                for bound, sock in opened:
                    close_socket(bound, sock)
                with trio.CancelScope(shield=True):
                    await host.close()
    finally:
        closed = trio.Event()
        host.release(closed.set)
        with trio.CancelScope(shield=True):
            await closed.wait()


class Host(Hosting):
    """One server in one trio run."""

    nursery: trio.Nursery

    def __init__(self, app: App, performing: Performing, clock: Clock) -> None:
        super().__init__(app, performing, clock)
        self._token = trio.lowlevel.current_trio_token()
        self._alarm = trio.CancelScope()
        self._empty = trio.Event()
        self.kept = trio.Event()
        self.ending = trio.CancelScope()

    @trio.lowlevel.enable_ki_protection  # Ctrl-C is for the host
    async def accept(self, bound: Bound, sock: socket.socket) -> None:
        """Take connections as they come."""
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                for accepted, address in waiting(sock):
                    self._take(bound.listener, accepted, address)
            except OSError:  # out of descriptors
                await trio.sleep(EXHAUSTED_PAUSE)

    def _take(self, listener: str, sock: socket.socket, address: object) -> None:
        connection = self.welcome(listener, peer_of(address))
        if connection is None:
            sock.close()
            return
        try:
            prepare(sock)
        except OSError:
            pass  # gone already: the first read will tell
        client = self.clients[connection] = SocketClient(self, connection, sock)
        self.start(client.run)

    async def keep(self) -> None:
        """Hold the tasks of the clients and of time, which a cancellation of `serve` must not reach."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as self.nursery:
                self.nursery.start_soon(self._keep_time)
                self.kept.set()

    def start(self, run: Run) -> None:
        """Start a task, which must raise nothing."""
        self.nursery.start_soon(run, name=CLIENT_TASK)  # a given name, or trio makes a string for each

    def spawn(self, run: Run, ended: Call) -> Call:
        scope = trio.CancelScope()

        async def inside() -> None:
            try:
                with scope:
                    await run()
            finally:
                ended()

        self.start(inside)
        return scope.cancel

    @trio.lowlevel.enable_ki_protection
    async def _keep_time(self) -> None:
        """Sleep to the armed moment, for ever."""
        while True:
            with self._alarm:
                await trio.sleep_forever()
            if not self._alarm.cancelled_caught:
                return
            self._alarm = trio.CancelScope()
            self.tick()

    def arm(self, seconds: float) -> None:
        self._alarm.deadline = trio.current_time() + seconds

    def deliver(self, call: Call, *args: Any) -> None:
        try:
            self._token.run_sync_soon(call, *args)
        except trio.RunFinishedError:
            pass  # nobody waits any more

    def end(self) -> None:
        self.ending.cancel()

    def emptied(self) -> None:
        self._empty.set()

    async def close(self) -> None:
        """End every connection in order within its grace, and then their tasks."""
        if not self.stop():
            await self._empty.wait()
        self.nursery.cancel_scope.cancel()
