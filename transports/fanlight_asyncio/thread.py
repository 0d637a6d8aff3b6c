"""Serving beside anything: a loop of our own in a daemon thread.

For programs without a loop, or whose loop may be stuck: the server answers all
the same.  The thread never outlives the process and never raises into it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .server import serve

if TYPE_CHECKING:
    from fanlight.app import App
    from fanlight_engines.sockets import Bound

log = logging.getLogger("fanlight")


class Running:
    """A server in its thread.  `addresses` are the bound ones."""

    def __init__(self, app: App, runner: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self.addresses: tuple[Bound, ...] = ()
        self._app = app
        self._runner = runner
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="fanlight", daemon=True)

    def start(self) -> Running:
        """Start and wait until the listeners are bound; raises what binding raised."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def stop(self, timeout: float | None = 15.0) -> bool:
        """End every connection in order, then the thread; True when it ended within `timeout` seconds.

        May be called more than once and from any thread; from the server's own
        it only begins the end, and returns False.
        """
        if self._loop is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:
                pass  # it has just ended
        if threading.current_thread() is self._thread:
            return False
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _cancel(self) -> None:
        """Once: a second cancellation would end the grace of those who are being served."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._runner) as runner:
                runner.run(self._serve())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # raised again by `start`, or said where nobody waits any more
            if self._ready.is_set():
                log.error("the server in a thread has ended", exc_info=error)
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        await serve(self._app, ready=self._announce)

    def _announce(self, addresses: tuple[Bound, ...]) -> None:
        self.addresses = addresses
        self._loop_soon(self._ready.set)

    def _loop_soon(self, call: Callable[[], None]) -> None:
        """After the sockets accept, not before."""
        assert self._loop is not None
        self._loop.call_soon(call)


def start_in_thread(app: App, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> Running:
    """Serve `app` from a daemon thread; returns once the listeners are bound.

    Raises what binding raised (OSError).  `loop_factory` makes another kind of
    loop (`uvloop.new_event_loop`).
    """
    return Running(app, loop_factory).start()
