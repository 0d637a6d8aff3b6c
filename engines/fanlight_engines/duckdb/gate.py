"""The gate before DuckDB: few statements run at once, the others wait in the order they came.

Running many at once makes none of them faster and takes the interpreter from
the host.  Whoever waits can be sent away by an interrupt.
"""

from __future__ import annotations

from collections import deque
from threading import Event, Lock

from fanlight.sql.effects import Interrupt


class _Waiter:
    __slots__ = ("admitted", "interrupt", "over")

    def __init__(self, interrupt: Interrupt) -> None:
        self.interrupt = interrupt
        self.over = Event()
        self.admitted = False


class Gate:
    """`places` may be inside at once; first come, first served."""

    def __init__(self, places: int) -> None:
        self._lock = Lock()
        self._free = places
        self._places = places
        self._waiting: deque[_Waiter] = deque()

    @property
    def inside(self) -> int:
        """How many are inside."""
        return self._places - self._free

    def enter(self, interrupt: Interrupt) -> bool:
        """Wait for a place; False if `interrupt` was asked for before there was one.

        Every True is followed by one `leave`.
        """
        with self._lock:
            if interrupt.asked:
                return False
            if self._free:
                self._free -= 1
                return True
            waiter = _Waiter(interrupt)
            self._waiting.append(waiter)
        waiter.over.wait()
        return waiter.admitted

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            waiter = self._waiting.popleft()
            waiter.admitted = True
        waiter.over.set()

    def send_away(self, interrupt: Interrupt) -> None:
        """Whoever waits with `interrupt` waits no longer.  Ask for the interrupt first."""
        with self._lock:
            found = next((waiter for waiter in self._waiting if waiter.interrupt is interrupt), None)
            if found is None:
                return
            self._waiting.remove(found)
        found.over.set()
