"""Serving an app under asyncio: listening sockets, the loop's timer, the way back from threads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fanlight_engines.hosting import Call, Clock, Hosting, Performing, Run
from fanlight_engines.performer import now, performer_for
from fanlight_engines.sockets import EXHAUSTED_PAUSE, Bound, close_socket, open_sockets, waiting

from .connection import Accepting

if TYPE_CHECKING:
    from fanlight.app import App

    from .connection import SocketClient

Ready = Callable[[tuple[Bound, ...]], object]


async def serve(
    app: App, *, ready: Ready | None = None, performing: Performing = performer_for, clock: Clock = now
) -> None:
    """Serve `app` until cancelled; then finish what is in hand and pass the cancellation on.

    Returns when the process has lost its leadership, and nobody else does anything about it.

    `ready` is called once with the bound addresses, when clients can connect.
    Raises OSError when a listener cannot be bound.  `performing` and `clock`
    may replace the engines and the clocks.
    """
    host = Host(app, performing, clock)
    try:
        host.open(ready)
        await host.ending.wait()
    finally:
        await host.close()


class Host(Hosting):
    """One server in one asyncio loop."""

    def __init__(self, app: App, performing: Performing, clock: Clock) -> None:
        super().__init__(app, performing, clock)
        self._loop = asyncio.get_running_loop()
        self._listening: list[tuple[Bound, socket.socket]] = []
        self._arriving: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self.ending = asyncio.Event()
        self._writers: list[SocketClient] = []

    def open(self, ready: Ready | None) -> None:
        """Bind everything, accept, say so."""
        self._listening = open_sockets(self.server)
        for bound, sock in self._listening:
            self._listen(bound.listener, sock)
        if ready is not None:
            ready(tuple(bound for bound, _ in self._listening))

    def _listen(self, listener: str, sock: socket.socket) -> None:
        if not self.server.stopping:
            self._loop.add_reader(sock, self._accept, listener, sock)

    def _accept(self, listener: str, sock: socket.socket) -> None:
        """Take those who wait.  Not by asyncio's server, which for want of descriptors complains 100 times a second."""
        try:
            for accepted, _ in waiting(sock):
                task = self._loop.create_task(self._connect(listener, accepted))
                self._arriving.add(task)
                task.add_done_callback(self._arriving.discard)
        except OSError:  # out of descriptors
            self._loop.remove_reader(sock)
            self._loop.call_later(EXHAUSTED_PAUSE, self._listen, listener, sock)

    async def _connect(self, listener: str, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: Accepting(self, listener), sock)
        except OSError:
            sock.close()  # gone already

    def flush_soon(self, client: SocketClient) -> None:
        """Have `client` write at the beginning of the loop's next turn."""
        if not self._writers:
            self._loop.call_soon(self._flush)
        self._writers.append(client)

    def _flush(self) -> None:
        writers, self._writers = self._writers, []
        for client in writers:
            client.flush()

    def deliver(self, call: Call, *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    def arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.tick)

    def spawn(self, run: Run, ended: Call) -> Call:
        task = asyncio.ensure_future(run())
        task.add_done_callback(lambda _: ended())
        return task.cancel

    def end(self) -> None:
        self.ending.set()

    def emptied(self) -> None:
        self._empty.set()

    async def close(self) -> None:
        """Stop accepting, end every connection in order within its grace, end the workers."""
        for bound, sock in self._listening:
            self._loop.remove_reader(sock)
            close_socket(bound, sock)
        try:
            if not self.stop():
                await self._empty.wait()
        finally:  # a second cancellation ends the grace
            self.drop()
            closed = asyncio.Event()
            self.release(closed.set)
            try:
                await closed.wait()
            finally:
                if self._timer is not None:
                    self._timer.cancel()
