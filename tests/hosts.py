"""Real hosts for tests: the transports under asyncio and trio, each in a thread of its own.

A host serves any number of apps, one after another or at once, on real
sockets.  Its clock is real time plus a shift that a test may enlarge, so that
minutes pass in no time; its performer is the real one, seen through `watch`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Protocol

import trio
from attrs import define, field

import fanlight_asyncio
import fanlight_trio
from fanlight.app import App
from fanlight.moment import Now
from fanlight.server import Server
from fanlight_engines.performer import Performer, performer_for
from fanlight_engines.sockets import Bound

STOP_SECONDS = 15.0

Watch = Callable[[Server, Performer], Any]
"""Given the server and its performer, returns the performer that is used."""


@define
class Shift:
    """How far the clocks of a host are ahead of the real ones, in seconds."""

    mono: float = 0.0
    wall: float = 0.0

    def now(self) -> Now:
        """The host's moment."""
        return Now(time.monotonic() + self.mono, time.time() + self.wall)

    def move(self, seconds: float) -> None:
        """Let both clocks jump."""
        self.mono += seconds
        self.wall += seconds


@define
class Served:
    """An app that is served: where, by which server, and how to end it."""

    server: Server
    bounds: tuple[Bound, ...]
    stop: Callable[[], None]

    def address(self, listener: str = "main") -> str | tuple[str, int]:
        """What to connect to."""
        bound = next(bound for bound in self.bounds if bound.listener == listener)
        return bound.path if bound.path is not None else (bound.host, bound.port)


class Host(Protocol):
    """A transport in a thread."""

    name: str
    shift: Shift

    def serve(self, app: App, watch: Watch | None = None) -> Served:
        """Serve `app`; returns when its listeners are bound."""
        ...

    def wake(self) -> None:
        """Make the loop look at its clock again, after the shift has moved."""
        ...

    def close(self) -> None:
        """End the loop and the thread."""
        ...


@define
class _Watched:
    """Makes the performers of a host, and remembers its servers."""

    watches: dict[int, Watch] = field(factory=dict)
    servers: dict[int, Server] = field(factory=dict)

    def performing(self, server: Server) -> Any:
        """The real performer, as the test of this app wants to see it."""
        self.servers[id(server.app)] = server
        performer = performer_for(server)
        watch = self.watches.get(id(server.app))
        return performer if watch is None else watch(server, performer)


class _ShiftedLoop(asyncio.SelectorEventLoop):
    """A loop whose timers follow the shifted clock."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        super().__init__()

    def time(self) -> float:
        return time.monotonic() + self._shift.mono


class AsyncioHost:
    """asyncio in a thread."""

    name = "asyncio"

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.shift = Shift()
        self._watched = _Watched()
        self._loop = loop or _ShiftedLoop(self.shift)
        self._thread = threading.Thread(target=self._run, name="asyncio host", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def run(self, call: Callable[[], Awaitable[Any]], seconds: float = STOP_SECONDS) -> Any:
        """Await `call()` in the loop, from another thread."""

        async def awaited() -> Any:
            return await call()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(seconds)

    def serve(self, app: App, watch: Watch | None = None) -> Served:
        """Serve `app`; returns when its listeners are bound."""
        if watch is not None:
            self._watched.watches[id(app)] = watch
        ready: Future[tuple[Bound, ...]] = Future()
        task: asyncio.Future[None] = self.run(lambda: self._start(app, ready))
        bounds = ready.result(STOP_SECONDS)

        async def stop() -> None:
            task.cancel()
            await asyncio.wait([task])

        return Served(self._watched.servers[id(app)], bounds, lambda: self.run(stop))

    async def _start(self, app: App, ready: Future[tuple[Bound, ...]]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(
            fanlight_asyncio.serve(
                app, ready=ready.set_result, performing=self._watched.performing, clock=self.shift.now
            )
        )

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None and not ready.done():
                ready.set_exception(error)

        task.add_done_callback(ended)
        return task

    def wake(self) -> None:
        """An empty callback: the loop computes its timeouts anew."""
        self._loop.call_soon_threadsafe(lambda: None)

    def close(self) -> None:
        """Stop the loop, join the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)


class _ShiftedClock(trio.abc.Clock):
    """trio's clock, shifted."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift

    def start_clock(self) -> None:
        """It runs already."""

    def current_time(self) -> float:
        """Shifted monotonic seconds."""
        return time.monotonic() + self._shift.mono

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Real seconds until `deadline`, if nobody shifts."""
        return deadline - self.current_time()


class TrioHost:
    """trio in a thread."""

    name = "trio"

    def __init__(self) -> None:
        self.shift = Shift()
        self._watched = _Watched()
        self._started: Future[tuple[trio.lowlevel.TrioToken, trio.Nursery]] = Future()
        self._thread = threading.Thread(target=self._run, name="trio host", daemon=True)
        self._thread.start()
        self._token, self._nursery = self._started.result(STOP_SECONDS)

    def _run(self) -> None:
        trio.run(self._main, clock=_ShiftedClock(self.shift))

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self._started.set_result((trio.lowlevel.current_trio_token(), nursery))
            await trio.sleep_forever()

    def serve(self, app: App, watch: Watch | None = None) -> Served:
        """Serve `app`; returns when its listeners are bound."""
        if watch is not None:
            self._watched.watches[id(app)] = watch
        scope, ended = trio.CancelScope(), threading.Event()

        async def serving(task_status: trio.TaskStatus[tuple[Bound, ...]]) -> None:
            try:
                with scope:
                    await fanlight_trio.serve(
                        app, performing=self._watched.performing, clock=self.shift.now, task_status=task_status
                    )
            finally:
                ended.set()

        bounds = trio.from_thread.run(self._nursery.start, serving, trio_token=self._token)

        def stop() -> None:
            trio.from_thread.run_sync(scope.cancel, trio_token=self._token)
            assert ended.wait(STOP_SECONDS), "the server does not stop"

        return Served(self._watched.servers[id(app)], bounds, stop)

    def wake(self) -> None:
        """An empty callback: trio looks at its deadlines anew."""
        trio.from_thread.run_sync(lambda: None, trio_token=self._token)

    def close(self) -> None:
        """Cancel everything, join the thread."""
        trio.from_thread.run_sync(self._nursery.cancel_scope.cancel, trio_token=self._token)
        self._thread.join(STOP_SECONDS)


def host(over: str) -> Host:
    """A host by the name of its loop.  uvloop's timers know no shift."""
    if over == "uvloop":
        import uvloop

        return AsyncioHost(uvloop.new_event_loop())
    return TrioHost() if over == "trio" else AsyncioHost()
