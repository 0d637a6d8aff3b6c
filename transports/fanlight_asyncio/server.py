"""Serving an app under asyncio: listening sockets, the loop's timer, the way back from threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fanlight_engines.hosting import Call, Clock, Hosting, Performing
from fanlight_engines.performer import now, performer_for
from fanlight_engines.sockets import Bound, open_sockets, remove

from .connection import Accepting

if TYPE_CHECKING:
    from fanlight.app import App

Ready = Callable[[tuple[Bound, ...]], object]


async def serve(
    app: App, *, ready: Ready | None = None, performing: Performing = performer_for, clock: Clock = now
) -> None:
    """Serve `app` until cancelled; then finish what is in hand and pass the cancellation on.

    `ready` is called once with the bound addresses, when clients can connect.
    Raises OSError when a listener cannot be bound.  `performing` and `clock`
    may replace the engines and the clocks.
    """
    host = Host(app, performing, clock)
    try:
        await host.open(ready)
        await asyncio.get_running_loop().create_future()  # until cancelled
    finally:
        await host.close()


class Host(Hosting):
    """One server in one asyncio loop."""

    def __init__(self, app: App, performing: Performing, clock: Clock) -> None:
        super().__init__(app, performing, clock)
        self._loop = asyncio.get_running_loop()
        self._listening: list[tuple[Bound, asyncio.Server]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    async def open(self, ready: Ready | None) -> None:
        """Bind everything, accept, say so."""
        opened = open_sockets(self.server)
        for bound, sock in opened:
            create = self._loop.create_server if bound.path is None else self._loop.create_unix_server
            self._listening.append((bound, await create(self._accepting(bound.listener), sock=sock)))
        if ready is not None:
            ready(tuple(bound for bound, _ in opened))

    def _accepting(self, listener: str) -> Callable[[], Accepting]:
        return lambda: Accepting(self, listener)

    def deliver(self, call: Call, *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    def arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.tick)

    def emptied(self) -> None:
        self._empty.set()

    async def close(self) -> None:
        """Stop accepting, end every connection in order within its grace, end the workers."""
        for bound, listening in self._listening:
            listening.close()
            remove(bound)
        if not self.stop():
            await self._empty.wait()
        if self._timer is not None:
            self._timer.cancel()
        closed = asyncio.Event()
        self.release(closed.set)
        await closed.wait()
